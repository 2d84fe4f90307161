// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/ceiling_case.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>

#include "bench/cases/buffer.hpp"
#include "bench/cases/ceiling_tile.hpp"
#include "runtime/dispatch.hpp"
#include "runtime/scaling/case_study.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::bench {
namespace {

// Ceilings run on Sequential and on Threads with an explicit count.
int threads_of(const Backend& backend) {
  const auto* pool = std::get_if<Threads>(&backend);
  return pool == nullptr ? 1 : pool->threads;
}

// Calls body(share) for as many shares as threads, and counts the threads that took part.
template <class Body>
int on_each_thread(int threads, Body body) {
  runtime::Participants participants;
  runtime::thread_pool().parallel_for(threads, threads, [&](std::ptrdiff_t share) {
    participants.note();
    body(share);
  });
  return participants.count();
}

// Steps of a call, over all threads together. Divisible by 1 to 16; a few milliseconds on one core, so that a fork-join
// of some microseconds is little of it with 64 threads too.
constexpr std::ptrdiff_t total_steps = 4 * 720'720;

constexpr std::ptrdiff_t max_lanes = 64 / sizeof(float);

template <class T>
class Chains final : public Workload {
 public:
  Chains() : tile_(fma_tile(T())), outputs_(speedwell::max_threads * stride) {}

  void run(const Backend& backend) override {
    shares_ = threads_of(backend);
    used_ = on_each_thread(shares_, [this](std::ptrdiff_t share) {
      std::array<T, stride> x;
      for (std::ptrdiff_t i = 0; i < stride; ++i) x[static_cast<std::size_t>(i)] = start(share, i);
      tile_.chains(x.data(), static_cast<std::size_t>(steps(shares_)));
      std::copy(x.begin(), x.end(), outputs_.data() + share * stride);
    });
  }

  int threads_used() const override { return used_; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < elements(); i += step) outputs_.data()[i] = std::numeric_limits<T>::quiet_NaN();
  }

  // One lane of each chain of each thread, a different one from chain to chain, step by step.
  std::string verify() const override {
    for (std::ptrdiff_t share = 0; share < shares_; ++share) {
      std::array<T, fma_chains> got;
      for (std::size_t chain = 0; chain < fma_chains; ++chain) {
        got[chain] = outputs_.data()[share * stride + checked_lane(chain)];
      }
      constexpr auto constant = static_cast<T>(fma_constant);
      const auto rounded_twice = [](T x) {
        const T square = x * x;
        return constant - square;
      };
      const auto rounded_once = [](T x) { return std::fma(-x, x, constant); };
      // Without fused multiply-add in the instruction set, each step rounds twice.
      if (got == ends(share, rounded_twice)) continue;
      const auto expected = ends(share, rounded_once);
      const auto differ = std::mismatch(got.begin(), got.end(), expected.begin());
      if (differ.first == got.end()) continue;
      return "chain " + std::to_string(differ.first - got.begin()) + " of thread " + std::to_string(share) +
             " ends at " + std::to_string(*differ.first) + ", expected " + std::to_string(*differ.second);
    }
    return {};
  }

  std::uint64_t output_hash() const override {
    return hash_bytes(std::as_bytes(std::span<const T>(outputs_.data(), elements())));
  }

  std::size_t bytes() const override { return outputs_.bytes(); }

 private:
  static constexpr std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(fma_chains) * max_lanes;

  static std::ptrdiff_t steps(int threads) { return (total_steps + threads - 1) / threads; }

  static T start(std::ptrdiff_t share, std::ptrdiff_t i) {
    return static_cast<T>((static_cast<double>(i) + 0.5) / stride + static_cast<double>(share) / 4096);
  }

  std::ptrdiff_t checked_lane(std::size_t chain) const {
    return static_cast<std::ptrdiff_t>(chain * tile_.lanes + chain % tile_.lanes);
  }

  template <class Step>
  std::array<T, fma_chains> ends(std::ptrdiff_t share, Step step) const {
    std::array<T, fma_chains> x;
    for (std::size_t chain = 0; chain < fma_chains; ++chain) x[chain] = start(share, checked_lane(chain));
    for (std::ptrdiff_t i = 0; i < steps(shares_); ++i) {
      for (T& each : x) each = step(each);
    }
    return x;
  }

