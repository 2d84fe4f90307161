// SPDX-License-Identifier: Apache-2.0
// Copy and triad as people write them by hand, as a child of the sweep: the compiler's loop, the C library's memcpy,
// the processor's string move, and unrolled vector loops in the manner of likwid-bench, each with ordinary and with
// non-temporal stores. The fastest of them on a case's own data and threads is what is measured.
#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <tuple>
#include <vector>

#include "bench/cases/stream_case.hpp"
#include "bench/child/sampling.hpp"
#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

using std::size_t;

// a = b + scale * c for `count` elements; c is nullptr for a copy.
template <class T>
using Loop = void (*)(T* a, const T* b, const T* c, T scale, size_t count);

template <class T>
void plain(T* __restrict a, const T* __restrict b, const T* __restrict c, T scale, size_t count) {
  if (c == nullptr) {
    for (size_t i = 0; i < count; ++i) a[i] = b[i];
  } else {
    for (size_t i = 0; i < count; ++i) a[i] = b[i] + scale * c[i];
  }
}

template <class T>
void library_copy(T* a, const T* b, const T* c, T scale, size_t count) {
  if (c != nullptr) return plain(a, b, c, scale, count);
  std::memcpy(a, b, count * sizeof(T));
}

template <class T>
void string_move(T* a, const T* b, const T* c, T scale, size_t count) {
  if (c != nullptr) return plain(a, b, c, scale, count);
  size_t bytes = count * sizeof(T);
  asm volatile("rep movsb" : "+D"(a), "+S"(b), "+c"(bytes) : : "memory");
}

// Vectors by GCC's extension, which both g++ and clang have, so that one text serves both element types.
template <class T, int bytes>
using Vector __attribute__((vector_size(bytes), aligned(sizeof(T)), may_alias)) = T;

template <class T>
size_t to_line(const T* a, size_t count) {
  return std::min(count, (64 - reinterpret_cast<std::uintptr_t>(a) % 64) % 64 / sizeof(T));
}

// A cache line an iteration and array, four lines unrolled. One function each, as a target is an attribute of a
// function.
template <class T, bool past_caches>
__attribute__((target("avx512f"))) void lines_avx512(T* a, const T* b, const T* c, T scale, size_t count) {
  constexpr size_t lanes = 64 / sizeof(T);
  size_t i = to_line(a, count);
  plain(a, b, c, scale, i);
  const Vector<T, 64> factor = Vector<T, 64>{} + scale;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    for (size_t line = 0; line < 4; ++line) {
      const size_t at = i + line * lanes;
      Vector<T, 64> value = *reinterpret_cast<const Vector<T, 64>*>(b + at);
      if (c != nullptr) value += factor * *reinterpret_cast<const Vector<T, 64>*>(c + at);
      if constexpr (past_caches) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(a + at), reinterpret_cast<__m512i>(value));
      } else {
        *reinterpret_cast<Vector<T, 64>*>(a + at) = value;
      }
    }
  }
  _mm_sfence();
  plain(a + i, b + i, c == nullptr ? nullptr : c + i, scale, count - i);
}

template <class T, bool past_caches>
__attribute__((target("avx2,fma"))) void lines_avx2(T* a, const T* b, const T* c, T scale, size_t count) {
  constexpr size_t lanes = 32 / sizeof(T);
  size_t i = to_line(a, count);
  plain(a, b, c, scale, i);
  const Vector<T, 32> factor = Vector<T, 32>{} + scale;
  for (; i + 8 * lanes <= count; i += 8 * lanes) {
    for (size_t half = 0; half < 8; ++half) {
      const size_t at = i + half * lanes;
      Vector<T, 32> value = *reinterpret_cast<const Vector<T, 32>*>(b + at);
      if (c != nullptr) value += factor * *reinterpret_cast<const Vector<T, 32>*>(c + at);
      if constexpr (past_caches) {
        _mm256_stream_si256(reinterpret_cast<__m256i*>(a + at), reinterpret_cast<__m256i>(value));
      } else {
        *reinterpret_cast<Vector<T, 32>*>(a + at) = value;
      }
    }
  }
  _mm_sfence();
  plain(a + i, b + i, c == nullptr ? nullptr : c + i, scale, count - i);
}

