// SPDX-License-Identifier: Apache-2.0
#include <speedwell/runtime.hpp>

#include "runtime/built.hpp"
#include "runtime/models.hpp"
#include "runtime/picker/picker.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

std::string_view version() { return SPEEDWELL_VERSION; }

void shutdown() {
  runtime::thread_pool().shutdown();
  if constexpr (runtime::built<OpenMp>) runtime::leave_openmp();
  if constexpr (runtime::built<Tbb>) runtime::leave_tbb();
  runtime::free_workspaces();
  runtime::forget_plans();
}

}  // namespace speedwell
