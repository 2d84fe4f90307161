// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <vector>

#include <speedwell/image_filter.hpp>

#include "bench/cases/image_filter_workload.hpp"

namespace speedwell::bench {
namespace {

// The images have many values. In float, as the definition has it.
Expected expected_equalized(ImageView<const std::uint8_t> src, Rectangle part) {
  std::vector<std::ptrdiff_t> up_to(256);  // pixels of so small a value
  for (std::ptrdiff_t y = 0; y < src.height; ++y) {
    for (std::ptrdiff_t x = 0; x < src.width; ++x) ++up_to[src(x, y)];
  }
  for (std::size_t value = 1; value < up_to.size(); ++value) up_to[value] += up_to[value - 1];
  const std::ptrdiff_t least = *std::find_if(up_to.begin(), up_to.end(), [](std::ptrdiff_t n) { return n > 0; });

  Expected expected;
  const float scale = 255.0F / static_cast<float>(up_to.back() - least);
  for (std::ptrdiff_t y = part.y0; y < part.y1; ++y) {
    for (std::ptrdiff_t x = part.x0; x < part.x1; ++x) {
      const float position = static_cast<float>(up_to[src(x, y)] - least) * scale;
      expected.values.push_back(std::nearbyint(position));
    }
  }
  return expected;
}

FilterCase<std::uint8_t, std::uint8_t> equalized() {
  return {
      .task = {.filter = Filter::equalize},
      .size = {},
      .run = [](ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst,
                const Backend& backend) { equalize(src, dst, {.backend = backend}); },
      .expected = expected_equalized,
      .operations = 2,  // an increment and a look-up
  };
}

}  // namespace

std::vector<Case> equalize_cases() {
  std::vector<Case> cases;
  add_filter_cases(cases, "equalize", "", equalized());
  cases.push_back(tiny_filter_case("equalize", equalized()));
  cases.push_back(weak_filter_case("equalize", "", equalized()));
  return cases;
}

}  // namespace speedwell::bench
