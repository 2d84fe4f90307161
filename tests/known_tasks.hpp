// SPDX-License-Identifier: Apache-2.0
// Tasks of which it is known what they are, each made anew for a measurement.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <speedwell/advice.hpp>

namespace speedwell::test {

struct KnownTask {
  std::string name;
  // A task, which keeps what it needs alive.
  std::function<std::function<void()>()> make;
  // Whether that is what an expert would say, where the process may use so many cores.
  std::function<bool(const Nature& nature, const Advice& advice)> is_right;
};

std::vector<KnownTask> known_tasks();

}  // namespace speedwell::test
