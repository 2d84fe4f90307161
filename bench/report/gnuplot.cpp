// SPDX-License-Identifier: Apache-2.0
#include "bench/report/gnuplot.hpp"

#include "bench/report/words.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace speedwell::bench::report {
namespace {

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

}  // namespace

GnuplotResult run_gnuplot(const std::string& program, const std::filesystem::path& folder, const std::string& script,
                          std::chrono::milliseconds limit) {
  using Clock = std::chrono::steady_clock;
  GnuplotResult result;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    result.said = std::strerror(errno);
    return result;
  }
  Descriptor reading(ends[0]), writing(ends[1]);

  FileActions actions;
  ::posix_spawn_file_actions_addchdir_np(actions.get(), folder.c_str());
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), writing.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), writing.get(), STDERR_FILENO);

  // -d: without the user's own start-up files, so that the same data give the same picture everywhere.
  std::array<std::string, 3> words{program, "-d", script};
  std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, program.c_str(), actions.get(), nullptr, arguments.data(), environ);
  if (error != 0) {
    result.found = error != ENOENT;
    result.said = program + ": " + std::strerror(error);
    return result;
  }
  writing.close();

  const auto deadline = Clock::now() + limit;
  bool late = false;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{reading.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      late = true;
      ::kill(child, SIGKILL);
      break;
    }
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(reading.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    result.said.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (late) result.said += "stopped after " + std::to_string(limit.count()) + " ms";
  result.ok = !late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return result;
}

std::string described(std::string svg, const std::string& title) {
  const auto replace = [&](std::string_view open, std::string_view close, const std::string& by) {
    const std::size_t begin = svg.find(open);
    const std::size_t end = begin == std::string::npos ? begin : svg.find(close, begin);
    if (end != std::string::npos) svg.replace(begin + open.size(), end - begin - open.size(), by);
  };
  replace("<title>", "</title>", html(title));
  replace("<desc>", "</desc>", "Speedwell");
  return svg;
}

}  // namespace speedwell::bench::report
