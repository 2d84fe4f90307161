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
    bool streamed;         // whether `out` is written past the caches; not if it is `in`
    T* sums;               // room for `width`
  };

  explicit InclusiveScanBlocks(const Call& call)
      : call_(call), tile_(inclusive_scan_tile<T>()), chunks_((call.count - 1) / chunk + 1) {}

  // One more than there are parts: the first step has no scans, the last one no totals.
  std::ptrdiff_t steps() const { return (chunks_ - 1) / call_.width + 2; }

  std::ptrdiff_t width() const { return std::min(call_.width, chunks_); }

  // Scans chunk i of the part before, then sums up chunk i of this one.
  void run(std::ptrdiff_t step, std::ptrdiff_t i) noexcept {
    const std::ptrdiff_t scanned = (step - 1) * call_.width + i;
    if (scanned >= 0 && scanned < chunks_) {
      participants_.note();
      const std::ptrdiff_t first = scanned * chunk;
      const auto scan = call_.streamed ? tile_.scan_streamed : tile_.scan;
      scan(call_.in + first, call_.out + first, std::min(chunk, call_.count - first), call_.sums[i]);
    }
    const std::ptrdiff_t summed = step * call_.width + i;
    if (summed < chunks_) {
      participants_.note();
      // Nobody needs the last one's.
      call_.sums[i] = summed < chunks_ - 1 ? tile_.total(call_.in + summed * chunk) : T{0};
    }
  }

  // From the totals of a part to its offsets.
  void chain(std::ptrdiff_t step) noexcept {
    const std::ptrdiff_t in_part = std::min(width(), chunks_ - step * call_.width);
    for (std::ptrdiff_t i = 0; i < in_part; ++i) {
      const T total = call_.sums[i];
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
