// SPDX-License-Identifier: Apache-2.0
// A process of its own for one backend and thread count. It is started once, is pinned, and waits blocked on a pipe
// until it is asked something: whoever is being asked holds the token. bench/child/protocol.hpp has the questions.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/types.h>

namespace speedwell::bench {

struct Launch {
  std::filesystem::path program;
  std::string backend;  // its word: "openmp", "eigen"
  int threads = 1;
  std::vector<int> cpus;  // all that the child may run on
  bool pinned = true;     // each thread on one of them, where there are enough
};

// The child crashed, hung, or answered what isn't an answer. It is gone then; the message says how.
class ChildError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Child {
 public:
  // Throws ChildError if the program can't be started.
  explicit Child(const Launch& launch);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // Ends the process, by force if it doesn't follow.
  ~Child();

  // Sends the question and waits for the answer, at most so many seconds. Throws ChildError.
  nlohmann::json ask(const nlohmann::json& question, double patience_s);

 private:
  [[noreturn]] void fail(const std::string& what);
  [[noreturn]] void fail_as_it_ended();
  std::string last_words() const;
  void close_pipes();
  int kill_and_wait();

  std::string name_;
  pid_t process_ = -1;  // also its process group
  int to_ = -1;
  int from_ = -1;
  int errors_ = -1;  // what it wrote to stderr
  std::string unread_;
};

}  // namespace speedwell::bench
