// SPDX-License-Identifier: Apache-2.0
// Processes: each has an address space and a scheduler's place of its own, so that nothing is shared but what they map
// on purpose. They are spawned, not forked: a fork would copy the locks of threads that it doesn't copy.
#include "bench/models/processes.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

namespace {

constexpr std::size_t page = 4096;

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  ~Pipe() {
    close(0);
    close(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  void close(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }

 private:
  std::array<int, 2> ends_{};
};

// Ended and waited for, whatever happens.
class Workers {
 public:
  Workers() = default;
  ~Workers() {
    for (const pid_t worker : running_) ::kill(worker, SIGKILL);
    for (const pid_t worker : running_) {
      while (::waitpid(worker, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void spawn(std::vector<std::string> words, std::array<int, 3> inherited) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    // Onto itself: it then stays open in the new program.
    for (const int file : inherited) ::posix_spawn_file_actions_adddup2(&actions, file, file);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t worker = 0;
    const int error = ::posix_spawn(&worker, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::system_error(error, std::generic_category(), "cannot start a worker");
    running_.push_back(worker);
  }

  // Waits for one to end; false: there is none left.
  bool wait_for_one() {
    if (running_.empty()) return false;
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, &status, 0)) < 0 && errno == EINTR) {
    }
    std::erase(running_, ended);
    if (WIFSIGNALED(status)) {
      throw std::runtime_error(fmt::format("worker process {} was ended by signal {} ({})", ended, WTERMSIG(status),
                                           ::strsignal(WTERMSIG(status))));
    }
    if (WEXITSTATUS(status) != 0)
      throw std::runtime_error(fmt::format("worker process {} ended with status {}", ended, WEXITSTATUS(status)));
    return true;
  }

 private:
  std::vector<pid_t> running_;
};

}  // namespace

std::size_t inputs_offset(const Job& job) { return (Board::bytes(job.tasks, job.workers) + page - 1) / page * page; }

void run_processes(const Job& job, Board& board, const SharedMemory& memory) {
  Pipe ready, go;
  Workers workers;
  for (int lane = 0; lane < job.workers; ++lane) {
    std::vector<std::string> words = {"speedwell_models",
                                      worker_word,
                                      std::to_string(lane),
                                      std::to_string(memory.file()),
                                      std::to_string(ready.writing()),
                                      std::to_string(go.reading())};
    for (const std::string& word : words_of(job)) words.push_back(word);
    workers.spawn(std::move(words), {memory.file(), ready.writing(), go.reading()});
  }
  ready.close(1);
  // A worker that dies closes its end, and then the pipe is at its own.
  for (int there = 0; there < job.workers; ++there) {
    char byte = 0;
    ssize_t got = 0;
    while ((got = ::read(ready.reading(), &byte, 1)) < 0 && errno == EINTR) {
    }
    if (got != 1) break;
  }
  board.ready();
  // All of them wait for the end of this pipe.
  go.close(1);
  while (workers.wait_for_one()) {
  }
}

int run_worker(const std::vector<std::string>& words) {
  const pid_t parent = ::getppid();
  // Whoever ends its parent, ends it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return 3;
  const int index = std::stoi(words.at(0)), memory_file = std::stoi(words.at(1)), ready = std::stoi(words.at(2)),
            go = std::stoi(words.at(3));
  const Job job = job_from_words({words.begin() + 4, words.end()});
  const SharedMemory memory = SharedMemory::of(memory_file);
  Board& board = *std::launder(reinterpret_cast<Board*>(memory.data()));
  const Inputs inputs(job, memory.data() + inputs_offset(job));
  Lane lane(inputs, board, index);
  if (::write(ready, "", 1) != 1) return 3;
  ::close(ready);
  char byte = 0;
  while (::read(go, &byte, 1) < 0 && errno == EINTR) {
  }
  const Usage before = usage_of_process();
  for (int task; (task = board.take_task()) < board.tasks();) run_task(lane, task);
  board.report(index) = {usage_of_process() - before, peak_private_bytes()};
  return 0;
}

}  // namespace speedwell::bench::models
