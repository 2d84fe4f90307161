// SPDX-License-Identifier: Apache-2.0
#include "runtime/picker/setting.hpp"

#include <fmt/format.h>
#include <charconv>
#include <set>

#include "runtime/built.hpp"

namespace speedwell::runtime {

namespace {

bool is_built_kind(Setting::Kind kind) {
  return std::visit([](auto model) { return built<decltype(model)>; }, model_of({kind, 1}));
}

constexpr Setting::Kind kinds[] = {Setting::sequential, Setting::threads, Setting::openmp, Setting::tbb};

}  // namespace

Model model_of(Setting setting) {
  switch (setting.kind) {
    case Setting::threads:
      return Threads{setting.count};
    case Setting::openmp:
      return OpenMp{setting.count};
    case Setting::tbb:
      return Tbb{setting.count};
    case Setting::sequential:
      break;
  }
  return Sequential{};
}

std::string_view model_name(Setting setting) {
  return std::visit([](auto model) { return decltype(model)::name; }, model_of(setting));
}

std::string text(Setting setting) {
  if (setting.kind == Setting::sequential) return std::string(model_name(setting));
  return fmt::format("{}/{}", model_name(setting), setting.count);
}

bool parse_setting(std::string_view text, Setting& setting) {
  for (const Setting::Kind kind : kinds) {
    const std::string_view name = model_name({kind, 1});
    if (!text.starts_with(name)) continue;
    const std::string_view rest = text.substr(name.size());
    if (kind == Setting::sequential) {
      setting = {};
      return rest.empty();
    }
    if (!rest.starts_with('/')) return false;
    int count = 0;
    const char* const end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data() + 1, end, count);
    setting = {kind, count};
    return error == std::errc() && stop == end && count >= 2 && count <= max_threads && is_built_kind(kind);
  }
  return false;
}

std::vector<Setting> candidates(int most_threads, const std::vector<int>& beside) {
  std::set<int> counts(beside.begin(), beside.end());
  for (int count = 2; count < most_threads; count *= 2) counts.insert(count);
  counts.insert(most_threads);
  std::vector<Setting> all = {{}};
  for (const int count : counts) {
    if (count < 2 || count > most_threads) continue;
    for (const Setting::Kind kind : kinds) {
      if (kind != Setting::sequential && is_built_kind(kind)) all.push_back({kind, count});
    }
  }
  return all;
}

}  // namespace speedwell::runtime
