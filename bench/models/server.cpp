// SPDX-License-Identifier: Apache-2.0
#include "bench/models/server.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <chrono>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace speedwell::bench::models {

namespace {

using asio::use_awaitable;
using asio::ip::tcp;

// Nobody of ours asks for a longer delay.
constexpr long longest_ms = 60'000;
constexpr std::size_t longest_request = 64;

// What goes wrong with one connection is that client's matter: it sees its connection end.
asio::awaitable<void> answer(tcp::socket socket) {
  std::string line;
  co_await asio::async_read_until(socket, asio::dynamic_buffer(line, longest_request), '\n', use_awaitable);
  std::istringstream words(line);
  std::uint64_t task = 0;
  long delay_ms = -1;
  if (!(words >> task >> delay_ms) || delay_ms < 0 || delay_ms > longest_ms) co_return;
  asio::steady_timer timer(socket.get_executor(), std::chrono::milliseconds(delay_ms));
  co_await timer.async_wait(use_awaitable);
  line = std::to_string(task) + ' ' + std::to_string(value_of(task)) + '\n';
  co_await asio::async_write(socket, asio::buffer(line), use_awaitable);
}

asio::awaitable<void> listen(tcp::acceptor& acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    asio::co_spawn(acceptor.get_executor(), answer(std::move(socket)), asio::detached);
  }
}

// One request to itself: a loopback that is down is seen here, and not in the middle of a measurement.
void try_out(unsigned short port) {
  asio::io_context context;
  tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  asio::write(socket, asio::buffer(std::string("0 0\n")));
  std::string line;
  std::error_code end;
  asio::read(socket, asio::dynamic_buffer(line), end);
  if (line != "0 " + std::to_string(value_of(0)) + "\n")
    throw std::system_error(std::make_error_code(std::errc::connection_refused), "the server doesn't answer");
}

}  // namespace

struct Server::Implementation {
  asio::io_context loop{1};
  tcp::acceptor acceptor;
  std::jthread thread;

  explicit Implementation(unsigned short port) : acceptor(loop, {asio::ip::address_v4::loopback(), port}) {
    acceptor.listen(asio::socket_base::max_listen_connections);
    asio::co_spawn(loop, listen(acceptor), asio::detached);
    thread = std::jthread([this] { loop.run(); });
  }
  ~Implementation() { loop.stop(); }
};

Server::Server(int port) : implementation_(std::make_unique<Implementation>(static_cast<unsigned short>(port))) {
  try_out(static_cast<unsigned short>(this->port()));
}

Server::~Server() = default;

int Server::port() const { return implementation_->acceptor.local_endpoint().port(); }

}  // namespace speedwell::bench::models
