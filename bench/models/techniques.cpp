// SPDX-License-Identifier: Apache-2.0
#include "bench/models/techniques.hpp"

#include <asio/version.hpp>

#include <speedwell/backend.hpp>

#include "runtime/built.hpp"

namespace speedwell::bench::models {

std::vector<Technique> techniques() {
  const std::string asio = "asio " + std::to_string(ASIO_VERSION / 100000) + "." +
                           std::to_string(ASIO_VERSION / 100 % 1000) + "." + std::to_string(ASIO_VERSION % 100);
  std::vector<Technique> list = {{"sequential", run_sequential, "C++"},
                                 {"coroutines", run_coroutines, asio},
                                 {"threads", run_threads, "std::thread"},
                                 {"global_lock", run_global_lock, "std::thread"}};
  if constexpr (runtime::built<OpenMp>) list.push_back({"openmp", run_openmp, "OpenMP"});
  if constexpr (runtime::built<Tbb>) list.push_back({"tbb", run_tbb, "oneTBB"});
  return list;
}

}  // namespace speedwell::bench::models
