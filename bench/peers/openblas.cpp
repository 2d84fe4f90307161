// SPDX-License-Identifier: Apache-2.0
// OpenBLAS's matrix and dot products as a child of the sweep.
#include <algorithm>

#include <cblas.h>

#include <speedwell/machine.hpp>

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
  bool offers(const Case& which) const override {
    return which.kernel == "matmul" || which.kernel == "matmul_batch" || which.kernel == "dot";
  }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<MatmulWorkload<float>*>(&workload)) return product(*f32, cblas_sgemm, cblas_sgemv);
    if (auto* f64 = dynamic_cast<MatmulWorkload<double>*>(&workload)) return product(*f64, cblas_dgemm, cblas_dgemv);
    if (auto* f32 = dynamic_cast<MatmulBatchWorkload<float>*>(&workload)) return products(*f32, cblas_sgemm);
    if (auto* f64 = dynamic_cast<MatmulBatchWorkload<double>*>(&workload)) return products(*f64, cblas_dgemm);
    if (auto* f32 = dynamic_cast<DotWorkload<float>*>(&workload)) return dot_product(*f32, cblas_sdot);
    if (auto* f64 = dynamic_cast<DotWorkload<double>*>(&workload)) return dot_product(*f64, cblas_ddot);
    return {};
  }

 private:
  // By the routine that who knows the library would take: it has one of its own for products with a vector.
  template <class T, class Gemm, class Gemv>
  static std::function<void()> product(MatmulWorkload<T>& workload, Gemm gemm, Gemv gemv) {
    const MatrixView<const T> a = workload.a(), b = workload.b();
    const MatrixView<T> c = workload.c();
    if (c.cols == 1) return with_vector(gemv, a, b.data, b.row_stride, c.data, c.row_stride);
    if (c.rows == 1) return with_vector(gemv, transposed(b), a.data, a.col_stride, c.data, c.col_stride);
    return [=, a = stored(a), b = stored(b), c = stored(c), m = static_cast<blasint>(c.rows),
            n = static_cast<blasint>(c.cols), k = static_cast<blasint>(a.cols)] {
      gemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans, m, n, k,
           T{1}, a.data, static_cast<blasint>(a.leading), b.data, static_cast<blasint>(b.leading), T{0}, c.data,
           static_cast<blasint>(c.leading));
    };
  }

  template <class T, class Gemm>
  static std::function<void()> products(MatmulBatchWorkload<T>& workload, Gemm gemm) {
    return [gemm, a = workload.a(), b = workload.b(), c = workload.c()] {
      const auto m = static_cast<blasint>(c.first.rows), n = static_cast<blasint>(c.first.cols),
                 k = static_cast<blasint>(a.first.cols);
      for (std::ptrdiff_t i = 0; i < c.count; ++i) {
        gemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, T{1}, a[i].data, k, b[i].data, n, T{0}, c[i].data, n);
      }
    };
  }

  // y = A x.
  template <class T, class Gemv>
  static std::function<void()> with_vector(Gemv gemv, MatrixView<const T> a, const T* x, std::ptrdiff_t x_stride, T* y,
                                           std::ptrdiff_t y_stride) {
    return [=, a = stored(a), rows = static_cast<blasint>(stored(a).transposed ? a.cols : a.rows),
            cols = static_cast<blasint>(stored(a).transposed ? a.rows : a.cols)] {
      gemv(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, rows, cols, T{1}, a.data,
           static_cast<blasint>(a.leading), x, static_cast<blasint>(x_stride), T{0}, y, static_cast<blasint>(y_stride));
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
//
// It knows the processors of its day only, and takes older ones' kernels on any other, so it is told which. Cooper
// Lake's differ from Skylake X's in nothing that a product of floats or doubles uses.
Environment peer_environment(const ChildOptions& options) {
  Environment environment = {{"OPENBLAS_NUM_THREADS", std::to_string(options.threads)},
                             {"OPENBLAS_THREAD_TIMEOUT", "20"}};
  const auto& isas = machine().isas;
  const auto has = [&isas](Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); };
  if (has(Isa::avx512)) {
    environment.emplace_back("OPENBLAS_CORETYPE", "SkylakeX");
  } else if (has(Isa::avx2)) {
    environment.emplace_back("OPENBLAS_CORETYPE", "Haswell");
  }
  return environment;
}

std::unique_ptr<Engine> make_peer(const ChildOptions& options) {
  return std::make_unique<OpenBlasPeer>(options.threads);
}

}  // namespace speedwell::bench