  std::size_t elements() const { return static_cast<std::size_t>(shares_ * stride); }

  const FmaTile<T>& tile_;
  Buffer<T> outputs_;
  int shares_ = 1;
  int used_ = 0;
};

constexpr std::ptrdiff_t line = 64 / sizeof(double), page = 4096 / sizeof(double);

constexpr std::ptrdiff_t round_up(std::ptrdiff_t count, std::ptrdiff_t to) { return (count + to - 1) / to * to; }

// What a call streams: so many doubles of each kind, divided among the threads by lines, so many times.
struct Traffic {
  std::ptrdiff_t reads = 0;
  std::ptrdiff_t writes = 0;
  std::ptrdiff_t passes = 1;
  bool past_caches = false;

  double bytes() const { return static_cast<double>((reads + writes) * passes) * sizeof(double); }
};

// Memory for the streams of one thread count: for each thread a part to read and a part to write, which that thread
// touches first, and no more of it than is asked for. All ceilings in a process share it, as each would else hold a
// hundred megabytes that it seldom uses.
class Arena {
 public:
  Arena(int threads, std::ptrdiff_t reads, std::ptrdiff_t writes)
      : threads_(threads),
        reads_stride_(round_up(reads, huge_page)),
        writes_stride_(round_up(writes + write_offset, huge_page)),
        reads_(threads * reads_stride_),
        writes_(threads * writes_stride_) {}

  const double* reads(std::ptrdiff_t share) const { return reads_.data() + share * reads_stride_; }
  double* writes(std::ptrdiff_t share) { return writes_.data() + share * writes_stride_ + write_offset; }
  const double* writes(std::ptrdiff_t share) const { return writes_.data() + share * writes_stride_ + write_offset; }

  // Makes at least so much of each thread's parts hold values.
  void touch(std::ptrdiff_t reads, std::ptrdiff_t writes) {
    in_shares(threads_, threads_, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t share = first; share < last; ++share) {
        double* const b = reads_.data() + share * reads_stride_;
        for (std::ptrdiff_t i = touched_reads_; i < reads; ++i) b[i] = read_value(share, i);
        for (std::ptrdiff_t i = touched_writes_; i < writes; ++i) this->writes(share)[i] = unwritten;
      }
    });
    touched_reads_ = std::max(touched_reads_, reads);
    touched_writes_ = std::max(touched_writes_, writes);
  }

  std::size_t touched_bytes() const {
    return static_cast<std::size_t>(threads_ * (touched_reads_ + touched_writes_)) * sizeof(double);
  }

  // Small integers, so that every sum is exact; other ones for each thread.
  static double read_value(std::ptrdiff_t share, std::ptrdiff_t i) {
    return static_cast<double>((i + 37 * share) & 1023);
  }

  static constexpr double unwritten = -1;

 private:
  static constexpr std::ptrdiff_t huge_page = (2 << 20) / sizeof(double);
  // Half a page away from what is read: a processor takes a load for one of a store before it that agrees with it in
  // the lowest twelve bits of the address, and waits.
  static constexpr std::ptrdiff_t write_offset = page / 2;

  int threads_;
  std::ptrdiff_t reads_stride_, writes_stride_;
  Buffer<double> reads_, writes_;
  std::ptrdiff_t touched_reads_ = 0, touched_writes_ = 0;
};

// The process's arena for so many threads, as long as somebody holds it. The capacity must be the same in every call.
std::shared_ptr<Arena> arena_of(int threads, std::ptrdiff_t reads, std::ptrdiff_t writes) {
  static std::mutex mutex;
  static std::map<int, std::weak_ptr<Arena>> arenas;
  const std::lock_guard guard(mutex);
  std::shared_ptr<Arena> arena = arenas[threads].lock();
  if (arena == nullptr) arenas[threads] = arena = std::make_shared<Arena>(threads, reads, writes);
  return arena;
}

