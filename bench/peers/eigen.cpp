// SPDX-License-Identifier: Apache-2.0
// Eigen's matrix product as a child of the sweep. All of Eigen is headers, so this file alone decides its speed: it is
// built for one instruction set, and the sweep picks the program for the best that the processor has.
#include <cstdlib>

#include <omp.h>
#include <Eigen/Core>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
std::function<void()> product(MatmulWorkload<T>& workload) {
  const Eigen::Map<const RowMajor<T>> a(workload.a().data, workload.a().rows, workload.a().cols);
  const Eigen::Map<const RowMajor<T>> b(workload.b().data, workload.b().rows, workload.b().cols);
  Eigen::Map<RowMajor<T>> c(workload.c().data, workload.c().rows, workload.c().cols);
  return [a, b, c]() mutable { c.noalias() = a * b; };
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
  bool offers(const Case& which) const override { return which.kernel == "matmul"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<MatmulWorkload<float>*>(&workload)) return product(*f32);
    if (auto* f64 = dynamic_cast<MatmulWorkload<double>*>(&workload)) return product(*f64);
    return {};
  }

  void park() override { omp_pause_resource_all(omp_pause_hard); }
};

}  // namespace

const char* peer_name() { return "eigen"; }

Environment peer_environment(const ChildOptions& options) { return openmp_environment(options); }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<EigenPeer>(options.threads); }

}  // namespace speedwell::bench
