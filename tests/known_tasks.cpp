// SPDX-License-Identifier: Apache-2.0
#include "tests/known_tasks.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <unordered_map>

#include <speedwell/image_filter.hpp>
#include <speedwell/matmul.hpp>
#include <speedwell/stream.hpp>

namespace speedwell::test {

namespace {

using Task = std::function<void()>;
using std::chrono::microseconds;

// Arithmetic on registers, whose length is the machine's matter, not the clock's: about a microsecond for each.
void compute(int about_microseconds) {
  static std::atomic<double> kept = 0;
  double x = 1;
  for (int i = 0; i < 500 * about_microseconds; ++i) x = x * 0.999 + 0.5;
  kept.store(x, std::memory_order_relaxed);
}

// Answers a byte with a byte, a millisecond later; a thread for each connection.
class EchoServer {
 public:
  EchoServer() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address_), size) != 0 ||
        listen(listener_, 64) != 0 || getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size) != 0) {
      throw std::runtime_error("no loopback server");
    }
    accepting_ = std::thread([this] {
      for (int connection; (connection = accept(listener_, nullptr, nullptr)) >= 0;) {
        connections_.emplace_back([connection] {
          char byte = 0;
          while (read(connection, &byte, 1) == 1) {
            std::this_thread::sleep_for(microseconds(1000));
            if (write(connection, &byte, 1) != 1) break;
          }
          close(connection);
        });
      }
    });
  }

  ~EchoServer() {
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    close(listener_);
    for (std::thread& connection : connections_) connection.join();
  }

  int connect() const {
    const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(connection, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) {
      close(connection);
      throw std::runtime_error("no connection to the loopback server");
    }
    return connection;
  }

 private:
  int listener_ = -1;
  sockaddr_in address_{};
  std::thread accepting_;
  std::vector<std::thread> connections_;
};

// Each call is an exchange on a connection that no other call has meanwhile.
Task echo_client() {
  struct Client {
    ~Client() {
      for (const int connection : idle) close(connection);
    }
    EchoServer server;  // goes after the connections are closed
    std::mutex lock;
    std::vector<int> idle;
  };
  return [client = std::make_shared<Client>()] {
    int connection = -1;
    {
      const std::lock_guard guard(client->lock);
      if (!client->idle.empty()) {
        connection = client->idle.back();
        client->idle.pop_back();
      }
    }
    if (connection < 0) connection = client->server.connect();
    char byte = 'x';
    if (write(connection, &byte, 1) != 1 || read(connection, &byte, 1) != 1) throw std::runtime_error("no echo");
    const std::lock_guard guard(client->lock);
    client->idle.push_back(connection);
  };
}

// Reads a megabyte that the kernel has in memory.
Task file_reader() {
  constexpr std::size_t bytes = 1 << 20;
  const auto file = std::shared_ptr<std::FILE>(std::tmpfile(), std::fclose);
  if (!file) throw std::runtime_error("no temporary file");
  const std::vector<char> content(bytes, 'x');
  std::fwrite(content.data(), 1, bytes, file.get());
  std::fflush(file.get());
  return [file] {
    std::array<char, 65536> block;
    for (std::size_t at = 0; at < bytes; at += block.size()) {
      if (pread(fileno(file.get()), block.data(), block.size(), static_cast<off_t>(at)) != ssize_t{65536}) {
        throw std::runtime_error("a short read");
      }
    }
  };
}

// Lempel and Ziv's of 1978: each new string is one that was there and a letter.
std::size_t compressed_size(std::string_view text) {
  std::unordered_map<std::uint64_t, std::uint64_t> strings;
  std::uint64_t current = 0;
  std::size_t written = 0;
  for (const char letter : text) {
    const std::uint64_t longer = current << 8 | static_cast<unsigned char>(letter);
    const auto [found, is_new] = strings.emplace(longer, strings.size() + 1);
    if (is_new) ++written;
    current = is_new ? 0 : found->second;
  }
  return written;
}

Task compressor() {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += std::to_string(i * i % 977) + ' ';
  return [text] {
    if (compressed_size(text) >= text.size()) throw std::runtime_error("it didn't compress");
  };
}

Task product(int size, Backend backend) {
  const auto count = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  const auto factor = std::make_shared<std::vector<float>>(count, 0.5F);
  return [factor, size, backend] {
    thread_local std::vector<float> result;
    result.resize(factor->size());
    matmul(MatrixView<const float>(factor->data(), size, size), MatrixView<const float>(factor->data(), size, size),
           MatrixView<float>(result.data(), size, size), {.backend = backend});
  };
}

Task blur() {
  constexpr int side = 512;
  const auto image = std::make_shared<std::vector<std::uint8_t>>(side * side, 100);
  return [image] {
    thread_local std::vector<std::uint8_t> result(side * side);
    gaussian_blur(ImageView<const std::uint8_t>(image->data(), side, side),
                  ImageView<std::uint8_t>(result.data(), side, side), {.sigma = 3, .backend = Sequential{}});
  };
}

