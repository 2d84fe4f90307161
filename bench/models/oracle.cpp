// SPDX-License-Identifier: Apache-2.0
#include "bench/models/oracle.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <string_view>

#include "bench/files.hpp"
#include "bench/models/server.hpp"

namespace speedwell::bench::models {

namespace {

// The CRC-32 of zlib, PNG and Ethernet, byte by byte.
class Crc {
 public:
  void add(std::string_view bytes) {
    static const std::array<std::uint32_t, 256> table = make_table();
    for (const char byte : bytes) crc_ = table[(crc_ ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (crc_ >> 8);
  }
  void add(float value) {
    std::array<char, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    add({bytes.data(), bytes.size()});
  }
  std::uint64_t value() const { return crc_ ^ 0xFFFFFFFFu; }

 private:
  static std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0u);
      table[byte] = crc;
    }
    return table;
  }
  std::uint32_t crc_ = 0xFFFFFFFFu;
};

// Rows and columns repeat, so the product has 35 different elements.
std::uint64_t product(int size, int task) {
  std::array<std::array<float, matmul_b_period>, matmul_a_period> elements{};
  for (int row = 0; row < matmul_a_period; ++row) {
    for (int column = 0; column < matmul_b_period; ++column) {
      int sum = 0;
      for (int k = 0; k < size; ++k) sum += matmul_a(row, k, 0) * matmul_b(k, column);
      elements[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)] = static_cast<float>(sum);
    }
  }
  Crc crc;
  for (int row = 0; row < size; ++row) {
    const auto& line = elements[static_cast<std::size_t>((row + task) % matmul_a_period)];
    for (int column = 0; column < size; ++column) crc.add(line[static_cast<std::size_t>(column % matmul_b_period)]);
  }
  return crc.value();
}

// Half of the kernel, from its centre: integers out of 256, as image_filter.hpp says.
std::vector<int> gaussian_weights() {
  const int radius = (static_cast<int>(std::lround(6 * filter_sigma + 1)) | 1) / 2;
  std::vector<double> exact;
  double sum = 0;
  for (int i = 0; i <= radius; ++i) {
    exact.push_back(std::exp(-i * i / (2 * filter_sigma * filter_sigma)));
    sum += i == 0 ? exact.back() : 2 * exact.back();
  }
  std::vector<int> weights(exact.size());
  double carried = 0;
  int rest = 256;
  for (int i = radius; i > 0; --i) {
    const double wanted = 256 * exact[static_cast<std::size_t>(i)] / sum + carried;
    weights[static_cast<std::size_t>(i)] = static_cast<int>(std::lround(wanted));
    carried = wanted - weights[static_cast<std::size_t>(i)];
    rest -= 2 * weights[static_cast<std::size_t>(i)];
  }
  weights[0] = rest;
  return weights;
}

// The image is the same along each diagonal, and so is what becomes of it.
std::string blurred_diagonals() {
  const std::vector<int> half = gaussian_weights();
  const int radius = static_cast<int>(half.size()) - 1;
  std::string diagonals;
  for (int k = 0; k < filter_period; ++k) {
    int sum = 32768;
    for (int y = -radius; y <= radius; ++y) {
      for (int x = -radius; x <= radius; ++x) {
        const int weight = half[static_cast<std::size_t>(std::abs(x))] * half[static_cast<std::size_t>(std::abs(y))];
        sum += weight * filter_pattern((k + x + y + 2 * filter_period) % filter_period);
      }
    }
    diagonals += static_cast<char>(sum >> 16);
  }
  return diagonals;
}

std::uint64_t filtered(const std::string& diagonals, int size, int units, int kind) {
  Crc crc;
  std::string row(static_cast<std::size_t>(size), '\0');
  for (int unit = 0; unit < units; ++unit) {
    for (int y = 0; y < size; y += filter_checked_row) {
      for (int x = 0; x < size; ++x)
        row[static_cast<std::size_t>(x)] =
            diagonals[static_cast<std::size_t>((x + y + 5 * kind + 11 * unit) % filter_period)];
      crc.add(row);
    }
  }
  return crc.value();
}

std::uint64_t filtered_by_python(int size, int kind) {
  const auto pixel = [&](int x, int y) {
    return filter_pattern((std::clamp(x, 0, size - 1) + std::clamp(y, 0, size - 1) + 5 * kind) % filter_period);
  };
  Crc crc;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      int sum = 8;
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) sum += (2 - std::abs(dx)) * (2 - std::abs(dy)) * pixel(x + dx, y + dy);
      }
      const char result = static_cast<char>(sum >> 4);
      crc.add({&result, 1});
    }
  }
  return crc.value();
}

std::uint64_t triad_of(int size, int task) {
  Crc crc;
  for (int i = 0; i < size; i += triad_checked_element)
    crc.add(static_cast<float>(i % triad_b_period + triad_scale(task) * (i % triad_c_period)));
  return crc.value();
}

std::string block_of(int number) {
  std::string bytes(block_bytes, '\0');
  std::uint64_t state = static_cast<std::uint64_t>(number) + 1;
  for (char& byte : bytes) {
    // Knuth's linear congruential generator; its upper bits are the better ones.
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

}  // namespace

std::vector<Expected> expected_results(const Job& job, Work work) {
  const std::string diagonals = blurred_diagonals();
  std::map<int, std::uint64_t> known;
  const auto filter = [&](int kind) {
    const auto [place, is_new] = known.try_emplace(kind);
    if (is_new) {
      place->second =
          work == Work::kernels ? filtered(diagonals, job.size, job.units, kind) : filtered_by_python(job.size, kind);
    }
    return place->second;
  };
  const auto multiply = [&](int task) {
    const auto [place, is_new] = known.try_emplace(task % matmul_a_period);
    if (is_new) place->second = product(job.size, task);
    return place->second;
  };
  const auto one = [&](int task) -> Expected {
    const auto exactly = [](std::uint64_t value) { return Expected{value, value}; };
    switch (job.nature) {
      case Nature::requests:
        return exactly(value_of(static_cast<std::uint64_t>(task)));
      case Nature::timers:
        return {static_cast<std::uint64_t>(job.delay_ms), UINT64_MAX};
      case Nature::files: {
        Crc crc;
        crc.add(block_of(task));
        return exactly(crc.value());
      }
      case Nature::matmul:
        return exactly(multiply(task));
      case Nature::filter:
        return exactly(filter(task));
      case Nature::triad:
        return exactly(triad_of(job.size, task));
      case Nature::mixed:
        break;
    }
    return exactly(filter(static_cast<int>(value_of(static_cast<std::uint64_t>(task)) % mixed_kinds)));
  };
  std::vector<Expected> expected;
  for (int task = 0; task < job.tasks; ++task) expected.push_back(one(task));
  return expected;
}

std::string mistake(const std::vector<std::string>& results, const std::vector<Expected>& expected) {
  if (results.size() != expected.size()) return fmt::format("{} results, expected {}", results.size(), expected.size());
  for (std::size_t task = 0; task < expected.size(); ++task) {
    const std::string& text = results[task];
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = error == std::errc{} && end == text.data() + text.size();
    const auto [low, high] = expected[task];
    if (number && value >= low && value <= high) continue;
    return fmt::format("task {} gave {}, expected {}{}", task, text, low == high ? "" : "at least ", low);
  }
  return {};
}

void write_blocks(const std::filesystem::path& file, int blocks) {
  std::string bytes;
  for (int block = 0; block < blocks; ++block) bytes += block_of(block);
  // Durable, so that the system may drop it from its cache.
  write_file_atomically(file, bytes);
}

}  // namespace speedwell::bench::models
