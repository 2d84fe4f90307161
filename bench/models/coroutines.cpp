// SPDX-License-Identifier: Apache-2.0
// Coroutines on one thread: each gives the thread back where it waits, and the loop goes on with another one that
// needn't.
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <chrono>
#include <exception>
#include <system_error>

#include "bench/models/techniques.hpp"

namespace speedwell::bench::models {

namespace {

using asio::use_awaitable;

// Files can't be waited for by a loop without io_uring, which many systems forbid: a pool reads, as in Python's
// asyncio.
constexpr int readers = 4;

asio::awaitable<void> fetch(Lane& lane, Task& task) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(),
                                       static_cast<asio::ip::port_type>(lane.inputs.job().port));
  co_await socket.async_connect(server, use_awaitable);
  const std::string request = task.request();
  co_await asio::async_write(socket, asio::buffer(request), use_awaitable);
  std::error_code end;
  const std::span<char> answer = task.answer();
  const std::size_t bytes = co_await asio::async_read(socket, asio::buffer(answer.data(), answer.size()),
                                                      asio::redirect_error(use_awaitable, end));
  if (end != asio::error::eof) throw std::system_error(end, "the server's answer");
  task.answered(bytes);
}

asio::awaitable<void> sleep(Lane& lane) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(lane.inputs.job().delay_ms));
  co_await timer.async_wait(use_awaitable);
}

asio::awaitable<void> read(Task& task) {
  task.ask();
  task.wait();
  co_return;
}

asio::awaitable<void> await_answer(Lane& lane, Task& task, asio::thread_pool& pool) {
  const Waiting waiting(lane.board, task.number(), lane.index);
  if (lane.inputs.job().nature == Nature::timers) {
    co_await sleep(lane);
  } else if (lane.inputs.job().nature == Nature::files) {
    co_await asio::co_spawn(pool, read(task), use_awaitable);
  } else {
    co_await fetch(lane, task);
  }
}

asio::awaitable<void> run(Lane& lane, int number, asio::thread_pool& pool) {
  Task task(lane, number);
  task.begin();
  if (task.waits()) {
    co_await await_answer(lane, task, pool);
    const Computing computing(lane.board, number, lane.index);
    task.take();
  }
  for (int unit = 0; unit < task.units(); ++unit) {
    {
      const Computing computing(lane.board, number, lane.index);
      task.compute(unit);
    }
    // Nobody takes the thread from a coroutine: it must let the others have a turn.
    if (unit + 1 < task.units()) co_await asio::post(use_awaitable);
  }
  task.finish();
}

}  // namespace

void run_coroutines(Stage& stage) {
  asio::io_context loop(1);
  asio::thread_pool pool(stage.inputs.job().nature == Nature::files ? readers : 0);
  std::exception_ptr first;
  stage.board.ready();
  for (int task = 0; task < stage.board.tasks(); ++task) {
    asio::co_spawn(loop, run(stage.lanes.front(), task, pool), [&](std::exception_ptr error) {
      if (error && !first) first = error;
    });
  }
  loop.run();
  if (first) std::rethrow_exception(first);
}

}  // namespace speedwell::bench::models
