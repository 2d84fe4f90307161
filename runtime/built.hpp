// SPDX-License-Identifier: Apache-2.0
// Which models this build has. The only place that looks at the build's switches.
#pragma once

#include <string>
#include <vector>

#include <speedwell/backend.hpp>

namespace speedwell::runtime {

template <class Model>
inline constexpr bool built = true;

template <>
inline constexpr bool built<OpenMp> = SPEEDWELL_HAS_OPENMP != 0;

template <>
inline constexpr bool built<Tbb> = SPEEDWELL_HAS_TBB != 0;

// The backends of this build, and their names in words: "automatic, sequential, threads or openmp".
std::vector<Backend> built_backends();
std::string built_names();

}  // namespace speedwell::runtime
