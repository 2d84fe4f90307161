// SPDX-License-Identifier: Apache-2.0
// Curves of any quantity against threads: one a backend, and one a peer library as a reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/report/figure.hpp"

namespace speedwell::bench::report {

struct Measured {
  double value = unknown;
  Interval interval;
};

struct Row {
  int threads;
  double value;
  Interval interval;  // the value twice where none is known
  int samples;        // 0: not known
};

struct Series {
  std::string name;  // in the CSV
  std::string words;
  Look look;
  bool peer;
  std::vector<Row> rows;
};

// What of a point or a peer is shown; unknown values make no row, and a series without rows isn't there.
using OfPoint = std::function<Measured(const Point&)>;
using OfPeer = std::function<Measured(const Peer&)>;
std::vector<Series> series_of(const Case& c, const OfPoint& of_point, const OfPeer& of_peer = {});

struct Range {
  double low, high;
  void include(double value);
  void include(const std::vector<Series>& series);  // with intervals
};

std::string csv_of(const std::vector<Series>& series, std::string_view column);

// Draws the series, and returns their labels for the right edge. Values of the CSV are divided by `unit`.
std::vector<EndLabel> draw(Figure& f, const std::vector<Series>& series,
                           const std::function<std::string(double)>& words, double unit = 1);

// What the caption says of the peers and of markers that stand beside each other.
std::string remarks(const std::vector<Series>& series);

}  // namespace speedwell::bench::report
