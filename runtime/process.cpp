// SPDX-License-Identifier: Apache-2.0
#include "runtime/process.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "runtime/built.hpp"
#include "runtime/models.hpp"
#include "runtime/thread_pool.hpp"

namespace speedwell::runtime {

namespace {

struct Process {
  std::mutex first_time;
  std::mutex lock;
  std::atomic<bool> parallel_used = false;
  std::atomic<bool> forked = false;
  std::atomic<int> threads_in_use = 0;
};

constinit Process process;

// How many FirstTimes the thread is in.
thread_local constinit int first_times = 0;

void before_fork() {
  // Before the locks: giving threads back waits for them.
  if constexpr (built<OpenMp>) release_openmp_threads();
  process.first_time.lock();
  process.lock.lock();
}

void after_fork_in_parent() {
  process.lock.unlock();
  process.first_time.unlock();
}

void after_fork_in_child() {
  if (process.parallel_used.load(std::memory_order_relaxed)) {
    process.forked.store(true, std::memory_order_relaxed);
    process.threads_in_use.store(0, std::memory_order_relaxed);
    abandon_workers();
  }
  process.lock.unlock();
  process.first_time.unlock();
}

// As soon as the library is loaded: were it at the first call, a fork amid that call would go unseen. Nothing else
// needs this object, so its being in the same file as the lock is what links it.
[[maybe_unused]] const int forks_are_watched = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

std::mutex& process_lock() { return process.lock; }

FirstTime::FirstTime() {
  if (first_times++ == 0) process.first_time.lock();
}

FirstTime::~FirstTime() {
  if (--first_times == 0) process.first_time.unlock();
}

void note_parallel_use() noexcept {
  // Reading first keeps the line shared among cores once it is set.
  if (process.parallel_used.load(std::memory_order_relaxed)) return;
  process.parallel_used.store(true, std::memory_order_relaxed);
}

bool in_forked_child() noexcept { return process.forked.load(std::memory_order_relaxed); }

void keep_loaded(const void* code) noexcept {
  Dl_info info;
  if (dladdr(code, &info) == 0 || info.dli_fname == nullptr) return;
  // Where it is part of the program, there is nothing to load, and nothing to keep.
  static_cast<void>(dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE));
}

int running_threads() {
  namespace fs = std::filesystem;
  int running = 0;
  std::error_code ended;
  for (fs::directory_iterator task("/proc/self/task", ended), end; !ended && task != end; task.increment(ended)) {
    std::string stat;
    std::ifstream file(task->path() / "stat");
    std::getline(file, stat);
    // "12 (name) R ...", where the name may hold anything.
    const std::size_t state = stat.rfind(") ");
    if (state != std::string::npos && stat[state + 2] == 'R') ++running;
  }
  return running;
}

ThreadBudget::ThreadBudget(int wanted, int limit) noexcept : taken_(0) {
  int in_use = process.threads_in_use.load(std::memory_order_relaxed);
  do {
    taken_ = std::max(0, std::min(wanted, limit - in_use));
    if (taken_ == 0) return;
  } while (!process.threads_in_use.compare_exchange_weak(in_use, in_use + taken_, std::memory_order_relaxed));
}

ThreadBudget::~ThreadBudget() {
  if (taken_ > 0) process.threads_in_use.fetch_sub(taken_, std::memory_order_relaxed);
}

int ThreadBudget::in_use() noexcept { return process.threads_in_use.load(std::memory_order_relaxed); }

}  // namespace speedwell::runtime
