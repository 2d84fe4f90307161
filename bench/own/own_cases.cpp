// SPDX-License-Identifier: Apache-2.0
#include "bench/own/own_cases.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include <speedwell/error.hpp>
#include <speedwell/runtime.hpp>

#include "bench/case.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/kernel_cases.hpp"

namespace speedwell::bench {

namespace {

class OwnWorkload final : public Workload {
 public:
  OwnWorkload(Task task, double bytes)
      : task_(std::move(task)), bytes_(std::max(static_cast<std::size_t>(bytes), task_.output.size())) {}

  void run(const Backend& backend) override { task_.run(backend); }
  bool needs_reset() const override { return task_.reset != nullptr; }
  void reset() override {
    if (task_.reset) task_.reset();
  }
  int threads_used() const override { return task_.threads_used ? task_.threads_used() : last_run().threads; }
  std::string verify() const override { return task_.verify(); }
  std::size_t bytes() const override { return bytes_; }

  void spoil(std::size_t first, std::size_t step) override {
    for (std::size_t at = first * word; at < task_.output.size(); at += step * word) {
      std::memset(task_.output.data() + at, 0xFF, std::min(word, task_.output.size() - at));
    }
  }

  // Without an output of fixed bits, whether it is right.
  std::uint64_t output_hash() const override {
    if (task_.output.empty()) return task_.verify().empty() ? 0 : 1;
    return hash_bytes(task_.output);
  }

 private:
  static constexpr std::size_t word = 4;  // whatever the elements are

  Task task_;
  std::size_t bytes_;
};

void check_word(const std::string& word, const char* what) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), allowed)) return;
  throw InvalidArgument("a case's " + std::string(what) + " is '" + word +
                        "', expected letters, digits, '_', '-' and '.', one at least");
}

void check(const CaseDefinition& definition) {
  check_word(definition.kernel, "kernel");
  check_word(definition.variant, "variant");
  check_word(definition.size, "size");
  for (const std::string_view reserved : {"ceiling", "nested", "tiny", "weak"}) {
    if (definition.kernel == reserved) {
      throw InvalidArgument("a case's kernel is '" + definition.kernel +
                            "', expected another name: the instrument has cases of that one itself");
    }
  }
  const std::string name = definition.kernel + "/" + definition.variant + "/" + definition.size;
  const auto at_least_zero = [&](double value, const char* what) {
    if (value >= 0 && value < 1e300) return;
    throw InvalidArgument(name + ": " + what + " is " + std::to_string(value) + ", expected a number from 0 on");
  };
  at_least_zero(definition.flops, "flops");
  at_least_zero(definition.bytes, "bytes");
  at_least_zero(definition.written_bytes, "written_bytes");
  if (definition.written_bytes > definition.bytes) {
    throw InvalidArgument(name + ": written_bytes is " + std::to_string(definition.written_bytes) +
                          ", expected at most bytes, " + std::to_string(definition.bytes));
  }
  if (!definition.make) throw InvalidArgument(name + ": make is empty, expected a function that gives a Task");
}

Case case_of(const CaseDefinition& definition) {
  check(definition);
  Case result;
  result.kernel = definition.kernel;
  result.variant = definition.variant;
  result.size = definition.size;
  result.flops = definition.flops;
  result.bytes = definition.bytes;
  result.written_bytes = definition.written_bytes;
  // Never empty: the analysis of old journals goes by the variant's name then.
  result.precision = definition.precision.empty() ? "other" : definition.precision;
  result.quick = true;
  result.make = [definition, name = result.name()](int threads) {
    Task task = definition.make(threads);
    if (!task.run || !task.verify) {
      throw InvalidArgument(name + ": its task has no " + (task.run ? "verify" : "run") +
                            ", expected functions that compute and that check");
    }
    return std::make_unique<OwnWorkload>(std::move(task), definition.bytes);
  };
  return result;
}

std::vector<Case>& own_cases() {
  static std::vector<Case> cases;
  return cases;
}

}  // namespace

void set_own_cases(const std::vector<CaseDefinition>& definitions) {
  if (definitions.empty()) throw InvalidArgument("there are no cases, expected one at least");
  std::set<std::string> names;
  std::vector<Case> cases;
  for (const CaseDefinition& definition : definitions) {
    cases.push_back(case_of(definition));
    if (!names.insert(cases.back().name()).second) {
      throw InvalidArgument("two cases are called " + cases.back().name() + ", expected a name for each");
    }
  }
  own_cases() = std::move(cases);
}

// In place of the library's own, which speedwell_cases has.
std::vector<std::vector<Case>> kernel_cases() { return {own_cases()}; }

bool brings_own_cases() { return true; }

}  // namespace speedwell::bench
