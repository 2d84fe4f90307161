// SPDX-License-Identifier: Apache-2.0
// The SPEEDWELL_ variables of the environment, each read once and checked where it is needed. An unset or empty
// variable says nothing; an invalid value is an InvalidArgument that lists the valid ones, at every call that needs it.
#pragma once

#include <optional>
#include <vector>

#include <speedwell/backend.hpp>
#include <speedwell/machine.hpp>

namespace speedwell::runtime {

std::optional<Backend> environment_backend();  // SPEEDWELL_BACKEND, with threads = 0
std::optional<int> environment_threads();      // SPEEDWELL_THREADS, 1 to max_threads
int environment_verbose();                     // SPEEDWELL_VERBOSE, 0 to 3; 0 if unset

// SPEEDWELL_ISA, one of `available`, which must be the same at every call.
std::optional<Isa> environment_isa(const std::vector<Isa>& available);

}  // namespace speedwell::runtime
