// SPDX-License-Identifier: Apache-2.0
// oneTBB's own algorithms as a child of the sweep, called as its manual does.
#include <functional>

#include <tbb/global_control.h>
#include <tbb/parallel_sort.h>
#include <tbb/version.h>

#include "bench/cases/sort_case.hpp"
#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

class OneTbbPeer final : public Peer {
 public:
  explicit OneTbbPeer(int threads)
      : Peer(threads), limit_(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)) {}

  std::string version() const override { return TBB_runtime_version(); }
  std::string isa() const override { return "the compiler's default"; }
  std::string wait_policy() const override { return "oneTBB's own"; }
  bool offers(const Case& which) const override { return which.kernel == "sort"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<SortWorkload<float>*>(&workload)) return sort(*f32);
    if (auto* i32 = dynamic_cast<SortWorkload<std::int32_t>*>(&workload)) return sort(*i32);
    if (auto* u64 = dynamic_cast<SortWorkload<std::uint64_t>*>(&workload)) return sort(*u64);
    return {};
  }

 private:
  template <class T>
  static std::function<void()> sort(SortWorkload<T>& workload) {
    return [keys = workload.keys()] { tbb::parallel_sort(keys.begin(), keys.end()); };
  }

  tbb::global_control limit_;
};

}  // namespace

const char* peer_name() { return "onetbb"; }

Environment peer_environment(const ChildOptions&) { return {}; }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<OneTbbPeer>(options.threads); }

}  // namespace speedwell::bench
