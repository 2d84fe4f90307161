// SPDX-License-Identifier: Apache-2.0
#include "bench/models/task.hpp"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <speedwell/image_filter.hpp>
#include <speedwell/matmul.hpp>
#include <speedwell/stream.hpp>

#include "bench/child/sampling.hpp"

namespace speedwell::bench::models {

namespace {

// The longest answer is two numbers.
constexpr std::size_t longest_answer = 64;

std::size_t rows_of_unit(const Job& job) { return static_cast<std::size_t>((job.size + job.units - 1) / job.units); }

std::size_t output_floats(const Job& job) {
  const auto size = static_cast<std::size_t>(job.size);
  switch (job.nature) {
    case Nature::matmul:
      return rows_of_unit(job) * size;
    case Nature::filter:
    case Nature::mixed:
      return size * size / sizeof(float);
    case Nature::triad:
      return size;
    default:
      return 0;
  }
}

std::uint64_t crc_of(std::uint64_t crc, const void* data, std::size_t bytes) {
  return ::crc32(static_cast<uLong>(crc), static_cast<const Bytef*>(data), static_cast<uInt>(bytes));
}

}  // namespace

std::size_t Inputs::bytes(const Job& job) {
  const auto size = static_cast<std::size_t>(job.size), tasks = static_cast<std::size_t>(job.tasks);
  switch (job.nature) {
    // One tall A, of which each task has a window, and B.
    case Nature::matmul:
      return ((size + tasks) * size + size * size) * sizeof(float);
    // One wide image: its windows are all the images there are.
    case Nature::filter:
    case Nature::mixed:
      return (size + filter_period) * size;
    case Nature::triad:
      return 2 * size * sizeof(float);
    default:
      return 0;
  }
}

Inputs::Inputs(const Job& job, std::byte* memory) : job_(job), memory_(memory) {
  if (job.nature != Nature::files) return;
  file_ = ::open(job.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) throw std::system_error(errno, std::generic_category(), "cannot open " + job.file);
}

Inputs::~Inputs() {
  if (file_ >= 0) ::close(file_);
}

void Inputs::fill() {
  const std::ptrdiff_t size = job_.size;
  auto* const numbers = reinterpret_cast<float*>(memory_);
  switch (job_.nature) {
    case Nature::matmul:
      for (std::ptrdiff_t row = 0; row < size + job_.tasks; ++row) {
        for (std::ptrdiff_t k = 0; k < size; ++k)
          numbers[row * size + k] = static_cast<float>(matmul_a(static_cast<int>(row), static_cast<int>(k), 0));
      }
      for (std::ptrdiff_t k = 0; k < size; ++k) {
        for (std::ptrdiff_t column = 0; column < size; ++column)
          numbers[(size + job_.tasks + k) * size + column] =
              static_cast<float>(matmul_b(static_cast<int>(k), static_cast<int>(column)));
      }
      return;
    case Nature::filter:
    case Nature::mixed: {
      const std::ptrdiff_t width = size + filter_period;
      for (std::ptrdiff_t y = 0; y < size; ++y) {
        for (std::ptrdiff_t x = 0; x < width; ++x)
          memory_[y * width + x] = static_cast<std::byte>(filter_pattern(static_cast<int>((x + y) % filter_period)));
      }
      return;
    }
    case Nature::triad:
      for (std::ptrdiff_t i = 0; i < size; ++i) {
        numbers[i] = static_cast<float>(i % triad_b_period);
        numbers[size + i] = static_cast<float>(i % triad_c_period);
      }
      return;
    default:
      return;
  }
}

Lane::Lane(const Inputs& all, Board& written, int number)
    : inputs(all),
      board(written),
      index(number),
      output(output_floats(all.job()), -1.0f),
      sockets(std::make_unique<asio::io_context>(1)) {
  Task task(*this, 0);
  for (int unit = 0; unit < task.units(); ++unit) task.compute(unit);
}

Task::Task(Lane& lane, int number) : job_(lane.inputs.job()), lane_(lane), number_(number), kind_(number) {
  if (job_.nature == Nature::files) answer_.resize(block_bytes);
  if (job_.nature == Nature::requests || job_.nature == Nature::mixed) answer_.resize(longest_answer);
}

void Task::begin() {
  began_ns_ = wall_ns();
  lane_.board.begin_task(number_);
}

std::string Task::request() const { return std::to_string(number_) + ' ' + std::to_string(job_.delay_ms) + '\n'; }

void Task::ask() {
  if (job_.nature == Nature::files) {
    // Otherwise the block would come out of the system's cache.
    ::posix_fadvise(lane_.inputs.file(), off_t{number_} * block_bytes, block_bytes, POSIX_FADV_DONTNEED);
  } else if (job_.nature != Nature::timers) {
    socket_.emplace(*lane_.sockets);
    socket_->connect({asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(job_.port)});
    asio::write(*socket_, asio::buffer(request()));
  }
}

void Task::wait() {
  if (job_.nature == Nature::timers) {
    std::this_thread::sleep_for(std::chrono::milliseconds(job_.delay_ms));
  } else if (job_.nature == Nature::files) {
    const off_t from = off_t{number_} * block_bytes;
    if (::pread(lane_.inputs.file(), answer_.data(), answer_.size(), from) != block_bytes)
      throw std::runtime_error(job_.file + " is too short");
  } else {
    std::error_code end;
    answered(asio::read(*socket_, asio::buffer(answer_), end));
    if (end != asio::error::eof) throw std::system_error(end, "the server's answer");
  }
}

void Task::take() {
  if (job_.nature == Nature::timers) {
    result_ = static_cast<std::uint64_t>((wall_ns() - began_ns_) / 1'000'000);
  } else if (job_.nature == Nature::files) {
    result_ = crc_of(0, answer_.data(), answer_.size());
  } else {
    // "<task> <value>\n"
    const std::string_view line(answer_.data(), answer_.size());
    const std::string mine = std::to_string(number_) + ' ';
    const char* const end = answer_.data() + answer_.size();
    if (!line.starts_with(mine) || std::from_chars(answer_.data() + mine.size(), end, result_).ec != std::errc{})
      throw std::runtime_error("the server answered '" + std::string(line) + "', expected '" + mine + "' and a number");
    if (job_.nature == Nature::mixed) kind_ = static_cast<int>(result_ % mixed_kinds);
  }
  if (computes(job_.nature)) result_ = 0;
}

void Task::compute(int unit) {
  switch (job_.nature) {
    case Nature::matmul:
      return multiply(unit);
    case Nature::triad:
      return add(unit);
    default:
      return blur(unit);
  }
}

void Task::multiply(int unit) {
  const std::ptrdiff_t size = job_.size, rows = static_cast<std::ptrdiff_t>(rows_of_unit(job_));
  const std::ptrdiff_t first = std::min(size, unit * rows), count = std::min(size, first + rows) - first;
  const float* const a = lane_.inputs.floats().data() + (kind_ + first) * size;
  const float* const b = lane_.inputs.floats().data() + (size + job_.tasks) * size;
  float* const c = lane_.output.data();
  matmul(MatrixView<const float>{a, count, size}, MatrixView<const float>{b, size, size},
         MatrixView<float>{c, count, size}, {.backend = Sequential{}});
  result_ = crc_of(result_, c, static_cast<std::size_t>(count * size) * sizeof(float));
}

void Task::blur(int unit) {
  const std::ptrdiff_t size = job_.size;
  const std::uint8_t* const src = lane_.inputs.image().data() + (5 * kind_ + 11 * unit) % filter_period;
  auto* const dst = reinterpret_cast<std::uint8_t*>(lane_.output.data());
  gaussian_blur(ImageView<const std::uint8_t>{src, size, size, 1, size + filter_period},
                ImageView<std::uint8_t>{dst, size, size, 1},
                {.sigma = filter_sigma, .border = Border::wrap, .backend = Sequential{}});
  for (std::ptrdiff_t y = 0; y < size; y += filter_checked_row)
    result_ = crc_of(result_, dst + y * size, static_cast<std::size_t>(size));
}

void Task::add(int unit) {
  const auto size = static_cast<std::size_t>(job_.size), part = rows_of_unit(job_);
  const std::size_t first = std::min(size, static_cast<std::size_t>(unit) * part);
  const std::size_t count = std::min(size, first + part) - first;
  const std::span<const float> b = lane_.inputs.floats().subspan(first, count);
  const std::span<const float> c = lane_.inputs.floats().subspan(size + first, count);
  const std::span<float> a(lane_.output.data() + first, count);
  triad(b, c, a, {.scale = static_cast<double>(triad_scale(kind_)), .backend = Sequential{}});
  std::vector<float> checked;
  constexpr std::size_t step = triad_checked_element;
  for (std::size_t i = (first + step - 1) / step * step; i < first + count; i += step) checked.push_back(a[i - first]);
  result_ = crc_of(result_, checked.data(), checked.size() * sizeof(float));
}

void Task::finish() { lane_.board.end_task(number_, result_); }

}  // namespace speedwell::bench::models