class Streams final : public Workload {
 public:
  // `capacity` is the most that any of the streams reads and writes.
  Streams(const Traffic& traffic, const Traffic& capacity, int threads)
      : traffic_(traffic),
        tile_(traffic.past_caches ? uncached_streams() : cached_streams()),
        threads_(threads),
        arena_(arena_of(threads, of_thread(capacity.reads) + 2 * page, of_thread(capacity.writes))),
        sums_(static_cast<std::size_t>(threads), Arena::unwritten) {
    // What begins a page further than it would, and what is copied where nothing is read.
    arena_->touch(of_thread(traffic.reads) + 2 * page, of_thread(traffic.writes));
  }

  void run(const Backend& backend) override {
    if (threads_of(backend) != threads_) {
      throw InvalidArgument("streams were made for " + std::to_string(threads_) + " threads, not for " +
                            std::to_string(threads_of(backend)));
    }
    used_ = on_each_thread(threads_, [this](std::ptrdiff_t share) { stream(share); });
  }

  int threads_used() const override { return used_; }

  // The output is each thread's sum, and then what each has written.
  void spoil(std::size_t first, std::size_t step) override {
    std::size_t begin = 0;
    const auto spoil_part = [&](double* part, std::size_t count) {
      for (; first < begin + count; first += step) part[first - begin] = Arena::unwritten;
      begin += count;
    };
    spoil_part(sums_.data(), sums_.size());
    for (int share = 0; share < threads_; ++share) {
      spoil_part(arena_->writes(share), static_cast<std::size_t>(share_of(traffic_.writes, share)));
    }
  }

  std::string verify() const override {
    for (int share = 0; share < threads_; ++share) {
      if (const std::string wrong = verify(share); !wrong.empty()) return wrong;
    }
    return {};
  }

  std::uint64_t output_hash() const override {
    std::vector<std::uint64_t> hashes = {hash_bytes(std::as_bytes(std::span(sums_)))};
    for (int share = 0; share < threads_; ++share) {
      const auto count = static_cast<std::size_t>(share_of(traffic_.writes, share));
      hashes.push_back(hash_bytes(std::as_bytes(std::span(arena_->writes(share), count))));
    }
    return hash_bytes(std::as_bytes(std::span<const std::uint64_t>(hashes)));
  }

  // Its part of the arena, so that all who share it hold it once.
  std::size_t bytes() const override {
    return arena_->touched_bytes() / static_cast<std::size_t>(std::max(1L, arena_.use_count()));
  }

 private:
  static constexpr double factor = 3;

  std::ptrdiff_t of_thread(std::ptrdiff_t total) const {
    return round_up((total + threads_ - 1) / threads_, line) + line;
  }

  // Shares are of whole lines.
  std::ptrdiff_t share_of(std::ptrdiff_t total, std::ptrdiff_t share) const {
    const std::ptrdiff_t lines = total / line;
    return (lines * (share + 1) / threads_ - lines * share / threads_) * line;
  }

  // A triad's are two for each that it writes.
  std::ptrdiff_t reads_of(std::ptrdiff_t share) const {
    if (traffic_.reads == 2 * traffic_.writes) return 2 * share_of(traffic_.writes, share);
    return share_of(traffic_.reads, share);
  }

  // Where the second stream of a triad begins: on a page as the first does.
  static std::ptrdiff_t second(std::ptrdiff_t writes) { return round_up(writes, page); }

  // A part of a share: so much is copied from what is read, over and over if it is less; what is read beyond is summed.
  struct Block {
    std::ptrdiff_t read, reads, write, writes;
  };

