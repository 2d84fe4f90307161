// SPDX-License-Identifier: Apache-2.0
// Blurs a picture of its own on each parallel model and finds the same bytes each time.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <variant>
#include <vector>

#include <speedwell/image_filter.hpp>
#include <speedwell/runtime.hpp>

namespace sw = speedwell;

int main() {
  const int width = 641, height = 479;
  std::vector<std::uint8_t> picture(width * height);
  for (int i = 0; i < width * height; ++i) picture[i] = static_cast<std::uint8_t>(i % width ^ i / width);
  const sw::ImageView<const std::uint8_t> src(picture.data(), width, height);

  const auto blurred = [&](sw::Backend backend) {
    std::vector<std::uint8_t> result(picture.size());
    sw::gaussian_blur(src, sw::ImageView<std::uint8_t>(result.data(), width, height), {.sigma = 2, .backend = backend});
    std::cout << "gaussian_blur on " << sw::last_run().backend << ", " << sw::last_run().threads << " threads\n";
    return result;
  };

  const std::vector<std::uint8_t> expected = blurred(sw::Sequential{});
  if (expected == picture) return EXIT_FAILURE;
  for (const sw::Backend backend : {sw::Backend(sw::Threads{2}), sw::Backend(sw::OpenMp{2}), sw::Backend(sw::Tbb{2})}) {
    if (sw::is_built(backend) && blurred(backend) != expected) return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
