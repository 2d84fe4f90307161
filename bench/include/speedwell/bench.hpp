// SPDX-License-Identifier: Apache-2.0
// The instrument for kernels of one's own: a program that links speedwell::bench and calls main() below measures its
// own cases as the `speedwell` command measures the library's. docs/bring-your-own-kernel.md goes through one.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <speedwell/backend.hpp>

namespace speedwell::bench {

// A kernel with its data, ready to run. Its functions share what they hold (by std::shared_ptr, say): they are copied.
struct Task {
  // One call, with the model and the exact thread count that `backend` names: parallel_for() or a kernel of the library
  // takes it as it is. Must compute the same output from the same input each time.
  std::function<void(const Backend& backend)> run;

  // Compares the output with what it should be, by other means than run(): empty if it is right, else what differs.
  // Called outside of what is timed, once a cell.
  std::function<std::string()> verify;

  // What run() writes: overwritten with 0xFF, NaN in floats, before it is verified, so that a call that doesn't compute
  // is found out. After each sample its bits must be those that were verified, and the same on every backend and thread
  // count. Empty: verify() is called after each sample instead, which suits results that round differently each time.
  std::span<std::byte> output{};

  // For a kernel that uses up its input: makes it what it was. Untimed, before each call; calls are then timed singly.
  std::function<void()> reset{};

  // Distinct threads that did some of the last run()'s work. Empty: last_run() says it, of parallel_for() or a kernel
  // of the library. A cell in which other threads take part than asked for isn't measured.
  std::function<int()> threads_used{};
};

// A kernel on one type and size: kernel/variant/size, such as saxpy/f32/1048576. Each of the words is made of letters,
// digits, '_', '-' and '.'.
struct CaseDefinition {
  std::string kernel;
  std::string variant = "f32";
  std::string size;
  double flops = 0;          // operations of one call; 0: not counted
  double bytes = 0;          // compulsory traffic: each input read once, each output written once; 0: not counted
  double written_bytes = 0;  // those of them that are written
  std::string precision{};   // "f32" or "f64", whose FMA peak bounds the flops; else no peak does

  // Allocates and fills. `threads` will run it: with pages first written by as many threads as will use them, a machine
  // with several memories keeps them near. Called in each child process, so it mustn't depend on anything else.
  std::function<Task(int threads)> make;
};

// The whole of a program's main(), but for defining its cases: verbs bench (when none is given), report, compare and
// machine, with the options of the `speedwell` command. The program starts itself as the sweep's child processes, so
// this must be reached with the arguments that main() got, and the same cases, whatever they are.
//
// Returns the exit status: 0 ok, 1 a cell failed (a wrong result, a crash) or a comparison found one slower, 2 wrong
// use, 3 could not, 128 + N ended by signal N. Cases that aren't
// as described above are a wrong use. Prints results on stdout, all else on stderr.
int main(int argc, char** argv, const std::vector<CaseDefinition>& cases);

}  // namespace speedwell::bench
