// SPDX-License-Identifier: Apache-2.0
#include "bench/models/python.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/models/process.hpp"

namespace speedwell::bench::models {

namespace {

// An interpreter starts within a tenth of a second; this is for a machine that is busy with all else.
constexpr double about_limit_s = 20;

constexpr const char* about =
    "import json, platform, sys, sysconfig\n"
    "print(json.dumps({'path': sys.executable, 'runtime': platform.python_implementation() + ' ' + "
    "platform.python_version(),"
    " 'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED'))}))";

constexpr const char* free_threaded_names[] = {"python3t", "python3.13t", "python3.14t", "python3.15t"};

Interpreter ask(const std::filesystem::path& path, const std::vector<int>& cpus, Interrupts& interrupts) {
  const Output output = run_program(path, {"-I", "-S", "-c", about}, cpus, about_limit_s, interrupts);
  const auto answer = nlohmann::json::parse(output.text, nullptr, false);
  const auto is_text = [&](const char* name) { return answer.contains(name) && answer[name].is_string(); };
  if (!answer.is_object() || !is_text("runtime") || !is_text("path"))
    throw ProcessError(fmt::format("{} said '{}' of itself", path.filename().string(), output.text.substr(0, 80)));
  // What is in PATH may be a script that finds the interpreter each time anew.
  return {answer["path"].get<std::string>(), answer["runtime"], answer.value("free_threaded", false)};
}

}  // namespace

std::vector<Interpreter> find_interpreters(const std::vector<int>& cpus, Interrupts& interrupts,
                                           std::vector<std::string>& complaints) {
  std::vector<Interpreter> found;
  const auto add = [&](const std::filesystem::path& path) {
    try {
      found.push_back(ask(path, cpus, interrupts));
    } catch (const ProcessError& error) {
      complaints.push_back(fmt::format("Python: {}", error.what()));
    }
  };
  const std::filesystem::path python = find_in_path("python3");
  if (python.empty()) {
    complaints.push_back("Python: there is no python3 in PATH");
  } else {
    add(python);
  }
  if (!found.empty() && found.front().free_threaded) return found;
  for (const char* const name : free_threaded_names) {
    if (const std::filesystem::path path = find_in_path(name); !path.empty()) {
      add(path);
      break;
    }
  }
  return found;
}

}  // namespace speedwell::bench::models
