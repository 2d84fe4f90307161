// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/twins.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include <speedwell/backend.hpp>

#include "bench/case.hpp"
#include "bench/driver/children.hpp"
#include "bench/driver/fingerprint.hpp"
#include "bench/driver/progress.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_twins = 5;
constexpr std::size_t cells_a_twin = 10;

bool stands_for_itself(const Cell& cell) { return !cell.peer && !is_ceiling(cell) && !is_weak(cell); }

// A case's own cells.
struct Cells {
  double work = 0;
  const Cell* sequential = nullptr;
  std::vector<const Cell*> parallel;  // each model's with the most threads that have a core each
};

std::vector<Cells> by_work(const std::vector<Cell>& cells, int cores) {
  std::map<std::string, Cells> cases;
  for (const Cell& cell : cells) {
    if (!stands_for_itself(cell)) continue;
    Cells& of_case = cases[cell.case_name];
    of_case.work = cell.flops + cell.bytes;
    if (cell.backend == Sequential::name) of_case.sequential = &cell;
    if (cell.backend == Sequential::name || cell.threads > cores) continue;
    const auto same_model = [&](const Cell* other) { return other->backend == cell.backend; };
    const auto found = std::find_if(of_case.parallel.begin(), of_case.parallel.end(), same_model);
    if (found == of_case.parallel.end()) {
      of_case.parallel.push_back(&cell);
    } else if ((*found)->threads < cell.threads) {
      *found = &cell;
    }
  }
  std::vector<Cells> sorted;
  for (auto& [name, of_case] : cases) sorted.push_back(std::move(of_case));
  std::stable_sort(sorted.begin(), sorted.end(), [](const Cells& a, const Cells& b) { return a.work < b.work; });
  return sorted;
}

}  // namespace

std::vector<Cell> twins_of(const std::vector<Cell>& cells, int cores) {
  const std::vector<Cells> cases = by_work(cells, cores);
  if (cases.empty()) return {};
  // Not the very shortest and longest, which are seldom like the others.
  const Cells& small = cases[cases.size() / 4];
  const Cells& large = cases[cases.size() - 1 - cases.size() / 4];
  const Cells& medium = cases[cases.size() / 2];
  const auto parallel = [](const Cells& of_case, std::size_t which) -> const Cell* {
    return of_case.parallel.empty() ? nullptr : of_case.parallel[which % of_case.parallel.size()];
  };
  const Cell* const wanted[most_twins] = {small.sequential, parallel(large, 0), parallel(small, 1), large.sequential,
                                          parallel(medium, 2)};
  const std::size_t most = std::clamp(cells.size() / cells_a_twin, std::size_t{1}, most_twins);
  std::set<std::string> taken;
  std::vector<Cell> twins;
  for (const Cell* const cell : wanted) {
    if (twins.size() == most || cell == nullptr || !taken.insert(cell->name).second) continue;
    Cell& twin = twins.emplace_back(*cell);
    twin.twin_of = cell->name;
    twin.name += "/twin";
  }
  return twins;
}

fs::path program_of_build(const std::string& given) {
  std::error_code ignored;
  const auto is_program = [&](const fs::path& path) { return fs::is_regular_file(path, ignored); };
  const fs::path path = fs::absolute(given);
  if (is_program(path) && path.filename() != "speedwell") return fs::canonical(path);
  const fs::path folder = fs::is_directory(path, ignored) ? path : path.parent_path();
  // Of a build tree, of its programs' folder, and of an installation.
  for (const char* const place : {".", "bin", "libexec/speedwell", "../libexec/speedwell"}) {
    if (fs::exists(path, ignored) && is_program(folder / place / own_program())) {
      return fs::canonical(folder / place / own_program());
    }
  }
  throw ChildError(
      fmt::format("no program to measure against in '{}', expected another build's {}, its speedwell, or a "
                  "folder that holds one of them",
                  given, own_program().string()));
}

nlohmann::ordered_json describe_other_build(Children& children) {
  const Children::Key key = {std::string(Sequential::name), 1, Children::Variant::against};
  return {{"path", children.other_build().string()},
          {"crc32", file_checksum(children.other_build())},
          {"version", children.hello(key).value("version", "")}};
}

std::vector<Cell> against_of(const std::vector<Cell>& cells, Children& children, Progress& progress) {
  std::map<std::string, std::set<std::string>> offered;  // cases, by backend
  std::set<std::string> lacking;
  std::vector<Cell> against;
  for (const Cell& cell : cells) {
    if (!stands_for_itself(cell)) continue;
    if (!offered.contains(cell.backend)) {
      std::set<std::string>& cases = offered[cell.backend];
      try {
        const auto& hello = children.hello({cell.backend, cell.threads, Children::Variant::against});
        for (const auto& name : hello.at("cases")) cases.insert(name.get<std::string>());
      } catch (const ChildError& error) {
        progress.warn(fmt::format("the other build has no {}: {}", cell.backend, error.what()));
        continue;
      }
    }
    const std::set<std::string>& cases = offered[cell.backend];
    if (!cases.contains(cell.case_name)) {
      const std::string what = fmt::format("{} on {}", cell.case_name, cell.backend);
      if (!cases.empty() && lacking.insert(what).second) {
        progress.say(fmt::format("the other build has no {}: it is not compared", what));
      }
      continue;
    }
    Cell& other = against.emplace_back(cell);
    other.against = true;
    other.name += "/against";
  }
  return against;
}

}  // namespace speedwell::bench
