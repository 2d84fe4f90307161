// SPDX-License-Identifier: Apache-2.0
// What a running sweep knows so far: for each case the best speedup, with its interval.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace speedwell::bench {

struct Cell;

class LiveTable {
 public:
  // A sample that counts. Of ceilings, twins, peers and other builds nothing is shown.
  void add(const Cell& cell, int round, double ns);

  // At most `rows` lines of at most `width` columns. Where the cases don't fit, `page` (from 0, any number) says which
  // of them are shown.
  std::vector<std::string> lines(int rows, int width, int page) const;

 private:
  using Rounds = std::map<int, double>;
  struct Case {
    std::string name{};
    Rounds sequential{};
    std::map<std::string, std::map<int, Rounds>> models{};  // by backend and thread count
  };
  struct Row;
  static Row row_of(const Case& one);

  std::vector<Case> cases_{};
  std::map<std::string, std::size_t> places_{};
};

}  // namespace speedwell::bench
