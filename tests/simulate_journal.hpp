// SPDX-License-Identifier: Apache-2.0
// The journal of a machine that doesn't exist: 16 cores, eight thread counts, and cases whose answers are known because
// they were put in. tests/data/simulated/journal.jsonl is this text; expected.json beside it holds the answers.
#pragma once

#include <string>

namespace speedwell::bench {

std::string simulated_journal();

}  // namespace speedwell::bench