// Vectors that no cache holds, a piece a call. They have been gone through once, as memory is slow the first time, on
// virtual machines by a lot.
Task long_triad() {
  constexpr std::size_t length = 1 << 22, piece = 1 << 16;
  struct Vectors {
    std::vector<float> a = std::vector<float>(length, 0), b = std::vector<float>(length, 1),
                       c = std::vector<float>(length, 2);
    std::atomic<std::size_t> next = 0;
  };
  const Task task = [vectors = std::make_shared<Vectors>()] {
    const std::size_t at = vectors->next.fetch_add(piece) % length;
    const float* const b = vectors->b.data() + at;
    const float* const c = vectors->c.data() + at;
    float* const a = vectors->a.data() + at;
    for (std::size_t i = 0; i < piece; ++i) a[i] = b[i] + 3 * c[i];
  };
  for (std::size_t at = 0; at < length; at += piece) task();
  return task;
}

Task convoy(const Task& guarded) {
  return [guarded, lock = std::make_shared<std::mutex>()] {
    const std::lock_guard guard(*lock);
    guarded();
  };
}

// Fails where it is entered a second time before it is left.
Task selfish() {
  return [inside = std::make_shared<std::atomic<int>>(0)] {
    if (inside->fetch_add(1) > 0) {
      inside->fetch_sub(1);
      throw std::runtime_error("entered twice");
    }
    compute(500);
    inside->fetch_sub(1);
  };
}

using IsRight = std::function<bool(const Nature&, const Advice&)>;

IsRight waiting() {
  return [](const Nature&, const Advice& advice) {
    return advice.kind == WorkKind::waiting && advice.technique == "coroutines" && advice.cores == 1 &&
           advice.at_once >= 4;
  };
}

// On one core the right thing is to do nothing clever.
IsRight computing(const std::string& technique = "threads") {
  return [technique](const Nature& nature, const Advice& advice) {
    if (nature.cores == 1) return advice.technique == "sequential" && advice.cores == 1;
    return advice.kind == WorkKind::computing && advice.technique == technique && advice.cores == nature.cores;
  };
}

std::string parallel_loop() { return is_built(OpenMp{}) ? "openmp" : is_built(Tbb{}) ? "tbb" : "threads"; }

// All cores are as right where bandwidth isn't short, as triads beside each other show.
IsRight memory_bound() {
  return [](const Nature& nature, const Advice& advice) {
    if (nature.cores == 1) return advice.technique == "sequential";
    const bool is_short = nature.bandwidth_share && nature.at_once.back().gain < 0.85 * nature.cores;
    return advice.technique == "threads" && advice.kind == (is_short ? WorkKind::memory_bound : WorkKind::computing);
  };
}

// What the kernel copies may be bound by either.
IsRight copying() {
  return [](const Nature& nature, const Advice& advice) {
    if (nature.cores == 1) return advice.technique == "sequential";
    return advice.technique == "threads" &&
           (advice.kind == WorkKind::memory_bound || advice.kind == WorkKind::computing);
  };
}

IsRight lock_bound(bool waits) {
  return [waits](const Nature& nature, const Advice& advice) {
    if (nature.cores == 1 && !waits) return advice.technique == "sequential";
    return advice.kind == WorkKind::lock_bound && advice.technique == "processes";
  };
}

IsRight mixed() {
  return [](const Nature& nature, const Advice& advice) {
    return advice.kind == WorkKind::mixed && advice.technique == (nature.cores == 1 ? "coroutines" : "threads") &&
           advice.at_once > nature.cores;
  };
}

IsRight parallel() {
  return [](const Nature& nature, const Advice& advice) {
    return advice.technique == "sequential" && (nature.cores == 1 || advice.kind == WorkKind::parallel);
  };
}

IsRight alone() {
  return [](const Nature& nature, const Advice& advice) {
    return advice.technique == (nature.cores == 1 ? "sequential" : "processes");
  };
}

Task sleeper(int duration) {
  return [duration] { std::this_thread::sleep_for(microseconds(duration)); };
}

}  // namespace

std::vector<KnownTask> known_tasks() {
  return {
      {"a sleeper of 3 ms", [] { return sleeper(3000); }, waiting()},
      {"a sleeper of 300 µs", [] { return sleeper(300); }, waiting()},
      {"an echo client", echo_client, waiting()},
      {"a file reader", file_reader, copying()},
      {"a compressor", compressor, computing()},
      {"matmul 48", [] { return product(48, Sequential{}); }, computing(parallel_loop())},
      {"matmul 256", [] { return product(256, Sequential{}); }, computing()},
      {"matmul 512", [] { return product(512, Sequential{}); }, computing()},
      {"matmul 768 on all cores", [] { return product(768, Threads{}); }, parallel()},
      {"a gaussian blur", blur, computing()},
      {"triad", long_triad, memory_bound()},
      {"a lock convoy", [] { return convoy([] { compute(200); }); }, lock_bound(false)},
      {"a lock held asleep", [] { return convoy(sleeper(500)); }, lock_bound(true)},
      {"a mixed pipeline", [] { return [] { compute(600), sleeper(500)(); }; }, mixed()},
      {"a tiny spin", [] { return [] { compute(1); }; }, computing(parallel_loop())},
      {"a selfish one", selfish, alone()},
  };
}

}  // namespace speedwell::test
