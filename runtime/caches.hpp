// SPDX-License-Identifier: Apache-2.0
// Whether data fit in the caches.
#pragma once

#include <cstddef>

namespace speedwell::runtime {

// Bytes of a core's data cache of a level, 0 if there is none or the machine doesn't tell.
std::size_t cache_bytes(int level);

// Whether a call that reads and writes so many bytes goes through the last-level cache to the memory. What it writes
// would then be evicted before anyone reads it, so it should be written past the caches: fetching each line in order to
// overwrite it costs a third to a half more traffic. False if no cache is known.
bool beyond_caches(double bytes);

}  // namespace speedwell::runtime
