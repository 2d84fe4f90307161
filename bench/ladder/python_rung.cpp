// SPDX-License-Identifier: Apache-2.0
#include "bench/ladder/python_rung.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sstream>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/files.hpp"

namespace speedwell::bench::ladder {

namespace {

using Clock = std::chrono::steady_clock;

// The longest row that the ladder asks for takes some seconds.
constexpr auto longest = std::chrono::minutes(1);

// Everything that comes until the other end closes it. Kills the process when that takes too long.
std::string read_all(int from, pid_t process) {
  std::string bytes;
  const auto deadline = Clock::now() + longest;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{from, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      ::kill(process, SIGKILL);
      return {};
    }
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

PythonRun parse(const std::string& output, std::ptrdiff_t n) {
  const std::size_t end = output.find('\n');
  PythonRun run;
  std::istringstream line(output.substr(0, end));
  char comma = 0;
  const bool read = std::getline(line, run.version, ',') && line >> run.rows >> comma >> run.seconds;
  if (end == std::string::npos || !read || run.rows < 1 || run.rows > n || !(run.seconds > 0)) {
    throw PythonError(fmt::format("python3 said '{}', expected its version, rows and seconds", output.substr(0, 80)));
  }
  run.c.resize(static_cast<std::size_t>(run.rows * n));
  const std::size_t bytes = run.c.size() * sizeof(float);
  if (output.size() - end - 1 != bytes) {
    throw PythonError(fmt::format("python3 gave {} bytes, expected {}", output.size() - end - 1, bytes));
  }
  std::memcpy(run.c.data(), output.data() + end + 1, bytes);
  return run;
}

}  // namespace

Python::Python(const float* a, const float* b, std::ptrdiff_t n)
    : n_(n), matrices_(::memfd_create("matrices", MFD_CLOEXEC)) {
  if (matrices_ < 0) throw std::system_error(errno, std::generic_category(), "cannot make a file in memory");
  const std::size_t bytes = static_cast<std::size_t>(n * n) * sizeof(float);
  for (const float* const matrix : {a, b}) {
    write_all(matrices_, {reinterpret_cast<const char*>(matrix), bytes}, "a file in memory");
  }
}

Python::~Python() { ::close(matrices_); }

PythonRun Python::run(std::ptrdiff_t rows, double seconds) const {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  const auto [reading, writing] = ends;
  ::lseek(matrices_, 0, SEEK_SET);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, matrices_, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, writing, STDOUT_FILENO);
  // -I, -S: without the user's own modules and settings, so that it is Python and nothing else.
  std::array<std::string, 8> words = {
      "python3", "-I", "-S", "-c", python_program, std::to_string(n_), std::to_string(rows), std::to_string(seconds)};
  std::array<char*, 9> arguments{};
  std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& word) { return word.data(); });
  pid_t process = 0;
  const int error = ::posix_spawnp(&process, "python3", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(writing);
  const std::string output = error == 0 ? read_all(reading, process) : "";
  ::close(reading);
  if (error != 0) throw PythonError(fmt::format("python3: {}", std::strerror(error)));
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) throw PythonError(fmt::format("python3 was ended by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) throw PythonError(fmt::format("python3 ended with status {}", WEXITSTATUS(status)));
  return parse(output, n_);
}

}  // namespace speedwell::bench::ladder
