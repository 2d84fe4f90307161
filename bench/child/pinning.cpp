// SPDX-License-Identifier: Apache-2.0
#include "bench/child/pinning.hpp"

#include <charconv>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <sched.h>
#include <unistd.h>

namespace speedwell::bench {
namespace {

void let_run_on(pid_t thread, const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  ::sched_setaffinity(thread, sizeof set, &set);  // it fails for a thread that has just ended
}

}  // namespace

std::vector<pid_t> threads_of_process() {
  std::vector<pid_t> threads;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/task"), ::closedir);
  if (folder == nullptr) return threads;
  // The kernel lists them in the order in which they were made.
  while (const dirent* const entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    pid_t thread = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc()) threads.push_back(thread);
  }
  return threads;
}

std::vector<std::vector<int>> cpus_of_threads() {
  std::vector<std::vector<int>> all;
  for (const pid_t thread : threads_of_process()) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(thread, sizeof set, &set) != 0) continue;
    std::vector<int>& cpus = all.emplace_back();
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  return all;
}

Pinning::Pinning(const ChildOptions& options) {
  const auto threads = static_cast<std::size_t>(options.threads);
  if (options.pinned && options.cpus.size() >= threads) {
    places_.assign(options.cpus.begin(), options.cpus.begin() + options.threads);
  }
}

void Pinning::widen() const {
  if (!places_.empty()) let_run_on(0, places_);
}

void Pinning::pin() const {
  if (places_.empty()) return;
  const pid_t self = ::gettid();
  let_run_on(self, {places_.front()});
  std::size_t place = 1;
  for (const pid_t thread : threads_of_process()) {
    if (thread == self) continue;
    // A library may keep more threads than it uses; those have no CPU of their own.
    let_run_on(thread, place < places_.size() ? std::vector<int>{places_[place]} : places_);
    ++place;
  }
}

}  // namespace speedwell::bench
