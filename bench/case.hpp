// SPDX-License-Identifier: Apache-2.0
// What is measured: a case is one kernel on one type and size, a cell is a case on a backend with a thread count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <speedwell/backend.hpp>

#include "runtime/scaling/thread_axis.hpp"

namespace speedwell::bench {

// One allocated instance of a case: inputs that never change, and outputs.
class Workload {
 public:
  virtual ~Workload() = default;

  // One call of the kernel.
  virtual void run(const Backend& backend) = 0;

  // The same as something to be called over and over. Where a call may take nanoseconds, what depends on the case alone
  // is made ready here, as a peer's is.
  virtual std::function<void()> call(const Backend& backend) {
    return [this, backend] { run(backend); };
  }

  // Whether reset() must come before each call: of a kernel that works in place, on input that a call uses up.
  virtual bool needs_reset() const { return false; }

  // Makes the input what it was. Untimed, and so are the calls then timed one by one.
  virtual void reset() {}

  // Distinct threads that did some of the last run()'s work.
  virtual int threads_used() const = 0;

  // Overwrites output elements first, first + step, first + 2 step, ... with values that no right result has, so that a
  // call that doesn't compute is found out.
  virtual void spoil(std::size_t first, std::size_t step) = 0;

  // Compares the output with an independent oracle: empty if it is right, else what differs. Takes time proportional to
  // the inputs and outputs, not to the kernel's work.
  virtual std::string verify() const = 0;

  // Of the output's bits. The same from every backend and thread count, except for ceilings and weak scaling, whose
  // output depends on the number of threads, and for peers, which round in their own order.
  virtual std::uint64_t output_hash() const = 0;

  // Of memory held.
  virtual std::size_t bytes() const = 0;
};

struct Case {
  std::string kernel;
  std::string variant;
  std::string size;
  double flops = 0;          // operations of one call, of the kind `precision` says
  double bytes = 0;          // compulsory traffic of one call: each input read once, each output written once
  double written_bytes = 0;  // those of them that are written; a cache that fetches lines before moves as many more
  std::string precision;     // "f32", "f64", "i32", "i64", "u64" or "u8"
  bool quick = false;        // in the quick suite
  bool on_image = false;     // on the image that case_image() gives
  bool loaded = false;       // other threads want the cores, on purpose: no sample is disturbed by that

  // The part of the work, 0 to 1, that falls to the busiest of so many threads, where the case divides it evenly by
  // count and unevenly by cost: no model can then be faster than that part takes. Empty: the division is even.
  std::function<double(int threads)> largest_share{};

  // Allocates, and fills with `threads` threads, each on a CPU of its own, so that on a machine with several memories
  // the pages lie near the threads that will use them. The values don't depend on `threads`. Throws std::bad_alloc.
  std::function<std::unique_ptr<Workload>(int threads)> make;

  // What a call does on so many threads, where that depends on them: flops, bytes and size are those of one thread
  // here, and those of `threads` threads in the answer, which makes the same workloads. Empty: it depends on nothing.
  std::function<Case(int threads)> on{};

  // The same with another size, where any will do: nothing if the text isn't written as a size. Throws InvalidArgument
  // for one out of range. Empty: the listed sizes are all there are.
  std::function<std::optional<Case>(std::string_view size)> of_size{};

  // A size for of_size: the smallest worth asking about at 0, where a call is over before a thread could begin, the
  // largest at 1; evenly on a logarithmic scale. Empty: the case isn't tuned.
  std::function<std::string(double part)> size_at{};

  std::string weak_of{};  // the case that this one is the weak scaling of
  std::string rule{};     // how it grows with the threads: "pixels ∝ p"

  // The name of the ceiling that moves as many bytes as a call must; empty: its arithmetic takes longer on any machine.
  std::string traffic{};

  std::string name() const;  // kernel/variant/size

  // With what a call does on so many threads.
  Case at(int threads) const { return on ? on(threads) : *this; }
};

// Cases of a few microseconds of work, where going parallel loses, stand together under this name.
inline constexpr std::string_view tiny_kernel = "tiny";

// The case as one of them: triad/f32/4096 becomes tiny/triad_f32/4096.
Case tiny(Case of);

// Cases whose work grows with the threads stand together under this name.
inline constexpr std::string_view weak_kernel = "weak";

// The case as one of them: matmul/f32/512x512x512 becomes weak/matmul_f32/512x512x512. `grown` gives the case with
// about `threads` times as much work, as `rule` says in words.
Case weak(Case of, std::string rule, std::function<Case(int threads)> grown);

// Every case, in the order to list them. The same list in every process on this machine.
const std::vector<Case>& cases();

// The case of that name; nullptr if there is none.
const Case* find_case(std::string_view name);

// The case of that name, listed or not: a variant that takes any size has one of each. Nothing if there is none.
// Throws InvalidArgument if the size is out of range.
std::optional<Case> make_case(std::string_view name);

// Whether `backend` (its name) can run it: ceilings exist on "sequential" and "threads" only, weak scaling not on
// "sequential", and a model that this build lacks runs nothing.
bool runs_on(const Case& which, std::string_view backend);

// The names of the backends of this build, without "automatic": "sequential", "threads", ...
std::vector<std::string> backend_names();

using scaling::thread_axis;

// kernel/variant/size/backend/threads
std::string cell_name(const Case& which, std::string_view backend, int threads);

}  // namespace speedwell::bench
