// SPDX-License-Identifier: Apache-2.0
// Errors that Speedwell throws.
#pragma once

#include <stdexcept>

namespace speedwell {

// A call that breaks its contract: wrong shapes, overlapping output, null data with a non-empty size, a negative or
// absurd size or thread count, a backend that was not built, a bad value in the environment. The message says what was
// given and what was expected. Nothing has been written to the output when it is thrown.
class InvalidArgument : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace speedwell
