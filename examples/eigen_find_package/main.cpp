// SPDX-License-Identifier: Apache-2.0
// Eigen matrices, blocks and transposes in either storage order are multiplied where they lie.
#include <cstdlib>
#include <iostream>

#include <Eigen/Dense>
#include <speedwell/matmul.hpp>
#include <speedwell/runtime.hpp>

namespace sw = speedwell;

int main() {
  const Eigen::MatrixXd a = Eigen::MatrixXd::Random(300, 200);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> b = Eigen::MatrixXd::Random(300, 400);
  Eigen::MatrixXd c(200, 400);

  sw::matmul(a.transpose(), b, c);
  const double error = (c - a.transpose() * b).cwiseAbs().maxCoeff();
  std::cout << "transpose(A) * B on " << sw::last_run().backend << ": largest difference from Eigen " << error << '\n';

  // Only the middle of C is written.
  sw::matmul(a.topRows(50).transpose(), b.topLeftCorner(50, 100), c.block(0, 100, 200, 100),
             {.alpha = 2, .backend = sw::OpenMp{.threads = 2}});
  const double block_error =
      (c.middleCols(100, 100) - 2 * a.topRows(50).transpose() * b.topLeftCorner(50, 100)).cwiseAbs().maxCoeff();
  std::cout << "a block of C on " << sw::last_run().threads << " threads: largest difference from Eigen " << block_error
            << '\n';

  // 300 products of numbers below one: each rounding errs by at most 2^-53, and there are 600 of them.
  const double tolerance = 300 * 600 * 0x1p-53;
  return error <= tolerance && block_error <= tolerance ? EXIT_SUCCESS : EXIT_FAILURE;
}
