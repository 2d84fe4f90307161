// SPDX-License-Identifier: Apache-2.0
// Concurrency on one thread. A coroutine gives the thread up wherever it waits (co_await), and only there: what waits
// overlaps, what computes doesn't. In Python: asyncio.
#include <asio.hpp>

#include "tasks.hpp"

asio::awaitable<void> wait_once() {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> compute_once(int task, int& primes) {
  primes = compute(task);
  co_return;
}

int main() {
  show("wait", [] {
    asio::io_context loop;
    for (int task = 0; task < tasks; ++task) asio::co_spawn(loop, wait_once(), asio::detached);
    loop.run();
  });
  show("compute", [] {
    asio::io_context loop;
    std::array<int, tasks> primes;
    for (int task = 0; task < tasks; ++task) asio::co_spawn(loop, compute_once(task, primes[task]), asio::detached);
    loop.run();
    check(primes);
  });
}
