// SPDX-License-Identifier: Apache-2.0
// The cases of a program that brings its own.
#pragma once

#include <vector>

#include <speedwell/bench.hpp>

namespace speedwell::bench {

// Makes them the cases of this process. To be called once, before cases() is. Throws InvalidArgument if one isn't as
// <speedwell/bench.hpp> says.
void set_own_cases(const std::vector<CaseDefinition>& definitions);

}  // namespace speedwell::bench
