// SPDX-License-Identifier: Apache-2.0
// BLIS's matrix product as a child of the sweep. Its interface takes any strides, so that views are passed as they are.
#include <algorithm>

#include <blis.h>

#include <speedwell/machine.hpp>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

class BlisPeer final : public Peer {
 public:
  explicit BlisPeer(int threads) : Peer(threads) {
    bli_init();
    bli_thread_set_num_threads(threads);
  }

  std::string version() const override { return bli_info_get_version_str(); }
  std::string isa() const override { return bli_arch_string(bli_arch_query_id()); }
  std::string wait_policy() const override { return "OpenMP's default: spins some milliseconds, then sleeps"; }
  bool offers(const Case& which) const override { return which.kernel == "matmul" || which.kernel == "matmul_batch"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<MatmulWorkload<float>*>(&workload)) return product(*f32, bli_sgemm, bli_sgemv);
    if (auto* f64 = dynamic_cast<MatmulWorkload<double>*>(&workload)) return product(*f64, bli_dgemm, bli_dgemv);
    if (auto* f32 = dynamic_cast<MatmulBatchWorkload<float>*>(&workload)) return products(*f32, bli_sgemm);
    if (auto* f64 = dynamic_cast<MatmulBatchWorkload<double>*>(&workload)) return products(*f64, bli_dgemm);
    return {};
  }

 private:
  // It doesn't write to A and B, though its parameters are no pointers to const.
  template <class T, class Gemm, class Gemv>
  static std::function<void()> product(MatmulWorkload<T>& workload, Gemm gemm, Gemv gemv) {
    const MatrixView<const T> a = workload.a(), b = workload.b();
    const MatrixView<T> c = workload.c();
    if (c.cols == 1) return with_vector(gemv, a, b.data, b.row_stride, c.data, c.row_stride);
    if (c.rows == 1) return with_vector(gemv, transposed(b), a.data, a.col_stride, c.data, c.col_stride);
    return [=] {
      T one = 1, zero = 0;
      gemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, c.rows, c.cols, a.cols, &one, const_cast<T*>(a.data), a.row_stride,
           a.col_stride, const_cast<T*>(b.data), b.row_stride, b.col_stride, &zero, c.data, c.row_stride, c.col_stride);
    };
  }

  template <class T, class Gemm>
  static std::function<void()> products(MatmulBatchWorkload<T>& workload, Gemm gemm) {
    return [gemm, a = workload.a(), b = workload.b(), c = workload.c()] {
      const std::ptrdiff_t m = c.first.rows, n = c.first.cols, k = a.first.cols;
      T one = 1, zero = 0;
      for (std::ptrdiff_t i = 0; i < c.count; ++i) {
        gemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, m, n, k, &one, const_cast<T*>(a[i].data), k, 1,
             const_cast<T*>(b[i].data), n, 1, &zero, c[i].data, n, 1);
      }
    };
  }

  // y = A x.
  template <class T, class Gemv>
  static std::function<void()> with_vector(Gemv gemv, MatrixView<const T> a, const T* x, std::ptrdiff_t x_stride, T* y,
                                           std::ptrdiff_t y_stride) {
    return [=] {
      T one = 1, zero = 0;
      gemv(BLIS_NO_TRANSPOSE, BLIS_NO_CONJUGATE, a.rows, a.cols, &one, const_cast<T*>(a.data), a.row_stride,
           a.col_stride, const_cast<T*>(x), x_stride, &zero, y, y_stride);
    };
  }
};

// The kernels to take, by BLIS's number for the processor that they were written for; none where it chooses well
// itself. It knows the processors of its day only, and takes plain C loops on any other: those of Zen 3 need no more
// than AVX2, those of Skylake X no more than AVX-512.
Environment kernels(const std::string& backend) {
  const auto& isas = machine().isas;
  const auto has = [&isas](Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); };
  if (has(Isa::avx512) && backend == peer_name()) return {{"BLIS_ARCH_TYPE", std::to_string(BLIS_ARCH_SKX)}};
  if (has(Isa::avx2)) return {{"BLIS_ARCH_TYPE", std::to_string(BLIS_ARCH_ZEN3)}};
  return {};
}

}  // namespace

const char* peer_name() { return "blis"; }

Environment peer_environment(const ChildOptions& options) {
  Environment environment = openmp_environment(options);
  environment.emplace_back("BLIS_NUM_THREADS", std::to_string(options.threads));
  for (auto& variable : kernels(options.backend)) environment.push_back(std::move(variable));
  return environment;
}

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<BlisPeer>(options.threads); }

}  // namespace speedwell::bench
