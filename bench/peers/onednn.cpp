// SPDX-License-Identifier: Apache-2.0
// oneDNN's matrix product as a child of the sweep: of floats, as it has none of doubles.
#include <stdexcept>

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

struct NamedIsa {
  dnnl_cpu_isa_t isa;
  const char* name;
};
constexpr NamedIsa isas[] = {
    {dnnl_cpu_isa_sse41, "SSE4.1"},
    {dnnl_cpu_isa_avx, "AVX"},
    {dnnl_cpu_isa_avx2, "AVX2"},
    {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"},
    {dnnl_cpu_isa_avx512_core, "AVX-512"},
    {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
    {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"},
    {dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX"},
};

class OneDnnPeer final : public Peer {
 public:
  using Peer::Peer;

  std::string version() const override {
    const dnnl_version_t& version = *dnnl_version();
    return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
  }
  std::string isa() const override {
    const dnnl_cpu_isa_t effective = dnnl_get_effective_cpu_isa();
    for (const NamedIsa& each : isas) {
      if (each.isa == effective) return each.name;
    }
    return "its number " + std::to_string(static_cast<int>(effective));
  }
  std::string wait_policy() const override { return "OpenMP's default: spins some milliseconds, then sleeps"; }
  bool offers(const Case& which) const override {
    return (which.kernel == "matmul" || which.kernel == "matmul_batch") && which.precision == "f32";
  }

  std::function<void()> call(Workload& workload) override {
    if (auto* const one = dynamic_cast<MatmulWorkload<float>*>(&workload)) {
      return [a = stored(one->a()), b = stored(one->b()), c = stored(one->c()), m = one->c().rows, n = one->c().cols,
              k = one->a().cols] {
        const auto letter = [](bool transposed) { return transposed ? 'T' : 'N'; };
        check(dnnl_sgemm(letter(a.transposed), letter(b.transposed), m, n, k, 1, a.data, a.leading, b.data, b.leading,
                         0, c.data, c.leading));
      };
    }
    if (auto* const many = dynamic_cast<MatmulBatchWorkload<float>*>(&workload)) {
      return [a = many->a(), b = many->b(), c = many->c()] {
        const std::ptrdiff_t m = c.first.rows, n = c.first.cols, k = a.first.cols;
        for (std::ptrdiff_t i = 0; i < c.count; ++i) {
          check(dnnl_sgemm('N', 'N', m, n, k, 1, a[i].data, k, b[i].data, n, 0, c[i].data, n));
        }
      };
    }
    return {};
  }

 private:
  static void check(dnnl_status_t status) {
    if (status != dnnl_success) throw std::runtime_error("dnnl_sgemm: " + std::string(dnnl_status2str(status)));
  }
};

}  // namespace

const char* peer_name() { return "onednn"; }

Environment peer_environment(const ChildOptions& options) {
  Environment environment = openmp_environment(options);
  // The best that it knows, whatever the caller's environment says.
  environment.emplace_back("ONEDNN_MAX_CPU_ISA", "DEFAULT");
  return environment;
}

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<OneDnnPeer>(options.threads); }

}  // namespace speedwell::bench
