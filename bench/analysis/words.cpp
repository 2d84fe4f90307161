// SPDX-License-Identifier: Apache-2.0
#include "bench/analysis/words.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <fmt/format.h>

namespace speedwell::bench::analysis {

std::string number(double value) {
  if (!std::isfinite(value)) return "?";
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size < 1e-3 || size >= 1e6) return fmt::format("{:.2e}", value);
  // 9.995 is printed as 10.0: the digits are counted after rounding.
  const int magnitude = static_cast<int>(std::floor(std::log10(size * (1 + 5e-4))));
  return fmt::format("{:.{}f}", value, std::clamp(2 - magnitude, 0, 5));
}

std::string duration(double ns) {
  if (!std::isfinite(ns)) return "?";
  if (ns < 999.5) return number(ns) + " ns";
  if (ns < 999.5e3) return number(ns / 1e3) + " µs";
  if (ns < 999.5e6) return number(ns / 1e6) + " ms";
  return number(ns / 1e9) + " s";
}

std::string range(Interval interval) { return number(interval.low) + "–" + number(interval.high); }

std::string times(double ratio, Interval interval) { return fmt::format("{}× ({})", number(ratio), range(interval)); }

std::string list(std::span<const std::string> items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += items[i];
  }
  return text;
}

}  // namespace speedwell::bench::analysis
