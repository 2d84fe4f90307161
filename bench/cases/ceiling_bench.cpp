// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/ceiling_case.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include <speedwell/machine.hpp>

#include "bench/cases/buffer.hpp"
#include "bench/cases/ceiling_tile.hpp"
#include "runtime/dispatch.hpp"
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
  Chains() : tile_(ceiling_tile(T())), outputs_(speedwell::max_threads * stride) {}

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

  const CeilingTile<T>& tile_;
  Buffer<T> outputs_;
  int shares_ = 1;
  int used_ = 0;
};

// What streams through memory: reads alone, as many writes, or half as many.
enum class Stream { load, copy, triad };

// Arrays that a call reads or writes.
constexpr std::ptrdiff_t arrays_of(Stream kind) { return static_cast<std::ptrdiff_t>(kind) + 1; }

class Streams final : public Workload {
 public:
  Streams(Stream kind, std::ptrdiff_t count, int threads)
      : kind_(kind),
        tile_(ceiling_tile(double())),
        count_(count),
        a_(kind == Stream::load ? std::ptrdiff_t{speedwell::max_threads} : count),
        b_(count),
        c_(kind == Stream::triad ? count : 0) {
    std::fill(a_.data(), a_.data() + (kind == Stream::load ? std::ptrdiff_t{speedwell::max_threads} : 0), unwritten);
    in_shares(threads, count, [this](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t i = first; i < last; ++i) {
        if (kind_ != Stream::load) a_.data()[i] = unwritten;
        b_.data()[i] = b(i);
        if (kind_ == Stream::triad) c_.data()[i] = c(i);
      }
    });
  }

  void run(const Backend& backend) override {
    shares_ = threads_of(backend);
    used_ = on_each_thread(shares_, [this](std::ptrdiff_t share) {
      const std::ptrdiff_t first = begin(share), count = begin(share + 1) - first;
      double* const a = a_.data() + first;
      const double* const b = b_.data() + first;
      const auto elements = static_cast<std::size_t>(count);
      if (kind_ == Stream::load) a_.data()[share] = tile_.load(b, elements);
      if (kind_ == Stream::copy) tile_.copy(a, b, elements);
      if (kind_ == Stream::triad) tile_.triad(a, b, c_.data() + first, factor, elements);
    });
  }

  int threads_used() const override { return used_; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t i = first; i < a_.size(); i += step) a_.data()[i] = unwritten;
  }

  // Small integers: every element and every sum is exact.
  std::string verify() const override {
    if (kind_ == Stream::load) {
      for (std::ptrdiff_t share = 0; share < shares_; ++share) {
        double expected = 0;
        for (std::ptrdiff_t i = begin(share); i < begin(share + 1); ++i) expected += b(i);
        if (a_.data()[share] != expected) return wrong("sum", share, expected);
      }
      return {};
    }
    for (std::ptrdiff_t i = 0; i < count_; ++i) {
      const double expected = b(i) + (kind_ == Stream::triad ? factor * c(i) : 0);
      if (a_.data()[i] != expected) return wrong("element", i, expected);
    }
    return {};
  }

  std::uint64_t output_hash() const override { return hash_bytes(std::as_bytes(a_.span())); }

  std::size_t bytes() const override { return a_.bytes() + b_.bytes() + c_.bytes(); }

 private:
  static constexpr double factor = 3;
  static constexpr double unwritten = -1;
  static double b(std::ptrdiff_t i) { return static_cast<double>(i & 1023); }
  static double c(std::ptrdiff_t i) { return static_cast<double>((i >> 3) & 511); }

  // Shares begin on cache lines.
  std::ptrdiff_t begin(std::ptrdiff_t share) const {
    constexpr std::ptrdiff_t line = 64 / sizeof(double);
    return share == shares_ ? count_ : count_ / line * share / shares_ * line;
  }

  std::string wrong(const char* what, std::ptrdiff_t i, double expected) const {
    return std::string(what) + " " + std::to_string(i) + " is " + std::to_string(a_.data()[i]) + ", expected " +
           std::to_string(expected);
  }

  Stream kind_;
  const CeilingTile<double>& tile_;
  std::ptrdiff_t count_;
  Buffer<double> a_, b_, c_;
  int shares_ = 1;
  int used_ = 0;
};

double memory_total() {
  std::ifstream meminfo("/proc/meminfo");
  std::string name;
  double kilobytes = 0;
  meminfo >> name >> kilobytes;  // MemTotal is its first line
  return kilobytes * 1024;
}

// Elements that a call reads and writes: four times all the last-level cache that the allowed cores have, so that none
// of it survives until the next call; at least 96 MiB, for machines that don't tell; at most a 32nd of the memory,
// because each thread count's child holds three such calls.
std::ptrdiff_t stream_elements() {
  const Machine& machine = speedwell::machine();
  double cache = 0;
  if (!machine.caches.empty()) {
    const Cache& last = machine.caches.back();
    const double cores = static_cast<double>(machine.core_cpus.size());
    cache = static_cast<double>(last.bytes) * std::ceil(cores / std::max(1, last.sharing_cores));
  }
  const double least = 96 << 20;
  const double bytes = std::max(least, std::min(4 * cache, memory_total() / 32));
  return static_cast<std::ptrdiff_t>(bytes / sizeof(double));
}

template <class T>
Case fma_case(const char* type) {
  const auto lanes = static_cast<double>(ceiling_tile(T()).lanes);
  return {.kernel = "ceiling",
          .variant = std::string("fma_") + type,
          .size = "registers",
          .flops = 2.0 * fma_chains * lanes * static_cast<double>(total_steps),  // a multiplication and an addition
          .bytes = 0,
          .precision = type,
          .quick = true,
          .make = [](int) { return std::make_unique<Chains<T>>(); }};
}

}  // namespace

std::vector<Case> ceiling_cases() {
  std::vector<Case> cases = {fma_case<float>("f32"), fma_case<double>("f64")};
  for (const auto& [variant, kind] :
       {std::pair("load", Stream::load), {"copy", Stream::copy}, {"triad", Stream::triad}}) {
    const std::ptrdiff_t count = stream_elements() / arrays_of(kind);
    const auto n = static_cast<double>(count);
    cases.push_back(
        {.kernel = "ceiling",
         .variant = variant,
         .size = "memory",
         .flops = kind == Stream::triad  ? 2 * n
                  : kind == Stream::load ? n
                                         : 0,
         // Counted bytes. Nothing is read in order to be overwritten, as stores go past the caches.
         .bytes = static_cast<double>(arrays_of(kind)) * sizeof(double) * n,
         .written_bytes = kind == Stream::load ? 0 : sizeof(double) * n,
         .precision = "f64",
         .quick = true,
         .make = [=, kind = kind](int threads) { return std::make_unique<Streams>(kind, count, threads); }});
  }
  return cases;
}

}  // namespace speedwell::bench
