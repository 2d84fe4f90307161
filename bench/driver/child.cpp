// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/child.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/driver/start_program.hpp"

namespace speedwell::bench {

namespace {

using Clock = std::chrono::steady_clock;

// The longest answer is hello's list of cases, some 100 bytes each.
constexpr std::size_t longest_answer = std::size_t{1} << 20;
// How long a child may take to end after its pipe was closed.
constexpr auto grace = std::chrono::seconds(2);

std::string with_commas(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

}  // namespace

Child::Child(const Launch& launch)
    : name_(launch.program.filename().string() + " (" + launch.backend + ", " + std::to_string(launch.threads) +
            (launch.threads == 1 ? " thread)" : " threads)")) {
  if (::access(launch.program.c_str(), X_OK) != 0) {
    throw ChildError("cannot run " + launch.program.string() + ": " + std::strerror(errno));
  }
  int question[2] = {-1, -1};
  int answer[2] = {-1, -1};
  errors_ = ::memfd_create("stderr", MFD_CLOEXEC);
  if (errors_ < 0 || ::pipe2(question, O_CLOEXEC) != 0 || ::pipe2(answer, O_CLOEXEC) != 0) {
    const std::string why = std::strerror(errno);
    for (const int file : {question[0], question[1], answer[0], answer[1], errors_}) {
      if (file >= 0) ::close(file);
    }
    throw ChildError("cannot make a pipe to " + name_ + ": " + why);
  }

  std::vector<std::string> words = {launch.program.string(), "--serve", "--backend=" + launch.backend,
                                    "--threads=" + std::to_string(launch.threads),
                                    "--cpus=" + with_commas(launch.cpus)};
  if (!launch.pinned) words.push_back("--unpinned");
  process_ = start_program(launch.program, words, launch.cpus, {question[0], answer[1], errors_});
  const int start_error = errno;
  ::close(question[0]);
  ::close(answer[1]);
  to_ = question[1];
  from_ = answer[0];
  if (process_ < 0) {
    close_pipes();
    throw ChildError("cannot start " + name_ + ": " + std::strerror(start_error));
  }
}

Child::~Child() {
  if (process_ > 0) {
    ::close(std::exchange(to_, -1));
    const auto deadline = Clock::now() + grace;
    int status = 0;
    while (::waitpid(process_, &status, WNOHANG) == 0) {
      if (Clock::now() > deadline) {
        kill_and_wait();
        break;
      }
      ::poll(nullptr, 0, 1);
    }
  }
  close_pipes();
}

void Child::close_pipes() {
  for (int* const file : {&to_, &from_, &errors_}) {
    if (*file >= 0) ::close(std::exchange(*file, -1));
  }
}

int Child::kill_and_wait() {
  ::kill(process_, SIGKILL);
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return status;
}

// The last line on stderr: most programs say there why they gave up.
std::string Child::last_words() const {
  const off_t length = ::lseek(errors_, 0, SEEK_END);
  if (length <= 0) return {};
  char tail[512];
  const off_t from = std::max<off_t>(0, length - static_cast<off_t>(sizeof tail));
  const ssize_t got = ::pread(errors_, tail, sizeof tail, from);
  std::string text(tail, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

void Child::fail(const std::string& what) {
  const std::string words = last_words();
  if (process_ > 0) kill_and_wait();
  throw ChildError(name_ + " " + what + (words.empty() ? "" : ": " + words));
}

// The pipe is at its end: the process is gone, or is just going.
void Child::fail_as_it_ended() {
  const auto deadline = Clock::now() + grace;
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(process_, &status, WNOHANG)) == 0 && Clock::now() < deadline) ::poll(nullptr, 0, 1);
  if (ended == 0) fail("closed its pipe");
  process_ = -1;
  fail(how_it_ended(status));
}

nlohmann::json Child::ask(const nlohmann::json& question, double patience_s) {
  if (process_ < 0) throw ChildError(name_ + " is gone");
  const std::string line = question.dump() + "\n";
  // A question is far shorter than a pipe holds, so this can't block on a child that doesn't read.
  if (::write(to_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) fail_as_it_ended();

  const auto deadline = Clock::now() + std::chrono::duration<double>(patience_s);
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      const std::string text = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      nlohmann::json answer = nlohmann::json::parse(text, nullptr, false);
      if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) {
        fail("answered '" + text.substr(0, 200) + "', expected {\"ok\": true or false, …}");
      }
      return answer;
    }
    if (unread_.size() > longest_answer) fail("answered more than a MiB without an end of line");
    const double left_s = std::chrono::duration<double>(deadline - Clock::now()).count();
    pollfd file = {from_, POLLIN, 0};
    // At least once, and with what is there already: this process may itself have been stopped for long.
    const int ready = ::poll(&file, 1, static_cast<int>(std::clamp(left_s * 1000 + 1, 0.0, 1e9)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      fail("gave no answer to '" + question.value("do", "") + "' within " +
           std::to_string(static_cast<long long>(patience_s + 0.5)) + " s");
    }
    char buffer[65536];
    const ssize_t got = ::read(from_, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail_as_it_ended();
    unread_.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace speedwell::bench
