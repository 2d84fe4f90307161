// SPDX-License-Identifier: Apache-2.0
// Eigen's matrix product as a child of the sweep. All of Eigen is headers, so this file alone decides its speed: it is
// built for one instruction set, and the sweep picks the program for the best that the processor has.
#include <cstdlib>

#include <omp.h>
#include <Eigen/Core>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

// Its storage order is part of a matrix's type.
template <class T, int order>
using Map = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, order>, 0, Eigen::OuterStride<>>;
template <class T, int order>
using ConstMap = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, order>, 0, Eigen::OuterStride<>>;

template <class T, int order>
ConstMap<T, order> map_of(MatrixView<const T> view) {
  return {view.data, view.rows, view.cols, Eigen::OuterStride<>(stored(view).leading)};
}

template <class T, int a_order, int b_order>
std::function<void()> product_of(MatmulWorkload<T>& workload) {
  const MatrixView<T> view = workload.c();
  Map<T, Eigen::RowMajor> c(view.data, view.rows, view.cols, Eigen::OuterStride<>(stored(view).leading));
  return [a = map_of<T, a_order>(workload.a()), b = map_of<T, b_order>(workload.b()), c]() mutable {
    c.noalias() = a * b;
  };
}

template <class T>
std::function<void()> product(MatmulWorkload<T>& workload) {
  constexpr int rows = Eigen::RowMajor, columns = Eigen::ColMajor;
  const bool a = stored(workload.a()).transposed, b = stored(workload.b()).transposed;
  if (a) return b ? product_of<T, columns, columns>(workload) : product_of<T, columns, rows>(workload);
  return b ? product_of<T, rows, columns>(workload) : product_of<T, rows, rows>(workload);
}

template <class T>
std::function<void()> products(MatmulBatchWorkload<T>& workload) {
  return [a = workload.a(), b = workload.b(), c = workload.c()] {
    for (std::ptrdiff_t i = 0; i < c.count; ++i) {
      const MatrixView<T> view = c[i];
      Map<T, Eigen::RowMajor> product(view.data, view.rows, view.cols, Eigen::OuterStride<>(view.row_stride));
      product.noalias() = map_of<T, Eigen::RowMajor>(a[i]) * map_of<T, Eigen::RowMajor>(b[i]);
    }
  };
}

class EigenPeer final : public Peer {
 public:
  explicit EigenPeer(int threads) : Peer(threads) {
    omp_set_num_threads(threads);
    Eigen::setNbThreads(threads);
  }

  std::string version() const override {
    return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
           std::to_string(EIGEN_MINOR_VERSION);
  }
  std::string isa() const override { return Eigen::SimdInstructionSetsInUse(); }
  std::string wait_policy() const override { return "OpenMP's; threads ended between samples"; }
  bool offers(const Case& which) const override { return which.kernel == "matmul" || which.kernel == "matmul_batch"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<MatmulWorkload<float>*>(&workload)) return product(*f32);
    if (auto* f64 = dynamic_cast<MatmulWorkload<double>*>(&workload)) return product(*f64);
    if (auto* f32 = dynamic_cast<MatmulBatchWorkload<float>*>(&workload)) return products(*f32);
    if (auto* f64 = dynamic_cast<MatmulBatchWorkload<double>*>(&workload)) return products(*f64);
    return {};
  }

  void park() override { omp_pause_resource_all(omp_pause_hard); }
};

}  // namespace

const char* peer_name() { return "eigen"; }

Environment peer_environment(const ChildOptions& options) { return openmp_environment(options); }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<EigenPeer>(options.threads); }

}  // namespace speedwell::bench
