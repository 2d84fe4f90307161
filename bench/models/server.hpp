// SPDX-License-Identifier: Apache-2.0
// A server on the loopback that takes its time: "<task> <delay in ms>\n" is answered after the delay by
// "<task> <value>\n", and the connection is closed.
#pragma once

#include <cstdint>
#include <memory>

namespace speedwell::bench::models {

// What it answers to a task.
constexpr std::uint64_t value_of(std::uint64_t task) {
  return (task * 2654435761u + 12345u) % (std::uint64_t{1} << 32);
}

// It runs on a thread of its own until its end.
class Server {
 public:
  // At this port, or if it is 0, at one that is free. Throws std::system_error, also if it doesn't answer itself.
  explicit Server(int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace speedwell::bench::models