  template <class Body>
  static void for_each_block(std::ptrdiff_t reads, std::ptrdiff_t writes, Body body) {
    constexpr std::ptrdiff_t block = 2048;  // half of a first-level cache, so that nothing is fetched twice
    const std::ptrdiff_t count = (reads + writes + block - 1) / block;
    const auto begin = [=](std::ptrdiff_t total, std::ptrdiff_t i) { return total / line * i / count * line; };
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const std::ptrdiff_t read = begin(reads, i), write = begin(writes, i);
      body(Block{read, begin(reads, i + 1) - read, write, begin(writes, i + 1) - write});
    }
  }

  void stream(std::ptrdiff_t share) {
    const std::ptrdiff_t reads = reads_of(share), writes = share_of(traffic_.writes, share);
    const double* const b = arena_->reads(share);
    double* const a = arena_->writes(share);
    const auto count = static_cast<std::size_t>(writes), passes = static_cast<std::size_t>(traffic_.passes);
    double sum = 0;
    if (writes == 0) {
      sum = tile_.load(b, static_cast<std::size_t>(reads), passes);
    } else if (reads == writes) {
      tile_.copy(a, b, count, passes);
    } else if (reads == 2 * writes) {
      tile_.triad(a, b, b + second(writes), factor, count, passes);
    } else {
      for (std::size_t pass = 0; pass < passes; ++pass) {
        for_each_block(reads, writes, [&](const Block& block) {
          const std::ptrdiff_t source = block.reads > 0 ? block.reads : page;
          for (std::ptrdiff_t done = 0; done < block.writes; done += source) {
            tile_.copy(a + block.write + done, b + block.read,
                       static_cast<std::size_t>(std::min(source, block.writes - done)), 1);
          }
          const std::ptrdiff_t more = std::max<std::ptrdiff_t>(0, block.reads - block.writes);
          sum += tile_.load(b + block.read + block.reads - more, static_cast<std::size_t>(more), 1);
        });
      }
    }
    sums_[static_cast<std::size_t>(share)] = sum;
  }

  std::string verify(std::ptrdiff_t share) const {
    const std::ptrdiff_t reads = reads_of(share), writes = share_of(traffic_.writes, share);
    const auto b = [=](std::ptrdiff_t i) { return Arena::read_value(share, i); };
    const double* const a = arena_->writes(share);
    std::string text;
    const auto expect = [&](const char* what, std::ptrdiff_t i, double got, double expected) {
      if (got == expected || !text.empty()) return;
      text = std::string(what) + " " + std::to_string(i) + " of thread " + std::to_string(share) + " is " +
             std::to_string(got) + ", expected " + std::to_string(expected);
    };
    double sum = 0;
    if (writes > 0 && reads == 2 * writes) {
      for (std::ptrdiff_t i = 0; i < writes; ++i) expect("element", i, a[i], b(i) + factor * b(second(writes) + i));
    } else if (writes > 0 && reads == writes) {
      for (std::ptrdiff_t i = 0; i < writes; ++i) expect("element", i, a[i], b(i));
    } else {
      for_each_block(reads, writes, [&](const Block& block) {
        const std::ptrdiff_t source = block.reads > 0 ? block.reads : page;
        for (std::ptrdiff_t i = 0; i < block.writes; ++i) {
          expect("element", block.write + i, a[block.write + i], b(block.read + i % source));
        }
        for (std::ptrdiff_t i = block.writes; i < block.reads; ++i) sum += b(block.read + i);
      });
    }
    expect("sum", 0, sums_[static_cast<std::size_t>(share)], sum * static_cast<double>(traffic_.passes));
    return text;
  }

  Traffic traffic_;
  const StreamTile& tile_;
  int threads_;
  std::shared_ptr<Arena> arena_;
  std::vector<double> sums_;
  int used_ = 0;
};

double memory_total() {
  std::ifstream meminfo("/proc/meminfo");
  std::string name;
  double kilobytes = 0;
  meminfo >> name >> kilobytes;  // MemTotal is its first line
  return kilobytes * 1024;
}

// Of all the last-level caches that so many threads have, neighbours filled first; 0: the machine doesn't tell.
double last_cache_bytes(int threads) {
  const Machine& machine = speedwell::machine();
  if (machine.caches.empty()) return 0;
  const Cache& last = machine.caches.back();
  return static_cast<double>(last.bytes) * std::ceil(static_cast<double>(threads) / std::max(1, last.sharing_cores));
}

// Elements that a call reads and writes: four times all the last-level cache that the allowed cores have, so that none
// of it survives until the next call; at least 96 MiB, for machines that don't tell; at most a 32nd of the memory.
std::ptrdiff_t stream_elements() {
  const double least = 96 << 20;
  const double cache = last_cache_bytes(static_cast<int>(machine().core_cpus.size()));
  const double bytes = std::max(least, std::min(4 * cache, memory_total() / 32));
  return static_cast<std::ptrdiff_t>(bytes / sizeof(double));
}

