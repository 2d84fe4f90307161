// SPDX-License-Identifier: Apache-2.0
#include "runtime/scaling/words.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <fmt/format.h>

namespace speedwell::scaling {

std::string number(double value) {
  if (!std::isfinite(value)) return "?";
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size < 1e-3 || size >= 1e6) return fmt::format("{:.2e}", value);
  // 9.995 is printed as 10.0: the digits are counted after rounding.
  const int magnitude = static_cast<int>(std::floor(std::log10(size * (1 + 5e-4))));
  return fmt::format("{:.{}f}", value, std::clamp(2 - magnitude, 0, 5));
}

namespace {

struct Unit {
  double ns;
  const char* name;
};

Unit unit_of(double ns) {
  if (ns < 999.5) return {1, "ns"};
  if (ns < 999.5e3) return {1e3, "µs"};
  if (ns < 999.5e6) return {1e6, "ms"};
  return {1e9, "s"};
}

}  // namespace

std::string duration(double ns) {
  if (!std::isfinite(ns)) return "?";
  const Unit unit = unit_of(ns);
  return fmt::format("{} {}", number(ns / unit.ns), unit.name);
}

std::string duration(double ns, Interval interval) {
  const Unit unit = unit_of(ns);
  return fmt::format("{0} {3} ({1} to {2} {3})", number(ns / unit.ns), number(interval.low / unit.ns),
                     number(interval.high / unit.ns), unit.name);
}

std::string range(Interval interval) { return fmt::format("{}–{}", number(interval.low), number(interval.high)); }

std::string times(double ratio, Interval interval) { return fmt::format("{}× ({})", number(ratio), range(interval)); }

std::string list(std::span<const std::string> items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += items[i];
  }
  return text;
}

}  // namespace speedwell::scaling
