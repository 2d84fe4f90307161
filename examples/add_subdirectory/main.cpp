// SPDX-License-Identifier: Apache-2.0
// Multiplies two small matrices that are plain arrays.
#include <cstdlib>
#include <iostream>

#include <speedwell/matmul.hpp>

namespace sw = speedwell;

int main() {
  const float a[] = {1, 2, 3,  //
                     4, 5, 6};
  const float b[] = {1, 0,  //
                     0, 1,  //
                     2, -1};
  float c[4];
  sw::matmul(sw::MatrixView(a, 2, 3), sw::MatrixView(b, 3, 2), sw::MatrixView(c, 2, 2));
  std::cout << c[0] << ' ' << c[1] << '\n' << c[2] << ' ' << c[3] << '\n';
  return c[0] == 7 && c[1] == -1 && c[2] == 16 && c[3] == -1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
