// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/start_program.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace speedwell::bench {

namespace {

// In the new process, before the program: only what is safe after fork.
[[noreturn]] void become(const char* program, char* const* arguments, const cpu_set_t* cpus, std::size_t cpus_bytes,
                         pid_t parent, StandardFiles files) {
  // A process group of its own: Ctrl-C is for the driver, which lets the running sample end.
  ::setpgid(0, 0);
  // A driver that is killed leaves nobody behind, even amid a sample when no child looks at its pipe.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // Pinned before the program begins, so that libraries that count CPUs when they are loaded see these only.
  ::sched_setaffinity(0, cpus_bytes, cpus);
  if (::dup2(files.input, 0) == 0 && ::dup2(files.output, 1) == 1 && ::dup2(files.errors, 2) == 2)
    ::execv(program, arguments);
  ::_exit(127);
}

}  // namespace

pid_t start_program(const std::filesystem::path& program, std::vector<std::string> words, const std::vector<int>& cpus,
                    StandardFiles files) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  const int most_cpu = cpus.empty() ? 0 : *std::max_element(cpus.begin(), cpus.end());
  cpu_set_t* const set = CPU_ALLOC(most_cpu + 1);
  const std::size_t set_bytes = CPU_ALLOC_SIZE(most_cpu + 1);
  CPU_ZERO_S(set_bytes, set);
  for (const int cpu : cpus) CPU_SET_S(cpu, set_bytes, set);

  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) become(program.c_str(), arguments.data(), set, set_bytes, parent, files);
  const int error = errno;
  CPU_FREE(set);
  errno = error;
  return process;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    return "was ended by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  }
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace speedwell::bench
