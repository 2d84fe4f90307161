// SPDX-License-Identifier: Apache-2.0
// OpenBLAS's matrix and dot products as a child of the sweep.
#include <cblas.h>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

class OpenBlasPeer final : public Peer {
 public:
  explicit OpenBlasPeer(int threads) : Peer(threads) { openblas_set_num_threads(threads); }

  std::string version() const override {
    // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
    const std::string config = openblas_get_config();
    const std::size_t begin = config.find(' ') + 1;
    return config.substr(begin, config.find(' ', begin) - begin);
  }
  std::string isa() const override { return openblas_get_corename(); }
  std::string wait_policy() const override { return "spins 2^20 ticks, then sleeps"; }
  bool offers(const Case& which) const override { return which.kernel == "matmul" || which.kernel == "dot"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<MatmulWorkload<float>*>(&workload)) return product(*f32, cblas_sgemm);
    if (auto* f64 = dynamic_cast<MatmulWorkload<double>*>(&workload)) return product(*f64, cblas_dgemm);
    if (auto* f32 = dynamic_cast<DotWorkload<float>*>(&workload)) return dot_product(*f32, cblas_sdot);
    if (auto* f64 = dynamic_cast<DotWorkload<double>*>(&workload)) return dot_product(*f64, cblas_ddot);
    return {};
  }

 private:
  template <class T, class Gemm>
  static std::function<void()> product(MatmulWorkload<T>& workload, Gemm gemm) {
    return [gemm, a = workload.a(), b = workload.b(), c = workload.c()] {
      const auto m = static_cast<blasint>(c.rows), n = static_cast<blasint>(c.cols), k = static_cast<blasint>(a.cols);
      gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, T{1}, a.data, k, b.data, n, T{0}, c.data, n);
    };
  }

  template <class T, class Dot>
  static std::function<void()> dot_product(DotWorkload<T>& workload, Dot dot) {
    return [dot, x = workload.x(), y = workload.y(), result = &workload.result()] {
      *result = dot(static_cast<blasint>(x.size()), x.data(), 1, y.data(), 1);
    };
  }
};

}  // namespace

const char* peer_name() { return "openblas"; }

// It makes its threads when it is loaded. They look for work for 2^26 ticks of the clock (25 ms) unless told otherwise,
// and after each sample that had to be waited for. 2^20 still is long against the time between two calls.
Environment peer_environment(const ChildOptions& options) {
  return {{"OPENBLAS_NUM_THREADS", std::to_string(options.threads)}, {"OPENBLAS_THREAD_TIMEOUT", "20"}};
}

std::unique_ptr<Engine> make_peer(const ChildOptions& options) {
  return std::make_unique<OpenBlasPeer>(options.threads);
}

}  // namespace speedwell::bench
