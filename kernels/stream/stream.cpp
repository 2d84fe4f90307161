// SPDX-License-Identifier: Apache-2.0
#include <speedwell/stream.hpp>

#include <algorithm>
#include <string>
#include <string_view>

#include <speedwell/error.hpp>

#include "kernels/stream/stream_blocks.hpp"
#include "kernels/stream/stream_tile.hpp"
#include "runtime/caches.hpp"
#include "runtime/checks.hpp"
#include "runtime/dispatch.hpp"

namespace speedwell {

namespace stream {
namespace {

// With 4 equal blocks each, a thread that is held up for a quarter of its time leaves the others waiting for a block at
// most.
constexpr std::ptrdiff_t blocks_per_thread = 4;

void check_size(std::string_view function, std::string_view name, std::size_t size, std::string_view output,
                std::size_t expected) {
  if (size == expected) return;
  throw InvalidArgument(std::string(function) + ": " + std::string(name) + " has " + std::to_string(size) +
                        " elements, expected " + std::to_string(expected) + ", as many as " + std::string(output));
}

// 0 .. count - 1 in `blocks` blocks of whole cache lines, if the output begins on one; at most a line apart in size.
struct Cut {
  std::ptrdiff_t count;
  std::ptrdiff_t blocks;
  std::ptrdiff_t line;  // in elements

  std::ptrdiff_t lines() const { return (count + line - 1) / line; }
  std::ptrdiff_t begin(std::ptrdiff_t block) const {
    return std::min(count, (lines() / blocks * block + std::min(block, lines() % blocks)) * line);
  }
};

template <class T>
constinit runtime::Kernel copy_kernel("copy", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel triad_kernel("triad", runtime::element_name<T>);

// Runs body(first, count) on all of 0 .. count - 1, in blocks.
template <class T, class Body>
void run(runtime::Kernel& kernel, std::ptrdiff_t count, runtime::Work work, const Backend& backend, const Body& body) {
  struct Call {
    const Body& body;
    Cut cut;
    runtime::Participants& participants;

    static void run_block(const void* call, std::ptrdiff_t block) noexcept {
      const auto& [body, cut, participants] = *static_cast<const Call*>(call);
      participants.note();
      const std::ptrdiff_t first = cut.begin(block);
      body(first, cut.begin(block + 1) - first);
    }
  };
  runtime::Choice choice = runtime::choose(kernel, backend, work);
  if (count == 0) return runtime::record_run(choice, 0);
  Cut cut = {.count = count, .blocks = 1, .line = 64 / sizeof(T)};
  choice.limit_threads(cut.lines());
  if (choice.threads > 1) cut.blocks = std::min(blocks_per_thread * choice.threads, cut.lines());
  runtime::Participants participants;
  const Call call = {body, cut, participants};
  const StreamBlocks blocks = {cut.blocks, &call, Call::run_block};
  runtime::run_on(choice, participants, [&](auto model) { stream_on(model, blocks); });
}

template <class T>
void copy_of(std::span<const T> in, std::span<T> out, const CopyOptions& options) {
  runtime::check_span("copy", "in", in);
  runtime::check_span("copy", "out", out);
  check_size("copy", "in", in.size(), "out", out.size());
  runtime::check_apart("copy", "out", out, "in", in);
  const double bytes = 2.0 * static_cast<double>(out.size_bytes());
  const Store store = runtime::beyond_caches(bytes) ? Store::streaming : Store::cached;
  run<T>(copy_kernel<T>, static_cast<std::ptrdiff_t>(out.size()), {.flops = 0, .bytes = bytes}, options.backend,
         [in = in.data(), out = out.data(), store, &tile = stream_tile<T>()](
             std::ptrdiff_t first, std::ptrdiff_t count) { tile.copy(in + first, out + first, count, store); });
}

template <class T>
void triad_of(std::span<const T> b, std::span<const T> c, std::span<T> a, const TriadOptions& options) {
  runtime::check_span("triad", "b", b);
  runtime::check_span("triad", "c", c);
  runtime::check_span("triad", "a", a);
  check_size("triad", "b", b.size(), "a", a.size());
  check_size("triad", "c", c.size(), "a", a.size());
  if (a.data() != b.data()) runtime::check_apart("triad", "a", a, "b", b);
  if (a.data() != c.data()) runtime::check_apart("triad", "a", a, "c", c);
  const bool in_place = a.data() == b.data() || a.data() == c.data();
  const double bytes = 3.0 * static_cast<double>(a.size_bytes());
  // In place, the lines of `a` are in the caches already.
  const Store store = !in_place && runtime::beyond_caches(bytes) ? Store::streaming : Store::cached;
  run<T>(triad_kernel<T>, static_cast<std::ptrdiff_t>(a.size()),
         {.flops = 2.0 * static_cast<double>(a.size()), .bytes = bytes}, options.backend,
         [a = a.data(), b = b.data(), c = c.data(), scale = static_cast<T>(options.scale), store,
          &tile = stream_tile<T>()](std::ptrdiff_t first, std::ptrdiff_t count) {
           tile.triad(b + first, c + first, a + first, count, scale, store);
         });
}

}  // namespace
}  // namespace stream

void copy(std::span<const float> in, std::span<float> out, const CopyOptions& options) {
  stream::copy_of(in, out, options);
}

void copy(std::span<const double> in, std::span<double> out, const CopyOptions& options) {
  stream::copy_of(in, out, options);
}

void triad(std::span<const float> b, std::span<const float> c, std::span<float> a, const TriadOptions& options) {
  stream::triad_of(b, c, a, options);
}

void triad(std::span<const double> b, std::span<const double> c, std::span<double> a, const TriadOptions& options) {
  stream::triad_of(b, c, a, options);
}

}  // namespace speedwell
