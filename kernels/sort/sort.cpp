// SPDX-License-Identifier: Apache-2.0
#include <speedwell/sort.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include <speedwell/error.hpp>

#include "kernels/sort/sample_sort.hpp"
#include "runtime/caches.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

namespace {

// The bytes of keys that a bucket should have at most. Quicksort's first levels stream through the next cache at about
// the speed of their arithmetic, so that several times what fits the second one cost less than more buckets do. At
// least so many that a sample is a small part of them.
std::ptrdiff_t most_bytes_a_bucket() {
  constexpr std::size_t usual_cache = 1 << 20, least = 1 << 16;
  const std::size_t cache = runtime::cache_bytes(2);
  return static_cast<std::ptrdiff_t>(std::max(8 * (cache > 0 ? cache : usual_cache), least));
}

// On the calling thread, by quicksort alone.
template <class T>
void sort_at_once(const T* in, T* out, std::ptrdiff_t n, OrderedKeyOf<T>* scratch) {
  const DistributeTile<T>& tile = distribute_tile<T>();
  if (tile.ascends(in, n)) {
    if (in != out) std::copy_n(in, n, out);
  } else if (tile.descends(in, n)) {
    if (in == out) {
      std::reverse(out, out + n);
    } else {
      std::reverse_copy(in, in + n, out);
    }
  } else {
    const auto home = reinterpret_cast<OrderedKeyOf<T>*>(out);
    tile.enter(in, n, home);
    quicksort_tile<OrderedInt<T>>()(home, scratch, n, false);
    tile.leave(home, n, out);
  }
}

template <class T>
constinit runtime::Kernel kernel("sort", runtime::element_name<T>);

// Keys that ascend or descend take a pass or two and no sorting. To the picker that is another kernel, or it would call
// threads for work that isn't there.
template <class T>
constinit runtime::Kernel run_kernel("sort_run", runtime::element_name<T>);

// Whether some of the keys ascend or descend, so that it's worth looking if all do.
template <class T>
bool may_be_a_run(std::span<const T> in) {
  constexpr std::size_t samples = 32;
  if (in.size() < samples) return false;
  T sample[samples];
  for (std::size_t i = 0; i < samples; ++i) sample[i] = in[(in.size() - 1) * i / (samples - 1)];
  const DistributeTile<T>& tile = distribute_tile<T>();
  return tile.ascends(sample, samples) || tile.descends(sample, samples);
}

template <class T>
runtime::Choice choose(std::span<const T> in, const Backend& backend) {
  const auto n = std::ssize(in);
  const auto bytes = static_cast<double>(in.size_bytes());
  if (std::holds_alternative<Automatic>(backend) && may_be_a_run(in)) {
    const runtime::Choice choice = runtime::choose(run_kernel<T>, backend, {.bytes = 2 * bytes});
    const DistributeTile<T>& tile = distribute_tile<T>();
    if (choice.threads > 1 || tile.ascends(in.data(), n) || tile.descends(in.data(), n)) return choice;
  }
  // It takes as long as 4 operations a byte for each of log2(n) levels. A quarter of that is said: three passes over
  // the keys each end with a join. Less for few keys, as what sharing adds, a sample and its buckets, must pay too.
  constexpr double sharing_pays = 4e4;
  const auto keys = static_cast<double>(n);
  const double levels = std::log2(keys + 1) * keys / (keys + sharing_pays);
  return runtime::choose(kernel<T>, backend, {.flops = bytes * levels, .bytes = 2 * bytes / 4});
}

template <class T>
void sort_checked(std::span<const T> in, std::span<T> out, const SortOptions& options) {
  const auto n = std::ssize(in);
  constexpr std::ptrdiff_t key_bytes = sizeof(T);
  const double bytes = key_bytes * static_cast<double>(n);
  runtime::Choice choice = choose(in, options.backend);
  if (n == 0) return runtime::record_run(choice, 0);
  runtime::Participants participants;
  choice.limit_threads(n / SampleSortShape::least_keys);

  const std::ptrdiff_t at_once = most_bytes_a_bucket();
  // One thread is faster without buckets until each level goes through the memory.
  if (choice.threads == 1 && !runtime::beyond_caches(bytes / 2)) {
    // What is large isn't left to the thread, which may never sort again.
    std::optional<runtime::LeasedBuffer> shared;
    if (bytes > static_cast<double>(at_once)) shared.emplace(in.size_bytes());
    std::byte* const memory = shared ? shared->data() : runtime::thread_workspace(in.size_bytes());
    return runtime::run_on(choice, participants, [&](auto) {
      participants.note();
      sort_at_once(in.data(), out.data(), n, reinterpret_cast<OrderedKeyOf<T>*>(memory));
    });
  }
  const SampleSortShape shape(n, key_bytes, at_once, choice.threads);
  const runtime::LeasedBuffer memory(shape.bytes());
  SampleSort<T> passes(in.data(), out.data(), shape, memory.data(), participants);
  runtime::run_on(choice, participants, [&](auto model) { sort_on(model, passes); });
}

template <class T>
void sort_in_place(std::span<T> keys, const SortOptions& options) {
  runtime::check_span("sort", "keys", keys);
  sort_checked<T>(keys, keys, options);
}

template <class T>
void sort_into(std::span<const T> in, std::span<T> out, const SortOptions& options) {
  runtime::check_span("sort", "in", in);
  runtime::check_span("sort", "out", out);
  if (in.size() != out.size()) {
    throw InvalidArgument("sort: out has " + std::to_string(out.size()) + " keys, expected as many as in, " +
                          std::to_string(in.size()));
  }
  if (in.data() != out.data()) runtime::check_apart("sort", "out", out, "in", in);
  sort_checked(in, out, options);
}

}  // namespace

using Options = SortOptions;

void sort(std::span<float> keys, const Options& options) { sort_in_place(keys, options); }
void sort(std::span<double> keys, const Options& options) { sort_in_place(keys, options); }
void sort(std::span<std::int32_t> keys, const Options& options) { sort_in_place(keys, options); }
void sort(std::span<std::uint32_t> keys, const Options& options) { sort_in_place(keys, options); }
void sort(std::span<std::int64_t> keys, const Options& options) { sort_in_place(keys, options); }
void sort(std::span<std::uint64_t> keys, const Options& options) { sort_in_place(keys, options); }

void sort(std::span<const float> in, std::span<float> out, const Options& options) { sort_into(in, out, options); }
void sort(std::span<const double> in, std::span<double> out, const Options& options) { sort_into(in, out, options); }
void sort(std::span<const std::int32_t> in, std::span<std::int32_t> out, const Options& options) {
  sort_into(in, out, options);
}
void sort(std::span<const std::uint32_t> in, std::span<std::uint32_t> out, const Options& options) {
  sort_into(in, out, options);
}
void sort(std::span<const std::int64_t> in, std::span<std::int64_t> out, const Options& options) {
  sort_into(in, out, options);
}
void sort(std::span<const std::uint64_t> in, std::span<std::uint64_t> out, const Options& options) {
  sort_into(in, out, options);
}

}  // namespace speedwell
