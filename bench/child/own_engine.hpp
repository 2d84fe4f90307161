// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/child/protocol.hpp"

namespace speedwell::bench {

Environment own_environment(const ChildOptions& options);

// Speedwell's own kernels on the backend that the options name. Throws InvalidArgument where there is no such backend.
std::unique_ptr<Engine> make_own_engine(const ChildOptions& options);

}  // namespace speedwell::bench
