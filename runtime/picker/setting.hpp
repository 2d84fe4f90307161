// SPDX-License-Identifier: Apache-2.0
// A model and a number of threads, as the picker weighs them.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <speedwell/backend.hpp>

namespace speedwell::runtime {

// A model with its thread count resolved: at least 1.
using Model = std::variant<Sequential, Threads, OpenMp, Tbb>;

struct Setting {
  // By index in Model.
  enum Kind : unsigned char { sequential, threads, openmp, tbb };
  Kind kind = sequential;
  int count = 1;  // threads

  auto operator<=>(const Setting&) const = default;
};

Model model_of(Setting setting);
std::string_view model_name(Setting setting);

// "sequential", "openmp/4": and back. False if it is none, or of a model that isn't built.
std::string text(Setting setting);
bool parse_setting(std::string_view text, Setting& setting);

// What may be picked where so many threads are the most: sequential first, then for each number of threads (powers of
// two, those given beside, and the most) every model that is built. The order is that of preference among equals.
std::vector<Setting> candidates(int most_threads, const std::vector<int>& beside = {});

}  // namespace speedwell::runtime
