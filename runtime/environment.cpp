// SPDX-License-Identifier: Apache-2.0
#include "runtime/environment.hpp"

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include <speedwell/error.hpp>

#include "runtime/built.hpp"
#include "runtime/once.hpp"

namespace speedwell::runtime {

namespace {

// A variable's value, or what is wrong with it.
template <class T>
struct Setting {
  std::optional<T> value;
  std::string error;

  std::optional<T> get() const {
    if (!error.empty()) throw InvalidArgument(error);
    return value;
  }
};

// `parse` makes a T of the variable's text, or nothing if it isn't valid.
template <class T, class Parse>
Setting<T> read(const char* variable, const std::string& expected, Parse parse) {
  Setting<T> setting;
  if (const char* text = std::getenv(variable); text != nullptr && *text != '\0') {
    setting.value = parse(std::string_view(text));
    if (!setting.value) setting.error = std::string(variable) + " is '" + text + "', expected " + expected;
  }
  return setting;
}

std::optional<int> parse_integer(std::string_view text, int least, int most) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < least || number > most) return std::nullopt;
  return number;
}

}  // namespace

std::optional<Backend> environment_backend() {
  constinit static Once<Setting<Backend>> setting;
  const auto parse = [](std::string_view text) -> std::optional<Backend> {
    for (const Backend& backend : built_backends()) {
      if (name(backend) == text) return backend;
    }
    return std::nullopt;
  };
  return setting.get([&] { return read<Backend>("SPEEDWELL_BACKEND", built_names(), parse); }).get();
}

std::optional<int> environment_threads() {
  constinit static Once<Setting<int>> setting;
  return setting
      .get([] {
        return read<int>("SPEEDWELL_THREADS", "a number of threads from 1 to " + std::to_string(max_threads),
                         [](std::string_view text) { return parse_integer(text, 1, max_threads); });
      })
      .get();
}

int environment_verbose() {
  constinit static Once<Setting<int>> setting;
  return setting
      .get([] {
        return read<int>("SPEEDWELL_VERBOSE", "0 (nothing), 1 (warnings), 2 (choices) or 3 (everything)",
                         [](std::string_view text) { return parse_integer(text, 0, 3); });
      })
      .get()
      .value_or(0);
}

std::optional<Isa> environment_isa(const std::vector<Isa>& available) {
  constinit static Once<Setting<Isa>> setting;
  const auto parse = [&](std::string_view text) -> std::optional<Isa> {
    for (const Isa isa : available) {
      if (name(isa) == text) return isa;
    }
    return std::nullopt;
  };
  return setting
      .get([&] {
        std::string names;
        for (std::size_t i = 0; i < available.size(); ++i) {
          if (i > 0) names += i + 1 < available.size() ? ", " : " or ";
          names += name(available[i]);
        }
        return read<Isa>("SPEEDWELL_ISA", "one that this processor and this build have: " + names, parse);
      })
      .get();
}

}  // namespace speedwell::runtime
