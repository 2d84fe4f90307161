// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.
#pragma once

#include <span>
#include <string>

#include "runtime/scaling/statistics.hpp"

namespace speedwell::scaling {

// Three significant digits, no exponent between a thousandth and a million: 0.0123, 1.94, 12.1, 123.
std::string number(double value);

// "12.4 ms", "850 ns"
std::string duration(double ns);

// "12.4 ms (12.2 to 12.9 ms)"
std::string duration(double ns, Interval interval);

// "1.91–1.96"
std::string range(Interval interval);

// "1.94× (1.91–1.96)"
std::string times(double ratio, Interval interval);

// "openmp, tbb and threads"
std::string list(std::span<const std::string> items);

}  // namespace speedwell::scaling
