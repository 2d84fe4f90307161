// SPDX-License-Identifier: Apache-2.0
#include "bench/report/sha256.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

namespace speedwell::bench::report {
namespace {

// The constants are the first 32 bits of the fractional parts of square roots (starting state) and cube roots (rounds)
// of the first primes; a double has bits to spare for them (5 before the point, 32 after, 53 in all).
struct Constants {
  std::array<std::uint32_t, 8> start{};
  std::array<std::uint32_t, 64> round{};
};

std::uint32_t fraction_of_root(unsigned prime, int degree) {
  const double root = degree == 2 ? std::sqrt(static_cast<double>(prime)) : std::cbrt(static_cast<double>(prime));
  return static_cast<std::uint32_t>(std::floor((root - std::floor(root)) * 4294967296.0));
}

Constants make_constants() {
  Constants c;
  std::size_t found = 0;
  for (unsigned n = 2; found < c.round.size(); ++n) {
    bool prime = true;
    for (unsigned d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (!prime) continue;
    if (found < c.start.size()) c.start[found] = fraction_of_root(n, 2);
    c.round[found++] = fraction_of_root(n, 3);
  }
  return c;
}

using State = std::array<std::uint32_t, 8>;

void add_block(State& state, const unsigned char* block, const std::array<std::uint32_t, 64>& k) {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t i = 0; i < 16; ++i)
    w[i] = std::uint32_t{block[4 * i]} << 24 | std::uint32_t{block[4 * i + 1]} << 16 |
           std::uint32_t{block[4 * i + 2]} << 8 | std::uint32_t{block[4 * i + 3]};
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const State mixed{a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < state.size(); ++i) state[i] += mixed[i];
}

State sha256(std::string_view text) {
  static const Constants constants = make_constants();
  // A one bit, zeros up to a multiple of 64 bytes, and the length in bits in the last eight.
  std::string padded(text);
  padded += '\x80';
  while (padded.size() % 64 != 56) padded += '\0';
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) padded += static_cast<char>(bits >> shift & 0xFF);

  State state = constants.start;
  for (std::size_t at = 0; at < padded.size(); at += 64)
    add_block(state, reinterpret_cast<const unsigned char*>(padded.data()) + at, constants.round);
  return state;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::string out;
  for (const std::uint32_t word : sha256(text)) {
    for (int shift = 28; shift >= 0; shift -= 4) out += "0123456789abcdef"[word >> shift & 15];
  }
  return out;
}

std::string sha256_base64(std::string_view text) {
  const State state = sha256(text);

  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < 32; at += 3) {
    std::uint32_t three = 0;
    for (std::size_t i = at; i < at + 3; ++i) {
      const std::uint32_t byte = i < 32 ? state[i / 4] >> (24 - 8 * (i % 4)) & 0xFF : 0;
      three = three << 8 | byte;
    }
    for (int shift = 18; shift >= 0; shift -= 6) out += digits[three >> shift & 63];
  }
  out.back() = '=';
  return out;
}

}  // namespace speedwell::bench::report
