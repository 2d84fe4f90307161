// SPDX-License-Identifier: Apache-2.0
// A step of heat flow on a square plate: a kernel that isn't the library's, measured in all its parallel models.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <speedwell/bench.hpp>
#include <speedwell/parallel_for.hpp>

speedwell::bench::Task heat(std::ptrdiff_t n) {
  const auto now = std::make_shared<std::vector<float>>(n * n), next = std::make_shared<std::vector<float>>(n * n);
  for (std::ptrdiff_t i = 0; i < n * n; ++i) (*now)[i] = std::sin(0.001f * float(i));
  const auto row = [n, t = now->data(), out = next->data()](std::ptrdiff_t i) {
    for (std::ptrdiff_t at = n * (i + 1) + 1; at < n * (i + 2) - 1; ++at)
      out[at] = 0.25f * ((t[at - 1] + t[at + 1]) + (t[at - n] + t[at + n]));
  };
  const auto verify = [=] {
    const float *t = now->data(), *out = next->data();
    for (std::ptrdiff_t at = n + 1; at < n * (n - 1) - 1; ++at) {
      const bool inside = at % n > 0 && at % n < n - 1;
      const double mean = (double{t[at - n]} + t[at - 1] + t[at + 1] + t[at + n]) / 4;
      if (inside && !(std::abs(out[at] - mean) < 1e-6)) return "element " + std::to_string(at) + " is wrong";
    }
    return std::string();
  };
  return {.run = [=](const speedwell::Backend& model) { speedwell::parallel_for(n - 2, row, {.backend = model}); },
          .verify = verify,
          .output = std::as_writable_bytes(std::span(*next))};
}

int main(int argc, char** argv) {
  const auto define = [](std::ptrdiff_t n) -> speedwell::bench::CaseDefinition {
    const double points = double(n * n);
    // Kernel, variant, size, operations, bytes, bytes of these that are written, arithmetic, and the data.
    return {"heat", "f32", std::to_string(n), 4 * points, 8 * points, 4 * points, "f32", [n](int) { return heat(n); }};
  };
  return speedwell::bench::main(argc, argv, {define(64), define(512), define(4096)});
}
