// SPDX-License-Identifier: Apache-2.0
// oneTBB's own algorithms as a child of the sweep, called as its manual does.
#include <functional>

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_scan.h>
#include <tbb/parallel_sort.h>
#include <tbb/version.h>

#include "bench/cases/inclusive_scan_case.hpp"
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
  bool offers(const Case& which) const override { return which.kernel == "inclusive_scan" || which.kernel == "sort"; }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<ScanWorkload<float>*>(&workload)) return scan(*f32);
    if (auto* f64 = dynamic_cast<ScanWorkload<double>*>(&workload)) return scan(*f64);
    if (auto* i32 = dynamic_cast<ScanWorkload<std::int32_t>*>(&workload)) return scan(*i32);
    if (auto* i64 = dynamic_cast<ScanWorkload<std::int64_t>*>(&workload)) return scan(*i64);
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
  static std::function<void()> scan(ScanWorkload<T>& workload) {
    return [in = workload.in(), out = workload.out()] {
      tbb::parallel_scan(
          tbb::blocked_range<std::size_t>(0, in.size()), T{0},
          [&](const tbb::blocked_range<std::size_t>& range, T sum, bool is_final_scan) {
            for (std::size_t i = range.begin(); i != range.end(); ++i) {
              sum += in[i];
              if (is_final_scan) out[i] = sum;
            }
            return sum;
          },
          std::plus<T>());
    };
  }

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
