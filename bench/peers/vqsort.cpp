// SPDX-License-Identifier: Apache-2.0
// Highway's vqsort as a child of the sweep. It knows one thread.
#include <hwy/contrib/sort/vqsort.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include "bench/cases/sort_case.hpp"
#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

class VqsortPeer final : public Peer {
 public:
  explicit VqsortPeer(int threads) : Peer(threads), threads_(threads) {}

  std::string version() const override {
    return std::to_string(HWY_MAJOR) + "." + std::to_string(HWY_MINOR) + "." + std::to_string(HWY_PATCH);
  }
  // The best of its targets that this processor has.
  std::string isa() const override {
    const std::int64_t supported = hwy::SupportedTargets();
    return hwy::TargetName(supported & -supported);
  }
  std::string wait_policy() const override { return "no threads"; }
  bool offers(const Case& which) const override { return threads_ == 1 && which.kernel == "sort"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<SortWorkload<float>*>(&workload)) return sort(*f32);
    if (auto* i32 = dynamic_cast<SortWorkload<std::int32_t>*>(&workload)) return sort(*i32);
    if (auto* u32 = dynamic_cast<SortWorkload<std::uint32_t>*>(&workload)) return sort(*u32);
    if (auto* i64 = dynamic_cast<SortWorkload<std::int64_t>*>(&workload)) return sort(*i64);
    if (auto* u64 = dynamic_cast<SortWorkload<std::uint64_t>*>(&workload)) return sort(*u64);
    if (auto* f64 = dynamic_cast<SortWorkload<double>*>(&workload)) return sort(*f64);
    return {};
  }

 private:
  template <class T>
  static std::function<void()> sort(SortWorkload<T>& workload) {
    return [keys = workload.keys()] { hwy::Sorter()(keys.data(), keys.size(), hwy::SortAscending()); };
  }

  int threads_;
};

}  // namespace

const char* peer_name() { return "vqsort"; }

Environment peer_environment(const ChildOptions&) { return {}; }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<VqsortPeer>(options.threads); }

}  // namespace speedwell::bench
