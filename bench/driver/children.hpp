// SPDX-License-Identifier: Apache-2.0
// The children of a sweep, each started when it is first needed and kept.
#pragma once

#include <compare>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <speedwell/machine.hpp>

#include "bench/driver/child.hpp"

namespace speedwell::bench {

// A peer library, and the program that measures it.
struct Peer {
  std::string name;
  std::filesystem::path program;  // empty: none that this processor can run is installed
  bool one_thread = false;        // it knows no more
  bool ours = false;              // the library's own choice of model, beside the models: measured where it is named
};

class Children {
 public:
  // A twin differs from the plain one only in being another process; the third is of the other build.
  enum class Variant { plain, twin, against };
  // One process each.
  struct Key {
    std::string backend;
    int threads = 1;
    Variant variant = Variant::plain;
    auto operator<=>(const Key&) const = default;
  };

  // `folder` holds the programs. A child that is silent for `timeout_s` longer than it should need is hung. Pinned
  // children have a CPU for each thread; others may use all that are allowed.
  Children(std::filesystem::path folder, double timeout_s, bool pinned = true);
  // The other build's program, for the children `against`.
  void compare_with(std::filesystem::path program) { other_build_ = std::move(program); }
  const std::filesystem::path& other_build() const { return other_build_; }
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  const std::vector<Peer>& peers() const { return peers_; }
  // All programs that are there: our own first.
  std::vector<std::filesystem::path> programs() const;

  // Asks the child, starting it if need be; it may take `expected_s`. Throws ChildError; the child is gone then and the
  // next question starts another.
  nlohmann::json ask(const Key& key, const nlohmann::json& question, double expected_s);
  // Its answer to hello.
  const nlohmann::json& hello(const Key& key);

  // The cases that the child has prepared since it was started.
  std::set<std::string>& prepared(const Key& key);

 private:
  struct Running;
  Running& running(const Key& key);

  std::filesystem::path folder_;
  double timeout_s_;
  bool pinned_;
  std::filesystem::path other_build_;
  std::vector<Peer> peers_;
  std::map<Key, std::unique_ptr<Running>> running_;
};

// Of so many bytes that the children want together, the part that fits in half of the memory that is free now; 1: all.
double part_of_memory(double wanted_bytes);

// The CPUs of a pinned child: one for each thread, of a core each as long as there are cores, then the cores' other
// logical CPUs in the same order. All that is allowed where that isn't enough.
std::vector<int> cpus_for(const Machine& machine, int threads);

// Where the programs lie: beside this one, or in ../libexec/speedwell once installed.
std::filesystem::path programs_folder();

// The file in there that measures our own cases: this program itself, if it brings its cases.
std::filesystem::path own_program();

}  // namespace speedwell::bench
