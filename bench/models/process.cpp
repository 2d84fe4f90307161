// SPDX-License-Identifier: Apache-2.0
#include "bench/models/process.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child/sampling.hpp"
#include "bench/driver/start_program.hpp"

namespace speedwell::bench::models {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

// Answers are below a MiB: some thousand slices of 40 bytes.
constexpr std::size_t longest_output = std::size_t{16} << 20;
// How often an interrupt is looked for: soon enough for whoever pressed Ctrl-C, too seldom to disturb.
constexpr int look_every_ms = 50;

class File {
 public:
  explicit File(int file) : file_(file) {}
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return file_; }
  void close() {
    if (file_ >= 0) ::close(std::exchange(file_, -1));
  }

 private:
  int file_;
};

// The last line of what was written to it.
std::string last_line(int file) {
  std::array<char, 2048> tail{};
  const off_t length = std::max<off_t>(0, ::lseek(file, 0, SEEK_END));
  const off_t from = std::max<off_t>(0, length - static_cast<off_t>(tail.size()));
  const ssize_t got = ::pread(file, tail.data(), tail.size(), from);
  std::string text(tail.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

// The process and all others of its group. Workers whose parent is gone end too.
class Running {
 public:
  explicit Running(pid_t process) : process_(process) {}
  ~Running() { end(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void end() {
    if (process_ <= 0) return;
    ::kill(-process_, SIGKILL);
    // It may not lead its group yet.
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
  }
  // Its status once it has ended; what it left behind is ended first, while its number can't be another's yet.
  int wait() {
    siginfo_t ended = {};
    while (::waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    ::kill(-process_, SIGKILL);
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return status;
  }

 private:
  pid_t process_;
};

}  // namespace

Output run_program(const fs::path& program, const std::vector<std::string>& words, const std::vector<int>& cpus,
                   double limit_s, Interrupts& interrupts) {
  const std::string name = program.filename().string();
  if (::access(program.c_str(), X_OK) != 0)
    throw ProcessError(fmt::format("cannot run {}: {}", program.string(), std::strerror(errno)));
  std::array<int, 2> ends = {-1, -1};
  const File errors(::memfd_create("stderr", MFD_CLOEXEC)), nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (errors.get() < 0 || nothing.get() < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw ProcessError(fmt::format("cannot make a pipe to {}: {}", name, std::strerror(errno)));
  const File reading(ends[0]);
  File writing(ends[1]);
  std::vector<std::string> arguments = {program.string()};
  arguments.insert(arguments.end(), words.begin(), words.end());

  Output output;
  output.started_ns = wall_ns();
  const pid_t process =
      start_program(program, std::move(arguments), cpus, {nothing.get(), writing.get(), errors.get()});
  if (process < 0) throw ProcessError(fmt::format("cannot start {}: {}", name, std::strerror(errno)));
  Running running(process);
  writing.close();
  const auto fail = [&](const std::string& what) {
    const std::string said = last_line(errors.get());
    throw ProcessError(fmt::format("{} {}{}{}", name, what, said.empty() ? "" : ": ", said));
  };

  const auto deadline = Clock::now() + std::chrono::duration<double>(limit_s);
  for (;;) {
    pollfd waiting = {reading.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, look_every_ms);
    if (interrupts.signal() != 0) throw Interrupted();
    if (ready > 0) {
      std::array<char, 65536> buffer;
      const ssize_t got = ::read(reading.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      output.text.append(buffer.data(), static_cast<std::size_t>(got));
      if (output.text.size() > longest_output) {
        running.end();
        fail("wrote more than 16 MiB");
      }
    }
    if (Clock::now() > deadline) {
      running.end();
      fail(fmt::format("was not done within {:g} s, and was ended", limit_s));
    }
  }
  const int status = running.wait();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(how_it_ended(status));
  return output;
}

fs::path find_in_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
    std::error_code ignored;
    if (fs::is_regular_file(candidate, ignored) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace speedwell::bench::models