// Reads alone, as many writes, or half as many.
struct Stream {
  const char* name;
  std::ptrdiff_t reads, writes;  // arrays

  Traffic of(std::ptrdiff_t elements) const {
    // Half a kilobyte: loops are unrolled so far.
    constexpr std::ptrdiff_t whole = 8 * line;
    const std::ptrdiff_t count = elements / (reads + writes) / whole * whole;
    return {.reads = reads * count, .writes = writes * count};
  }
};
constexpr Stream streams[] = {{"load", 1, 0}, {"copy", 1, 1}, {"triad", 2, 1}};

using TrafficOn = std::function<Traffic(int threads)>;

// So many bytes a thread and call that a fork-join of some microseconds is little of it.
constexpr double worth_a_fork_join = 64 << 20;

void repeat(Traffic& traffic, int threads) {
  traffic.passes = std::max<std::ptrdiff_t>(1, std::llround(worth_a_fork_join * threads / traffic.bytes()));
}

// Well inside what a thread has of a level, and well beyond the level before: half-way between, as ratios go.
std::ptrdiff_t elements_in(std::size_t level, int threads) {
  const std::vector<Cache>& caches = machine().caches;
  const double share =
      static_cast<double>(caches[level].bytes) / std::clamp(threads, 1, std::max(1, caches[level].sharing_cores));
  if (level == 0) return static_cast<std::ptrdiff_t>(share / 2 / sizeof(double));
  const auto before = static_cast<double>(caches[level - 1].bytes);
  // Where a share of the level is hardly more than the level before, the two hold different lines.
  const double bytes = std::max(std::sqrt(before * share), 1.5 * before);
  return static_cast<std::ptrdiff_t>(bytes / sizeof(double));
}

Traffic in_cache(const Stream& stream, std::size_t level, int threads) {
  Traffic traffic = stream.of(elements_in(level, threads));
  traffic.reads *= threads;
  traffic.writes *= threads;
  repeat(traffic, threads);
  return traffic;
}

// What the case must read and write, in whole lines; nothing where it isn't worth measuring.
Traffic compulsory(const Case& of) {
  const bool has_peak = of.precision == "f32" || of.precision == "f64";
  if (of.bytes <= 0 || of.kernel == weak_kernel || (has_peak && of.flops > scaling::far_above_the_ridge * of.bytes))
    return {};
  const auto lines = [](double bytes) {
    return round_up(static_cast<std::ptrdiff_t>(bytes / sizeof(double) + 0.5), line);
  };
  return {.reads = lines(of.bytes - of.written_bytes), .writes = lines(of.written_bytes)};
}

// The faster way: a kernel's output stays in the caches if all of it fits.
Traffic moved(Traffic traffic, int threads) {
  traffic.past_caches = traffic.bytes() > last_cache_bytes(threads);
  repeat(traffic, threads);
  return traffic;
}

template <class T>
Case fma_case(const char* type) {
  const auto lanes = static_cast<double>(fma_tile(T()).lanes);
  return {.kernel = "ceiling",
          .variant = std::string("fma_") + type,
          .size = "registers",
          .flops = 2.0 * fma_chains * lanes * static_cast<double>(total_steps),  // a multiplication and an addition
          .bytes = 0,
          .precision = type,
          .quick = true,
          .make = [](int) { return std::make_unique<Chains<T>>(); }};
}

Case stream_case(const std::string& variant, const std::string& size, const TrafficOn& capacity, const TrafficOn& on) {
  // Counted bytes. Past the caches nothing is read in order to be overwritten.
  const auto with_bytes = [on](Case which, int threads) {
    const Traffic traffic = on(threads);
    which.bytes = traffic.bytes();
    which.written_bytes = static_cast<double>(traffic.writes * traffic.passes) * sizeof(double);
    return which;
  };
  Case base = {.kernel = "ceiling",
               .variant = variant,
               .size = size,
               .precision = "f64",
               .quick = true,
               .make = [=](int threads) { return std::make_unique<Streams>(on(threads), capacity(threads), threads); }};
  base = with_bytes(base, 1);
  base.on = [base, with_bytes](int threads) { return with_bytes(base, threads); };
  return base;
}

