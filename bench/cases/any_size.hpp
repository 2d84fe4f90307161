// SPDX-License-Identifier: Apache-2.0
// Cases of sizes that aren't listed: from the text of a size to the case, and texts of sizes to tune on and to be
// judged on.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <speedwell/error.hpp>

#include "bench/case.hpp"

namespace speedwell::bench {

// `count` numbers with an x between them, each from 1 to `most`. Nothing if the text isn't written so; none begins with
// a zero, as a case has one name. Throws InvalidArgument for one out of range.
template <std::size_t count>
std::optional<std::array<std::ptrdiff_t, count>> numbers_of_size(std::string_view text, std::ptrdiff_t most) {
  std::array<std::ptrdiff_t, count> numbers = {};
  std::string_view rest = text;
  std::string_view wrong;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = i + 1 < count ? rest.find('x') : rest.size();
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view digits = rest.substr(0, end);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), numbers[i]);
    if (error != std::errc() || numbers[i] < 1 || numbers[i] > most) wrong = digits;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!wrong.empty()) {
    throw InvalidArgument("the size " + std::string(text) + " has " + std::string(wrong) +
                          " in it, expected numbers from 1 to " + std::to_string(most));
  }
  return numbers;
}

// Of a vector, whose size is its number of elements: `make` makes the case of so many.
template <class Make>
std::function<std::optional<Case>(std::string_view)> any_count(Make make) {
  return [make](std::string_view text) -> std::optional<Case> {
    const auto numbers = numbers_of_size<1>(text, std::ptrdiff_t{1} << 30);
    return numbers ? std::optional<Case>(make((*numbers)[0])) : std::nullopt;
  };
}

// A number between two, evenly on a logarithmic scale.
inline std::ptrdiff_t number_between(double least, double most, double part) {
  return std::lround(least * std::pow(most / least, part));
}

// For any_count: from what is over before a thread could begin to what is far beyond the caches.
inline std::string count_at(double part) { return std::to_string(number_between(1000, 16e6, part)); }

}  // namespace speedwell::bench