template <class T>
std::vector<Loop<T>> loops() {
  std::vector<Loop<T>> all = {plain<T>, library_copy<T>, string_move<T>};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    all.insert(all.end(), {lines_avx2<T, false>, lines_avx2<T, true>});
  }
  if (__builtin_cpu_supports("avx512f")) all.insert(all.end(), {lines_avx512<T, false>, lines_avx512<T, true>});
  return all;
}

class LoopsPeer final : public Peer {
 public:
  explicit LoopsPeer(int threads) : Peer(threads), threads_(threads) { omp_set_num_threads(threads); }

  std::string version() const override { return "the fastest of " + std::to_string(loops<double>().size()); }
  std::string isa() const override { return __builtin_cpu_supports("avx512f") ? "avx512" : "avx2, where it is there"; }
  std::string wait_policy() const override { return "OpenMP's; threads ended between samples"; }
  bool offers(const Case& which) const override {
    const std::string_view of = which.kernel == tiny_kernel ? std::string_view(which.variant) : which.kernel;
    return of.starts_with("copy") || of.starts_with("triad");
  }

  std::function<void()> call(Workload& workload) override {
    if (auto* f32 = dynamic_cast<StreamWorkload<float>*>(&workload)) return fastest(*f32);
    if (auto* f64 = dynamic_cast<StreamWorkload<double>*>(&workload)) return fastest(*f64);
    return {};
  }

  void park() override { omp_pause_resource_all(omp_pause_hard); }

 private:
  // Chosen once for each case: loops round differently, and a case that is made again must give the same bits.
  template <class T>
  std::function<void()> fastest(StreamWorkload<T>& workload) {
    const std::vector<Loop<T>> all = loops<T>();
    const auto [chosen, is_new] = chosen_.try_emplace({sizeof(T), workload.a().size(), workload.c().empty()}, 0);
    double best_ns = std::numeric_limits<double>::infinity();
    for (size_t i = 0; is_new && i < all.size(); ++i) {
      const std::function<void()> call = on_all_threads(all[i], workload);
      for (const double ns : {time_of(call), time_of(call), time_of(call)}) {
        if (ns >= best_ns) continue;
        best_ns = ns;
        chosen->second = i;
      }
    }
    return on_all_threads(all[chosen->second], workload);
  }

  // A quiet machine isn't asked for: some milliseconds tell loops apart that differ by half.
  static double time_of(const std::function<void()>& call) {
    constexpr std::int64_t enough_ns = 3'000'000;
    call();
    int calls = 0;
    const std::int64_t begin = wall_ns();
    do {
      call();
      ++calls;
    } while (wall_ns() - begin < enough_ns);
    return static_cast<double>(wall_ns() - begin) / calls;
  }

  // Static shares that begin on cache lines.
  template <class T>
  std::function<void()> on_all_threads(Loop<T> loop, StreamWorkload<T>& workload) {
    T* const a = workload.a().data();
    const T* const b = workload.b().data();
    const T* const c = workload.c().empty() ? nullptr : workload.c().data();
    const size_t count = workload.a().size(), line = 64 / sizeof(T), lines = (count + line - 1) / line;
    const auto threads = static_cast<size_t>(threads_);
    return [=, scale = workload.scale()] {
#pragma omp parallel for schedule(static)
      for (size_t share = 0; share < threads; ++share) {
        const size_t first = std::min(count, lines * share / threads * line);
        const size_t last = std::min(count, lines * (share + 1) / threads * line);
        loop(a + first, b + first, c == nullptr ? nullptr : c + first, scale, last - first);
      }
    };
  }

  int threads_;
  std::map<std::tuple<size_t, size_t, bool>, size_t> chosen_;  // by element size, count and kind
};

}  // namespace

const char* peer_name() { return "loops"; }

Environment peer_environment(const ChildOptions& options) { return openmp_environment(options); }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<LoopsPeer>(options.threads); }

}  // namespace speedwell::bench
