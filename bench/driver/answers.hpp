// SPDX-License-Identifier: Apache-2.0
// Members of what a child answers: data from another process, so each may be missing or of another kind.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace speedwell::bench {

inline std::string string_or_empty(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

inline double number_or(const nlohmann::json& object, const char* name, double otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

}  // namespace speedwell::bench
