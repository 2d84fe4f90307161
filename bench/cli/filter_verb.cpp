// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <speedwell/image_filter.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cli/verbs.hpp"
#include "bench/driver/plan.hpp"
#include "bench/image_io.hpp"

namespace speedwell::bench {

namespace {

constexpr Border borders[] = {Border::constant, Border::replicate, Border::reflect, Border::reflect_101, Border::wrap};

Border border_from_name(const std::string& given) {
  std::vector<std::string> known;
  for (const Border border : borders) {
    if (name(border) == given) return border;
    known.emplace_back(name(border));
  }
  throw UsageError(fmt::format("unknown border '{}'{}; expected one of {}", given, did_you_mean(given, known),
                               fmt::join(known, ", ")));
}

void check(const FilterOptions& options) {
  const int filters = (options.gaussian ? 1 : 0) + (options.sobel.empty() ? 0 : 1) + (options.median ? 1 : 0);
  if (filters != 1) {
    throw UsageError(
        fmt::format("{} filters given, expected one of --gaussian SIGMA, --sobel x, --sobel y, --median 3", filters));
  }
  if (options.gaussian && !(std::isfinite(*options.gaussian) && *options.gaussian > 0)) {
    throw UsageError(fmt::format("--gaussian {} is not a standard deviation, expected a number of pixels above 0",
                                 *options.gaussian));
  }
  if (!options.sobel.empty() && options.sobel != "x" && options.sobel != "y") {
    throw UsageError(fmt::format("unknown direction '{}', expected --sobel x or --sobel y", options.sobel));
  }
  if (options.median && *options.median != 3) {
    throw UsageError(fmt::format("--median {} is not a size there is, expected 3", *options.median));
  }
}

// The gradient has a sign and goes beyond 8 bits: shown is its magnitude, cut off at 255. Alpha isn't brightness and
// stays what it was.
void show_gradient(const std::vector<std::int16_t>& gradient, const Image& in, Image& out) {
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const bool alpha = in.channels == 4 && i % 4 == 3;
    out.samples[i] = alpha ? in.samples[i] : static_cast<std::uint8_t>(std::min(std::abs(int{gradient[i]}), 255));
  }
}

}  // namespace

int run_filter(const FilterOptions& options) {
  check(options);
  const Border border = border_from_name(options.border);
  const Backend backend = backend_from_name(options.backend, options.threads);

  const Image in = read_png(options.in);
  Image out = in;
  const ImageView<const std::uint8_t> src(in.samples.data(), in.width, in.height, in.channels);
  const ImageView<std::uint8_t> dst(out.samples.data(), in.width, in.height, in.channels);
  if (options.gaussian) {
    gaussian_blur(
        src, dst,
        {.sigma = *options.gaussian, .border = border, .border_value = options.border_value, .backend = backend});
  } else if (options.median) {
    median_blur(src, dst, {.border = border, .border_value = options.border_value, .backend = backend});
  } else {
    std::vector<std::int16_t> gradient(in.samples.size());
    sobel(src, ImageView<std::int16_t>(gradient.data(), in.width, in.height, in.channels),
          {.dx = options.sobel == "x" ? 1 : 0,
           .dy = options.sobel == "y" ? 1 : 0,
           .border = border,
           .border_value = options.border_value,
           .backend = backend});
    show_gradient(gradient, in, out);
  }
  if (options.verbose) {
    const LastRun run = last_run();
    fmt::print(stderr, "{} x {} pixels, {} channel{}: ran on {} with {} thread{} ({})\n", in.width, in.height,
               in.channels, in.channels == 1 ? "" : "s", run.backend, run.threads, run.threads == 1 ? "" : "s",
               run.reason);
  }
  write_png(options.out, out);
  return exit_ok;
}

}  // namespace speedwell::bench
