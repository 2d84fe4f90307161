// SPDX-License-Identifier: Apache-2.0
// The standard library's parallel algorithms as a child of the sweep: libstdc++'s, which run on oneTBB.
#include <execution>
#include <numeric>

#include <tbb/global_control.h>
#include <tbb/version.h>

#include "bench/cases/inclusive_scan_case.hpp"
#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

class PstlPeer final : public Peer {
 public:
  explicit PstlPeer(int threads)
      : Peer(threads), limit_(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)) {}

  std::string version() const override {
    return "libstdc++ " + std::to_string(_GLIBCXX_RELEASE) + " on oneTBB " + TBB_runtime_version();
  }
  std::string isa() const override { return "the compiler's default"; }
  std::string wait_policy() const override { return "oneTBB's own"; }
  bool offers(const Case& which) const override { return which.kernel == "inclusive_scan"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<ScanWorkload<float>*>(&workload)) return scan(*f32);
    if (auto* f64 = dynamic_cast<ScanWorkload<double>*>(&workload)) return scan(*f64);
    if (auto* i32 = dynamic_cast<ScanWorkload<std::int32_t>*>(&workload)) return scan(*i32);
    if (auto* i64 = dynamic_cast<ScanWorkload<std::int64_t>*>(&workload)) return scan(*i64);
    return {};
  }

 private:
  template <class T>
  static std::function<void()> scan(ScanWorkload<T>& workload) {
    return [in = workload.in(), out = workload.out()] {
      std::inclusive_scan(std::execution::par, in.begin(), in.end(), out.begin());
    };
  }

  tbb::global_control limit_;
};

}  // namespace

const char* peer_name() { return "pstl"; }

Environment peer_environment(const ChildOptions&) { return {}; }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<PstlPeer>(options.threads); }

}  // namespace speedwell::bench
