// SPDX-License-Identifier: Apache-2.0
// How a scan is cut into work that threads can share.
//
// A chunk's total can be had at any time, its scan only once the totals of all before it are known. So the array is
// gone through part by part, each a run of chunks that fits in the threads' caches: first its totals, in parallel; then
// its offsets, one after the other; then its scans, in parallel, whose input is still in the caches. A part's scans and
// the next part's totals are one step, so that the threads meet once a part:
//
//   for each step
//     run(step, i)   for each i < width(), in any order, at the same time; best if a thread gets the same i each step
//     chain(step)    by one thread, when all of those are done
#pragma once

#include <algorithm>
#include <cstddef>

#include <speedwell/backend.hpp>

#include "kernels/inclusive_scan/inclusive_scan_tile.hpp"
#include "runtime/dispatch.hpp"

namespace speedwell {

template <class T>
class InclusiveScanBlocks {
 public:
  static constexpr std::ptrdiff_t chunk = InclusiveScanTile<T>::chunk;

  // What is scanned, and how it is gone through, which the result doesn't depend on.
  struct Call {
    const T* in;
    T* out;
    std::ptrdiff_t count;  // at least 1
    std::ptrdiff_t width;  // chunks in a part, at least 1
    bool streamed;         // whether `out` is written past the caches; not if it is `in` or isn't aligned for it
    T* sums;               // room for `width`
  };

  explicit InclusiveScanBlocks(const Call& call)
      : call_(call), tile_(inclusive_scan_tile<T>()), chunks_((call.count - 1) / chunk + 1) {}

  // One more than there are parts: the first step has no scans, the last one no totals.
  std::ptrdiff_t steps() const { return (chunks_ - 1) / call_.width + 2; }

  std::ptrdiff_t width() const { return std::min(call_.width, chunks_); }

  // Scans chunk i of the part before, then sums up chunk i of this one, which is fetched meanwhile: so the memory is
  // read from and written to at the same time.
  void run(std::ptrdiff_t step, std::ptrdiff_t i) noexcept {
    const std::ptrdiff_t scanned = (step - 1) * call_.width + i;
    const std::ptrdiff_t summed = scanned + call_.width;
    const bool sums_up = summed < chunks_ - 1;  // nobody needs the last one's total
    if (scanned >= 0 && scanned < chunks_) {
      participants_.note();
      const T* const in = call_.in + scanned * chunk;
      const T* const ahead = sums_up ? call_.in + summed * chunk : in;
      const std::ptrdiff_t count = std::min(chunk, call_.count - scanned * chunk);
      const auto scan = call_.streamed ? tile_.scan_streamed : tile_.scan;
      scan(in, call_.out + scanned * chunk, count, call_.sums[i], ahead);
    }
    if (sums_up) {
      participants_.note();
      call_.sums[i] = tile_.total(call_.in + summed * chunk);
    }
  }

  // From the totals of a part to its offsets, and the next part's first.
  void chain(std::ptrdiff_t step) noexcept {
    const std::ptrdiff_t first = step * call_.width;
    for (std::ptrdiff_t i = 0; i < width() && first + i < chunks_; ++i) {
      const T total = first + i < chunks_ - 1 ? call_.sums[i] : T{0};
      call_.sums[i] = offset_;
      offset_ += total;
    }
  }

  const runtime::Participants& participants() const { return participants_; }

 private:
  Call call_;
  const InclusiveScanTile<T>& tile_;
  std::ptrdiff_t chunks_;
  T offset_ = 0;  // of the chunk after those chained
  runtime::Participants participants_;
};

template <class T>
void inclusive_scan_on(Sequential model, InclusiveScanBlocks<T>& blocks);
template <class T>
void inclusive_scan_on(Threads model, InclusiveScanBlocks<T>& blocks);
template <class T>
void inclusive_scan_on(OpenMp model, InclusiveScanBlocks<T>& blocks);
template <class T>
void inclusive_scan_on(Tbb model, InclusiveScanBlocks<T>& blocks);

}  // namespace speedwell
