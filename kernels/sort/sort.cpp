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

enum class Run { none, ascending, descending };

template <class T>
Run run_of(const T* keys, std::ptrdiff_t n) {
  const DistributeTile<T>& tile = distribute_tile<T>();
  if (tile.ascends(keys, n)) return Run::ascending;
  return tile.descends(keys, n) ? Run::descending : Run::none;
}

// Keys that are a run, on the calling thread.
template <class T>
void copy_run(const T* in, T* out, std::ptrdiff_t n, Run run) {
  if (run == Run::ascending) {
    if (in != out) std::copy_n(in, n, out);
  } else if (in == out) {
    std::reverse(out, out + n);
  } else {
    std::reverse_copy(in, in + n, out);
  }
}

// On the calling thread, by quicksort alone.
template <class T>
void sort_at_once(const T* in, T* out, std::ptrdiff_t n, OrderedKeyOf<T>* scratch) {
  if (const Run run = run_of(in, n); run != Run::none) return copy_run(in, out, n, run);
  const DistributeTile<T>& tile = distribute_tile<T>();
  const auto home = reinterpret_cast<OrderedKeyOf<T>*>(out);
  tile.enter(in, n, home);
  quicksort_tile<OrderedInt<T>>()(home, scratch, n, false);
  tile.leave(home, n, out);
}

template <class T>
constinit runtime::Kernel kernel("sort", runtime::element_name<T>);

// Keys that ascend or descend take a pass or two and no sorting. To the picker that is another kernel, or it would call
// threads for work that isn't there.
template <class T>
constinit runtime::Kernel run_kernel("sort_run", runtime::element_name<T>);

// Few different values are sorted in as many levels as those take, however many the keys, while what sharing adds is
// the same. They are sorted as integers of the keys' width.
template <class Int>
constinit runtime::Kernel few_kernel("sort_few", runtime::element_name<Int>);

// Of what the sample of the keys shows: up to 16 values never look like more.
constexpr int most_few = 16;

// Fewer keys are one thread's whatever is picked, and so not looked at for it.
constexpr std::ptrdiff_t least_shared_keys = 2 * SampleSortShape::least_keys;
// Fewer keys of few values gain nothing from threads, and to see what they are takes some 40 ns.
constexpr std::ptrdiff_t least_few_keys = 2 * least_shared_keys;

// What the picker is to know of a pass over keys that may be a run. Within the caches they are where the caller wrote
// them, and to move a part of them to another core takes as long as to look at them here: nothing to share.
template <class T>
runtime::Work run_work(std::span<const T> in, bool in_place) {
  const auto bytes = static_cast<double>(in.size_bytes());
  if (!runtime::beyond_caches(bytes)) return {};
  const bool descending = KeyOrder<T>::key(in.back()) < KeyOrder<T>::key(in.front());
  return {.bytes = in_place && !descending ? bytes : 3 * bytes};
}

struct Decision {
  runtime::Choice choice;
  Run run = Run::none;  // what all keys were found to be on the way
};

// It takes as long as 4 operations a byte for each level. A quarter of that is said: three passes over the keys each
// end with a join. Less for few keys, as what sharing adds, a sample and its buckets, must pay too.
double sorting_flops(double keys, double bytes, double levels) {
  constexpr double sharing_pays = 4e4;
  return bytes * levels * keys / (keys + sharing_pays);
}

template <class T>
Decision choose(std::span<const T> in, bool in_place, const Backend& backend) {
  const auto n = std::ssize(in);
  const auto keys = static_cast<double>(n);
  const auto bytes = static_cast<double>(in.size_bytes());
  if (std::holds_alternative<Automatic>(backend) && n >= least_shared_keys) {
    const KeySample<T> sample(in.data(), n);
    if (sample.is_a_run()) {
      const runtime::Choice choice = runtime::choose(run_kernel<T>, backend, run_work(in, in_place));
      if (choice.threads > 1) return {choice};
      if (const Run run = run_of(in.data(), n); run != Run::none) return {choice, run};
    }
    if (n >= least_few_keys) {
      if (const int values = sample.values(); values <= most_few) {
        const double flops = sorting_flops(keys, bytes, std::log2(values + 1));
        return {runtime::choose(few_kernel<OrderedInt<T>>, backend, {.flops = flops})};
      }
    }
  }
  return {runtime::choose(kernel<T>, backend,
                          {.flops = sorting_flops(keys, bytes, std::log2(keys + 1)), .bytes = 2 * bytes / 4})};
}

template <class T>
void sort_checked(std::span<const T> in, std::span<T> out, const SortOptions& options) {
  const auto n = std::ssize(in);
  constexpr std::ptrdiff_t key_bytes = sizeof(T);
  const double bytes = key_bytes * static_cast<double>(n);
  auto [choice, run] = choose(in, in.data() == out.data(), options.backend);
  if (n == 0) return runtime::record_run(choice, 0);
  if (run != Run::none) {
    copy_run(in.data(), out.data(), n, run);
    return runtime::record_run(choice, 1);
  }
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
