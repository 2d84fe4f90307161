// SPDX-License-Identifier: Apache-2.0
// The child process that measures the cells of one backend (or peer library) with one thread count. The sweep starts
// each once and lets one at a time work.
//
//   PROGRAM --serve --backend=NAME --threads=N --cpus=0,1 [--unpinned] [--memory=BYTES]
//
// NAME is a backend's name, or the peer's; peers may leave it out. The child restricts itself to the CPUs and sets its
// libraries' environment, and starts itself again with them in place, so that every runtime finds them when it loads
// (its pid stays the same). Each thread then sits on a CPU of its own, in the order of --cpus and of the threads'
// making; with --unpinned, or with fewer CPUs than threads, all share all of them. OpenMP's runtimes are told by
// OMP_PLACES, since they make their threads anew; any other library's threads are put in place once they are there.
// --memory is what the cases it keeps may hold, 512 MiB unless given or told in a request; the least recently used go
// first and are made again when needed. It ignores SIGINT, so that Ctrl-C reaches the sweep alone, and ends at
// "quit", at the end of its input, and when the thread that started it dies. Wrong use: a message on stderr, status 2.
//
// Then one JSON object a line on its standard input, and for each one line on its standard output; whatever libraries
// print goes to stderr. Requests, and the replies to them:
//
// {"do": "hello"}
//   {"ok": true, "pid": 123, "backend": "openmp", "threads": 2, "cpus": [0, 1],
//    "pinned": true,                     each thread on a CPU of its own
//    "version": "0.1.0",                 the library's: Speedwell's or the peer's
//    "cases": ["matmul/f32/64x64x64", ...],   those it can run, and where a variant takes any size, others of it
//    "isa": "avx2",                      the instruction set in use; for a peer, what it says or was compiled for
//    "wait_policy": "..."}               what idle threads of its runtime do, in words
//
// {"do": "prepare", "case": "matmul/f32/64x64x64", "target_ns": 2e7, "memory": 1e9}
//   Makes the case, fills it in parallel, spoils the output, runs, verifies, and finds how many calls take about
//   target_ns. `memory` may be left out; from here on it stands for --memory. With "verify": false the result isn't
//   compared with the oracle's, which takes longer than all else: for races that publish no result.
//   {"ok": true, "calls": 2800, "ns": 7100, "threads_used": 2, "verified": true, "hash": "0123456789abcdef",
//    "reason": "as asked"}
//   `ns` is an estimate of one call. `threads_used` is the most threads that took part in any of the calls so far;
//   where that is fewer than asked for, `reason` says why (too few blocks of work, say), and the cell has nothing to
//   measure. Speedwell's own backends must agree on `hash` (ceilings apart): a difference is a failure of "the same
//   bits".
//
// {"do": "sample", "case": "matmul/f32/64x64x64", "calls": 2800}
//   Touches everything again untimed, times `calls` calls, and checks that their output has the prepared one's bits.
//   {"ok": true, "ns": 7050, "cpu_ns": 14010, "threads_used": 2, "threads_mean": 1.97, "cpus_of_threads": [[0], [1]],
//    "hash": "0123456789abcdef", "spin_ns": 151000, "spin_after_ns": 150500, "steal_ticks": 0, "others_running": 0,
//    "voluntary_switches": 5, "involuntary_switches": 3,
//    "make_ns": 0, "warm_ns": 510000, "restore_ns": 900, "check_ns": 30000}
//   `ns` (wall time) and `cpu_ns` (the process's CPU time) are of one call. `threads_used` is the most that took part
//   in a call of the sample, `threads_mean` the mean: a short call is now and then over before each thread had a share.
//   `cpus_of_threads`: where each thread of the process may run, the oldest first. `spin_ns`, `spin_after_ns`: a fixed
//   loop on one thread just before and after, to notice a slow machine. `steal_ticks`: of the child's CPUs over the
//   sample, in the kernel's ticks (usually 10 ms). `others_running`: threads of other processes that wanted a CPU, the
//   lesser of the counts before and after. Switches: of the child's threads over the sample. The last four say where
//   the untimed time went: making again what was given up, the first touch, input and output put back, and the check.
//
// {"do": "release", "case": "..."}       {"ok": true}      frees its memory; it stays prepared
// {"do": "quit"}                         {"ok": true}      and the child ends, status 0
//
// A request that can't be done is answered by {"ok": false, "error": "what was given, what was expected"}, with
// "verified": false if the output was wrong, and the child goes on. Before each reply the child's runtime is parked:
// threads that spin are stopped or waited for, so that a child that waits for a request takes no CPU time from others.
// Each reply says how long that took: "park_ns".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/case.hpp"

namespace speedwell::bench {

struct ChildOptions {
  std::string backend;
  int threads = 1;
  std::vector<int> cpus;
  bool pinned = true;
  std::size_t memory = std::size_t{512} << 20;
};

// What a child runs: Speedwell's kernels, or a peer's on the same data.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string version() const = 0;
  virtual std::string isa() const = 0;
  virtual std::string wait_policy() const = 0;
  virtual bool offers(const Case& which) const = 0;

  // One call of the kernel on `workload`, which outlives it; empty if this engine can't.
  virtual std::function<void()> call(Workload& workload) = 0;

  // Threads that took part in the last call, and why that many.
  virtual int threads_used(const Workload& workload) const = 0;
  virtual std::string reason() const { return "as asked"; }

  // Stops threads that would otherwise spin. The child waits for the rest by itself.
  virtual void park() {}
};

// What is to be in place when it is loaded.
using Environment = std::vector<std::pair<std::string, std::string>>;

// That of a child whose threads are OpenMP's: their number, and a CPU for each where they are pinned. The runtime makes
// its threads anew now and then, and places them by itself each time.
Environment openmp_environment(const ChildOptions& options);

// The whole of a child's main(): parses the command line, settles affinity and `environment`, and serves until the end.
// `make_engine` is called after that. Returns the exit status.
int child_main(int argc, char** argv, const std::string& default_backend,
               const std::function<Environment(const ChildOptions&)>& environment,
               const std::function<std::unique_ptr<Engine>(const ChildOptions&)>& make_engine);

}  // namespace speedwell::bench
