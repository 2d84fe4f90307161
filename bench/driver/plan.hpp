// SPDX-License-Identifier: Apache-2.0
// Which cells a sweep has: cases, backends, thread counts, and the peer libraries that are there.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <speedwell/machine.hpp>

namespace speedwell::bench {

class Children;
class Progress;

// The user asked for what can't be: the message says what was given and what was expected.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Cell {
  std::string name;
  std::string case_name;
  std::string backend;
  int threads = 1;
  bool peer = false;
  std::string version;  // a peer's
  std::string precision;
  double flops = 0;
  double bytes = 0;
  double written_bytes = 0;  // of those
  double largest_share = 0;  // of the work, for the busiest thread of an uneven division; 0: it is even
  std::string twin_of;       // the cell that this one repeats in another process; empty: it is no twin
  bool against = false;      // measured in the other build
  std::string traffic;       // the ceiling that moves as many bytes; empty: none is measured
  // Of weak scaling: the case that it grows from, how, and how large it is here.
  std::string weak_of;
  std::string weak_rule;
  std::string weak_size;
};

// Cells whose cases belong to others: ceilings to the machine, weak scaling to the case that it grows from.
inline bool is_ceiling(const Cell& cell) { return cell.case_name.starts_with("ceiling/"); }
inline bool is_weak(const Cell& cell) { return cell.case_name.starts_with("weak/"); }

// The part of a usual sample's time that one of this cell is to take: ceilings are many, and steady.
double part_of_sample(const Cell& cell);

nlohmann::ordered_json to_json(const Cell& cell);
Cell cell_from_json(const nlohmann::json& json);

struct Selection {
  std::vector<std::string> patterns;  // regular expressions, searched in the names of cases; none: all
  bool full = false;                  // every case, not only the quick ones
  std::vector<std::string> backends;  // models and peers; none: all
  std::vector<int> threads;           // ascending
  enum class Peers { none, beside, race };
  Peers peers = Peers::beside;  // race: all that are installed, and only cases that one of them has
};

// As many threads as can run at the same time for long: allowed cores (with `smt` all their logical CPUs), capped by
// the quota rounded up.
int most_useful_threads(const Machine& machine, bool smt = false);

// "1,2,4-8": ascending, without repetition. Throws UsageError.
std::vector<int> parse_threads(std::string_view text);

// The cells in the order of cases, with the ceilings, the twins and those of the other build, if there is one. Asks
// each peer which cases it has. Throws UsageError.
std::vector<Cell> plan_cells(const Selection& selection, Children& children, Progress& progress);

// ", did you mean 'x'?" if one of the known words is nearly the given one, else nothing.
std::string did_you_mean(std::string_view given, const std::vector<std::string>& known);

}  // namespace speedwell::bench
