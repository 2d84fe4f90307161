// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/children.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include <speedwell/backend.hpp>
#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>

#include "bench/cases/kernel_cases.hpp"

namespace speedwell::bench {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct PeerProgram {
  const char* peer;
  const char* file;
  std::optional<Isa> needs;
  bool one_thread = false;
};

// Of each peer the first that is there and that this processor can run. BLIS has AVX2 kernels for shapes that its
// AVX-512 ones have no way for: where there are both, either may be its best.
constexpr PeerProgram peer_programs[] = {
    {"eigen", "speedwell_peer_eigen_avx512", Isa::avx512},   {"eigen", "speedwell_peer_eigen_avx2", Isa::avx2},
    {"eigen", "speedwell_peer_eigen", std::nullopt},         {"openblas", "speedwell_peer_openblas", std::nullopt},
    {"opencv", "speedwell_peer_opencv", std::nullopt},       {"loops", "speedwell_peer_loops", std::nullopt},
    {"onetbb", "speedwell_peer_onetbb", std::nullopt},       {"pstl", "speedwell_peer_pstl", std::nullopt},
    {"vqsort", "speedwell_peer_vqsort", std::nullopt, true}, {"blis", "speedwell_peer_blis", std::nullopt},
    {"blis_avx2", "speedwell_peer_blis", Isa::avx512},       {"onednn", "speedwell_peer_onednn", std::nullopt},
};

std::vector<Peer> find_peers(const fs::path& folder) {
  const std::vector<Isa>& isas = machine().isas;
  std::vector<Peer> peers;
  for (const PeerProgram& candidate : peer_programs) {
    if (peers.empty() || peers.back().name != candidate.peer)
      peers.push_back({candidate.peer, {}, candidate.one_thread});
    const bool runs = !candidate.needs || std::find(isas.begin(), isas.end(), *candidate.needs) != isas.end();
    std::error_code ignored;
    if (runs && peers.back().program.empty() && fs::exists(folder / candidate.file, ignored)) {
      peers.back().program = folder / candidate.file;
    }
  }
  peers.push_back({.name = std::string(Automatic::name), .program = folder / own_program(), .ours = true});
  return peers;
}

// What the machine can spare and what the container allows, whichever is less.
double available_memory() {
  double bytes = std::numeric_limits<double>::infinity();
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    if (line.starts_with("MemAvailable:")) bytes = std::stod(line.substr(13)) * 1024;
  }
  for (const char* const limit : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(limit);
    if (double value = 0; file >> value) bytes = std::min(bytes, value);
  }
  return bytes;
}

}  // namespace

std::vector<int> cpus_for(const Machine& machine, int threads) {
  std::vector<int> order = machine.core_cpus;
  order.insert(order.end(), machine.sibling_cpus.begin(), machine.sibling_cpus.end());
  if (static_cast<std::size_t>(threads) > order.size()) return machine.allowed_cpus;
  order.resize(static_cast<std::size_t>(threads));
  return order;
}

fs::path own_program() {
  return brings_own_cases() ? fs::read_symlink("/proc/self/exe").filename() : fs::path("speedwell_bench");
}

fs::path programs_folder() {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  std::error_code ignored;
  if (fs::exists(here / own_program(), ignored)) return here;
  return here.parent_path() / "libexec" / "speedwell";
}

struct Children::Running {
  explicit Running(const Launch& launch) : child(launch) {}
  Child child;
  json hello;
  std::set<std::string> prepared;
};

Children::Children(fs::path folder, double timeout_s, bool pinned)
    : folder_(std::move(folder)), timeout_s_(timeout_s), pinned_(pinned), peers_(find_peers(folder_)) {}

Children::~Children() = default;

std::vector<fs::path> Children::programs() const {
  std::vector<fs::path> all = {folder_ / own_program()};
  for (const Peer& peer : peers_) {
    const bool known = std::find(all.begin(), all.end(), peer.program) != all.end();
    if (!peer.program.empty() && !known) all.push_back(peer.program);
  }
  return all;
}

Children::Running& Children::running(const Key& key) {
  if (const auto found = running_.find(key); found != running_.end()) return *found->second;
  Launch launch = {.program = key.variant == Variant::against ? other_build_ : folder_ / own_program(),
                   .backend = key.backend,
                   .threads = key.threads,
                   .cpus = pinned_ ? cpus_for(machine(), key.threads) : machine().allowed_cpus,
                   .pinned = pinned_};
  for (const Peer& peer : peers_) {
    if (peer.name == key.backend) launch.program = peer.program;
  }
  auto started = std::make_unique<Running>(launch);
  started->hello = started->child.ask({{"do", "hello"}}, timeout_s_);
  if (started->hello["ok"] != true) {
    throw ChildError(launch.program.filename().string() + ": " + started->hello.value("error", "it refused to start"));
  }
  return *(running_[key] = std::move(started));
}

const json& Children::hello(const Key& key) { return running(key).hello; }

json Children::ask(const Key& key, const json& question, double expected_s) {
  Running& asked = running(key);
  try {
    return asked.child.ask(question, timeout_s_ + expected_s);
  } catch (const ChildError&) {
    running_.erase(key);
    throw;
  }
}

std::set<std::string>& Children::prepared(const Key& key) { return running(key).prepared; }

double part_of_memory(double wanted_bytes) {
  const double spare = available_memory() / 2;
  return wanted_bytes > spare ? spare / wanted_bytes : 1;
}

}  // namespace speedwell::bench
