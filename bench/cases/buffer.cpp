// SPDX-License-Identifier: Apache-2.0
#include "bench/cases/buffer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

namespace speedwell::bench {

void Unmap::operator()(std::byte* pages) const { ::munmap(pages, bytes); }

std::unique_ptr<std::byte, Unmap> map_pages(std::size_t bytes) {
  // From here on huge pages save translation misses; below, rounding up to them wastes memory.
  constexpr std::size_t worth_huge_pages = std::size_t{4} << 20;
  const std::size_t length = std::max<std::size_t>(bytes, 1);
  void* pages = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  if (length >= worth_huge_pages) ::madvise(pages, length, MADV_HUGEPAGE);  // a wish: refused, it is small pages
  return {static_cast<std::byte*>(pages), Unmap{length}};
}

namespace {

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  // Fails beyond 1024 logical CPUs; the threads are unbound then.
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void bind_this_thread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);  // a wish too
}

}  // namespace

void in_shares(int threads, std::ptrdiff_t count, const std::function<void(std::ptrdiff_t, std::ptrdiff_t)>& body) {
  const std::vector<int> cpus = allowed_cpus();
  std::vector<std::jthread> workers;
  for (int i = 0; i < threads; ++i) {
    const std::ptrdiff_t first = count * i / threads;
    const std::ptrdiff_t last = count * (i + 1) / threads;
    if (first == last) continue;
    if (threads == 1) return body(first, last);
    try {
      workers.emplace_back([&body, &cpus, i, first, last] {
        if (!cpus.empty()) bind_this_thread(cpus[static_cast<std::size_t>(i) % cpus.size()]);
        body(first, last);
      });
    } catch (const std::system_error&) {
      body(first, last);
    }
  }
}

std::uint64_t hash_bytes(std::span<const std::byte> bytes) {
  // Each step is a bijection of its lane's state, so one changed word always changes the end. Four lanes, because one
  // would wait for its multiplication: 8 bytes in 6 cycles.
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  std::array<std::uint64_t, 4> lanes = {1, 2, 3, 4};
  const auto mix = [](std::uint64_t state, std::uint64_t word) {
    state = (state ^ word) * odd;
    return state ^ (state >> 32);
  };
  constexpr std::size_t step = sizeof lanes;
  std::size_t at = 0;
  for (; at + step <= bytes.size(); at += step) {
    std::array<std::uint64_t, 4> words;
    std::memcpy(words.data(), bytes.data() + at, step);
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = mix(lanes[i], words[i]);
  }
  std::uint64_t hash = bytes.size();
  for (const std::uint64_t lane : lanes) hash = mix(hash, lane);
  for (; at < bytes.size(); ++at) hash = mix(hash, static_cast<std::uint64_t>(bytes[at]));
  return hash;
}

}  // namespace speedwell::bench
