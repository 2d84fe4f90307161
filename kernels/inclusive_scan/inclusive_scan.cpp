// SPDX-License-Identifier: Apache-2.0
#include <speedwell/inclusive_scan.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include <speedwell/error.hpp>

#include "kernels/inclusive_scan/inclusive_scan_blocks.hpp"
#include "kernels/inclusive_scan/inclusive_scan_tile.hpp"
#include "runtime/caches.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

namespace {

template <class T>
void check(std::span<const T> in, std::span<T> out) {
  runtime::check_span("inclusive_scan", "in", in);
  runtime::check_span("inclusive_scan", "out", out);
  if (out.size() != in.size()) {
    throw InvalidArgument("inclusive_scan: out has " + std::to_string(out.size()) + " elements, expected " +
                          std::to_string(in.size()) + ", as in has");
  }
  if (out.data() != in.data()) runtime::check_apart("inclusive_scan", "out", out, "in", in);
}

// Chunks in a part, as many for each thread: half of its second-level cache, the other half being for the output, and
// for the next part, which comes in meanwhile. One thread alone finds a chunk in its first-level cache.
std::ptrdiff_t part_width(const runtime::Choice& choice, std::ptrdiff_t chunks, std::ptrdiff_t chunk_bytes) {
  if (std::holds_alternative<Sequential>(choice.model)) return 1;
  constexpr std::ptrdiff_t least_known_cache = 262144;
  const auto cache = static_cast<std::ptrdiff_t>(runtime::cache_bytes(2));
  const std::ptrdiff_t most = choice.threads * (std::max(cache, least_known_cache) / 2 / chunk_bytes);
  const std::ptrdiff_t parts = (chunks - 1) / most + 1;
  return ((chunks - 1) / (parts * choice.threads) + 1) * choice.threads;
}

// In place the lines to be written are in the caches anyway.
template <class T>
bool streams(std::span<const T> in, std::span<T> out) {
  return out.data() != in.data() && runtime::beyond_caches(2.0 * static_cast<double>(in.size_bytes())) &&
         reinterpret_cast<std::uintptr_t>(out.data()) % InclusiveScanTile<T>::stream_alignment == 0;
}

template <class T>
constinit runtime::Kernel kernel("inclusive_scan", runtime::element_name<T>);

template <class T>
void scan(std::span<const T> in, std::span<T> out, const InclusiveScanOptions& options) {
  // Signed integers as unsigned ones, which may overflow.
  using Element =
      typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;
  using Blocks = InclusiveScanBlocks<Element>;
  check(in, out);
  const auto count = static_cast<std::ptrdiff_t>(in.size());
  const auto n = static_cast<double>(count);
  runtime::Choice choice = runtime::choose(kernel<T>, options.backend, {.flops = 4 * n, .bytes = 2 * sizeof(T) * n});
  if (count == 0) return runtime::record_run(choice, 0);

  const std::ptrdiff_t chunks = (count - 1) / Blocks::chunk + 1;
  choice.limit_threads(chunks);
  const std::ptrdiff_t width = part_width(choice, chunks, Blocks::chunk * std::ptrdiff_t{sizeof(T)});
  std::optional<runtime::LeasedBuffer> leased;
  Element one_sum;
  Element* sums = &one_sum;
  if (width > 1) {
    leased.emplace(static_cast<std::size_t>(width) * sizeof(T));
    sums = reinterpret_cast<Element*>(leased->data());
  }
  Blocks blocks({
      .in = reinterpret_cast<const Element*>(in.data()),
      .out = reinterpret_cast<Element*>(out.data()),
      .count = count,
      .width = width,
      .streamed = streams(in, out),
      .sums = sums,
  });
  runtime::run_on(choice, blocks.participants(), [&](auto model) { inclusive_scan_on(model, blocks); });
}

}  // namespace

void inclusive_scan(std::span<const float> in, std::span<float> out, const InclusiveScanOptions& options) {
  scan(in, out, options);
}

void inclusive_scan(std::span<const double> in, std::span<double> out, const InclusiveScanOptions& options) {
  scan(in, out, options);
}

void inclusive_scan(std::span<const std::int32_t> in, std::span<std::int32_t> out,
                    const InclusiveScanOptions& options) {
  scan(in, out, options);
}

void inclusive_scan(std::span<const std::int64_t> in, std::span<std::int64_t> out,
                    const InclusiveScanOptions& options) {
  scan(in, out, options);
}

}  // namespace speedwell