Case traffic_case(const std::string& size, const TrafficOn& capacity, const Traffic& traffic) {
  Case made = stream_case("traffic", size, capacity, [traffic](int threads) { return moved(traffic, threads); });
  made.quick = false;
  return made;
}

// Bytes read and written, in whole lines: "134217728+67108864".
std::optional<Traffic> traffic_of_size(std::string_view size) {
  constexpr std::ptrdiff_t line_bytes = line * static_cast<std::ptrdiff_t>(sizeof(double));
  const auto elements = [](std::string_view text) -> std::optional<std::ptrdiff_t> {
    std::ptrdiff_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    const bool whole = error == std::errc() && end == text.data() + text.size() && bytes > 0 && bytes % line_bytes == 0;
    return whole && text.front() != '0' ? std::optional(bytes / static_cast<std::ptrdiff_t>(sizeof(double)))
                                        : std::nullopt;
  };
  const std::size_t plus = size.find('+');
  if (plus == std::string_view::npos) return std::nullopt;
  const auto reads = elements(size.substr(0, plus)), writes = elements(size.substr(plus + 1));
  if (!reads || !writes) return std::nullopt;
  return Traffic{.reads = *reads, .writes = *writes};
}

}  // namespace

std::string traffic_ceiling(const Case& of) {
  const Traffic traffic = compulsory(of);
  if (traffic.bytes() == 0) return {};
  std::string name = "ceiling/traffic/";
  name += std::to_string(traffic.reads * static_cast<std::ptrdiff_t>(sizeof(double))) += '+';
  return name += std::to_string(traffic.writes * static_cast<std::ptrdiff_t>(sizeof(double)));
}

std::vector<Case> ceiling_cases(const std::vector<Case>& kernels) {
  std::map<std::string, Traffic> moves;
  for (const Case& each : kernels) {
    if (!each.traffic.empty()) moves.emplace(each.traffic, compulsory(each));
  }
  // Room for each of the streams.
  const auto add = [](Traffic& to, const Traffic& more) {
    to.reads = std::max(to.reads, more.reads);
    to.writes = std::max(to.writes, more.writes);
  };
  Traffic largest = {.reads = stream_elements(), .writes = stream_elements() / 2};
  for (const auto& [name, traffic] : moves) add(largest, traffic);
  const auto capacity = [=](int threads) {
    Traffic there = largest;
    for (std::size_t level = 0; level < machine().caches.size(); ++level) {
      for (const Stream& stream : streams) add(there, in_cache(stream, level, threads));
    }
    return there;
  };

  std::vector<Case> cases = {fma_case<float>("f32"), fma_case<double>("f64")};
  for (std::size_t level = 0; level < machine().caches.size(); ++level) {
    for (const Stream& stream : streams) {
      cases.push_back(stream_case(stream.name, std::string("l").append(std::to_string(machine().caches[level].level)),
                                  capacity, [=](int threads) { return in_cache(stream, level, threads); }));
    }
  }
  for (const Stream& stream : streams) {
    cases.push_back(stream_case(stream.name, "memory", capacity, [=](int) {
      Traffic traffic = stream.of(stream_elements());
      traffic.past_caches = true;
      return traffic;
    }));
  }
  // As far as the streams' memory goes, which all of a process share.
  const auto of_size = [=](std::string_view size) -> std::optional<Case> {
    const std::optional<Traffic> traffic = traffic_of_size(size);
    if (!traffic || traffic->reads > largest.reads || traffic->writes > largest.writes) return std::nullopt;
    return traffic_case(std::string(size), capacity, *traffic);
  };
  for (const auto& [name, traffic] : moves) {
    cases.push_back(traffic_case(name.substr(name.rfind('/') + 1), capacity, traffic));
    cases.back().of_size = of_size;
  }
  return cases;
}

}  // namespace speedwell::bench
