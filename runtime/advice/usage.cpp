// SPDX-License-Identifier: Apache-2.0
#include "runtime/advice/usage.hpp"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>

namespace speedwell::advice {

namespace {

double clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

}  // namespace

double now_ns() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double process_cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

double busy_ns(const std::vector<int>& cpus) {
  double ticks = 0;
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    std::istringstream words(line);
    std::string cpu;
    double user = 0, nice = 0, system = 0, idle = 0, io_wait = 0, interrupts = 0, soft_interrupts = 0, stolen = 0;
    words >> cpu >> user >> nice >> system >> idle >> io_wait >> interrupts >> soft_interrupts >> stolen;
    const bool counts =
        std::any_of(cpus.begin(), cpus.end(), [&](int each) { return cpu == "cpu" + std::to_string(each); });
    if (counts) ticks += user + nice + system + interrupts + soft_interrupts + stolen;
  }
  return ticks * 1e9 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Usage usage_of_this_thread() {
  Usage usage;
  rusage switches{};
  getrusage(RUSAGE_THREAD, &switches);
  usage.voluntary_switches = static_cast<double>(switches.ru_nvcsw);
  usage.involuntary_switches = static_cast<double>(switches.ru_nivcsw);
  // "time on a core, time in a queue, turns"
  std::ifstream schedstat("/proc/thread-self/schedstat");
  double running = 0;
  if (!(schedstat >> running >> usage.queue_ns)) usage.queue_ns = 0;
  usage.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  return usage;
}

Usage operator-(const Usage& after, const Usage& before) {
  return {after.cpu_ns - before.cpu_ns, after.queue_ns - before.queue_ns,
          after.voluntary_switches - before.voluntary_switches,
          after.involuntary_switches - before.involuntary_switches};
}

}  // namespace speedwell::advice
