// SPDX-License-Identifier: Apache-2.0
// Runs python_rung.py, which is put into the program at build time.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace speedwell::bench::ladder {

extern const char* const python_program;

class PythonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct PythonRun {
  std::string version;  // "CPython 3.11.2"
  std::ptrdiff_t rows = 0;
  double seconds = 0;    // in the loops, without the start of the interpreter
  std::vector<float> c;  // the rows
};

class Python {
 public:
  // Copies A and B, n x n, for the interpreter to read.
  Python(const float* a, const float* b, std::ptrdiff_t n);
  ~Python();
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;

  // Computes the first `rows` rows of A B, or if that is 0, as many as `seconds` allow, on the CPUs that the calling
  // thread may use. Throws PythonError: there is no python3 in PATH, it failed, or it took longer than a minute.
  PythonRun run(std::ptrdiff_t rows, double seconds) const;

 private:
  std::ptrdiff_t n_;
  int matrices_;  // a file in memory
};

}  // namespace speedwell::bench::ladder
