// SPDX-License-Identifier: Apache-2.0
// A process for each task, begun afresh (posix_spawn: a fork would take along locks of threads that the child doesn't
// have). Processes share nothing but what is mapped for all to see; one that crashes takes no other with it. In Python:
// multiprocessing.
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "tasks.hpp"

// Results in memory without a name, which goes with its last user. Pages are had at once: where there are none left,
// that is an error here and not a signal later.
std::array<int, tasks>* map_results(int memory) {
  if (posix_fallocate(memory, 0, sizeof(std::array<int, tasks>)) != 0) return nullptr;
  void* const address = mmap(nullptr, sizeof(std::array<int, tasks>), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  return address == MAP_FAILED ? nullptr : static_cast<std::array<int, tasks>*>(address);
}

int worker(const std::string& job, int task, int memory) {
  if (job == "wait") std::this_thread::sleep_for(delay);
  if (job == "compute") {
    std::array<int, tasks>* const primes = map_results(memory);
    if (primes == nullptr) return 1;
    (*primes)[task] = compute(task);
  }
  return 0;
}

void run_all(std::string job, int memory) {
  std::array<pid_t, tasks> workers;
  std::string shared = std::to_string(memory);
  for (int task = 0; task < tasks; ++task) {
    std::string number = std::to_string(task);
    char program[] = "processes";
    char* arguments[] = {program, job.data(), number.data(), shared.data(), nullptr};
    if (posix_spawn(&workers[task], "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0) std::exit(1);
  }
  bool failed = false;
  for (const pid_t process : workers) {
    int status = 0;
    failed = waitpid(process, &status, 0) < 0 || status != 0 || failed;
  }
  if (failed) std::exit(1);
}

int main(int count, char** arguments) {
  if (count == 4) return worker(arguments[1], std::atoi(arguments[2]), std::atoi(arguments[3]));
  const int memory = memfd_create("results", 0);  // inherited: no MFD_CLOEXEC
  std::array<int, tasks>* const primes = map_results(memory);
  if (primes == nullptr) {
    std::perror("no shared memory");
    return 1;
  }
  show("wait", [&] { run_all("wait", memory); });
  show("compute", [&] {
    run_all("compute", memory);
    check(*primes);
  });
}
