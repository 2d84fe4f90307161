// SPDX-License-Identifier: Apache-2.0
#include <speedwell/backend.hpp>

#include <speedwell/error.hpp>
#include <string>

#include "runtime/built.hpp"

namespace speedwell {

std::string_view name(const Backend& backend) {
  return std::visit([](auto model) { return decltype(model)::name; }, backend);
}

Backend backend_from_name(std::string_view name, int threads) {
  if (name == Automatic::name) return Automatic{};
  if (name == Sequential::name) return Sequential{};
  if (name == Threads::name) return Threads{threads};
  if (name == OpenMp::name) return OpenMp{threads};
  if (name == Tbb::name) return Tbb{threads};
  throw InvalidArgument("unknown backend '" + std::string(name) +
                        "', expected automatic, sequential, threads, openmp or tbb");
}

bool is_built(const Backend& backend) {
  return std::visit([](auto model) { return runtime::built<decltype(model)>; }, backend);
}

namespace runtime {

std::vector<Backend> built_backends() {
  std::vector<Backend> backends{Automatic{}, Sequential{}, Threads{}, OpenMp{}, Tbb{}};
  std::erase_if(backends, [](const Backend& backend) { return !is_built(backend); });
  return backends;
}

std::string built_names() {
  const std::vector<Backend> backends = built_backends();
  std::string names;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    if (i > 0) names += i + 1 < backends.size() ? ", " : " or ";
    names += name(backends[i]);
  }
  return names;
}

}  // namespace runtime

}  // namespace speedwell
