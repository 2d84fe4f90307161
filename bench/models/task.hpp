// SPDX-License-Identifier: Apache-2.0
// What the tasks of each nature do, without a word on how many of them do it at a time: that is the techniques'.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/models/board.hpp"
#include "bench/models/job.hpp"

namespace speedwell::bench::models {

// What all tasks read. It lies in memory that processes can share.
class Inputs {
 public:
  static std::size_t bytes(const Job& job);
  // In `memory`, aligned to a page. Throws std::system_error if the file can't be opened.
  Inputs(const Job& job, std::byte* memory);
  ~Inputs();
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;

  // Writes them; once for all processes that share them.
  void fill();

  const Job& job() const { return job_; }
  int file() const { return file_; }
  std::span<const float> floats() const {
    return {reinterpret_cast<const float*>(memory_), bytes(job_) / sizeof(float)};
  }
  std::span<const std::uint8_t> image() const { return {reinterpret_cast<const std::uint8_t*>(memory_), bytes(job_)}; }

 private:
  const Job job_;
  std::byte* const memory_;
  int file_ = -1;
};

// A thread or process at work, with memory of its own to write to.
struct Lane {
  // Does a task's CPU work once: on a virtual machine, memory can be slow until it has been used.
  Lane(const Inputs& inputs, Board& board, int index);

  const Inputs& inputs;
  Board& board;
  int index;
  std::vector<float> output;
  std::unique_ptr<asio::io_context> sockets;
};

// One task. In this order: begin, ask, wait, take, each unit of CPU work, and finish.
class Task {
 public:
  Task(Lane& lane, int number);

  void begin();
  int number() const { return number_; }
  bool waits() const { return models::waits(job_.nature); }
  // Before it waits: it connects and sends the request.
  void ask();
  // Blocks until there is an answer.
  void wait();
  // What it does with the answer, which may also have come in another way.
  void take();
  int units() const { return computes(job_.nature) ? job_.units : 0; }
  void compute(int unit);
  void finish();

  // For those who wait in another way.
  std::string request() const;
  std::span<char> answer() { return answer_; }
  void answered(std::size_t bytes) { answer_.resize(bytes); }

 private:
  void multiply(int unit);
  void blur(int unit);
  void add(int unit);

  const Job& job_;
  Lane& lane_;
  int number_;
  int kind_;  // of CPU work: the task's number, or what it fetched
  std::int64_t began_ns_ = 0;
  std::vector<char> answer_;
  std::optional<asio::ip::tcp::socket> socket_;
  std::uint64_t result_ = 0;
};

}  // namespace speedwell::bench::models
