// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <speedwell/image_filter.hpp>
#include <speedwell/runtime.hpp>

#include "bench/cli/filters.hpp"
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

struct Step {
  std::string text;  // as it was given
  FilterStep filter;
};

std::vector<Step> make_chain(const std::vector<FilterOptions::Word>& words) {
  std::vector<Step> chain;
  for (const FilterOptions::Word& word : words) {
    for (const FilterEntry& entry : filter_entries()) {
      if (word.option != entry.option) continue;
      const std::string text = word.option + (word.argument.empty() ? "" : " " + word.argument);
      chain.push_back({text, entry.make(entry, word.argument)});
    }
  }
  if (!chain.empty()) return chain;
  std::vector<std::string> known;
  for (const FilterEntry& entry : filter_entries()) {
    known.push_back(fmt::format("{}{}{}", entry.option, *entry.argument == 0 ? "" : " ", entry.argument));
  }
  throw UsageError(fmt::format("no filter given, expected one or more of {}", fmt::join(known, ", ")));
}

// By its name; of a name without an extension, as a device's, by what came in.
ImageFormat format_of_output(const FilterOptions& options, ImageFormat format_of_input) {
  if (!options.out.has_extension()) return format_of_input;
  const std::optional<ImageFormat> format = format_of_name(options.out);
  if (!format) {
    throw UsageError(
        fmt::format("{}: expected a name that ends in .png, .jpg or .jpeg, or in neither", options.out.string()));
  }
  return *format;
}

// Before anything is computed that couldn't be written.
void check_chain(const std::vector<Step>& chain, ImageKind kind, const FilterOptions& options, ImageFormat format) {
  for (const Step& step : chain) kind = step.filter.check(kind);
  if (format != ImageFormat::jpeg) return;
  if (kind.bits == 16) {
    throw UsageError(fmt::format("{}: a JPEG image has 8 bits a sample, the result has 16; --depth 8 rounds them",
                                 options.out.string()));
  }
  if (kind.alpha) {
    throw UsageError(
        fmt::format("{}: a JPEG image has no alpha, the result has; --drop-alpha leaves it out", options.out.string()));
  }
}

// What --time and --verbose say, on stderr.
class Log {
 public:
  explicit Log(const FilterOptions& options) : time_(options.time), verbose_(options.verbose) {}

  // Runs `work`, and says `what` and `more()` afterwards.
  template <class Work, class More>
  auto step(const std::string& what, Work work, More more) const {
    const auto begin = std::chrono::steady_clock::now();
    auto result = work();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
    if (time_) fmt::print(stderr, "{:>10.2f} ms  ", taken.count());
    if (time_ || verbose_) fmt::print(stderr, "{}: {}\n", what, more(result));
    return result;
  }

 private:
  bool time_;
  bool verbose_;
};

std::string describe(const Image& image) {
  const ImageKind kind = kind_of(image);
  return std::visit(
      [&](const auto& layers) {
        return fmt::format("{} x {} pixels, {}{}, {} bits", layers.colour.width(), layers.colour.height(),
                           kind.colours == 1 ? "gray" : "RGB", kind.alpha ? " with alpha" : "", kind.bits);
      },
      image);
}

std::string describe_last_run() {
  const LastRun run = last_run();
  return fmt::format("ran on {} with {} thread{} ({})", run.backend, run.threads, run.threads == 1 ? "" : "s",
                     run.reason);
}

}  // namespace

int run_filter(const FilterOptions& options) {
  const std::vector<Step> chain = make_chain(options.chain);
  FilterSetting setting = {.border_value = options.border_value,
                           .backend = backend_from_name(options.backend, options.threads)};
  if (options.threads < 0 || options.threads > max_threads) {
    throw UsageError(fmt::format("--threads {}, expected a number from 1 to {}, or 0 for every allowed core",
                                 options.threads, max_threads));
  }
  if (!options.border.empty()) setting.border = border_from_name(options.border);
  if (options.quality < 1 || options.quality > 100) {
    throw UsageError(fmt::format("--quality {}, expected a number from 1 to 100", options.quality));
  }
  format_of_output(options, ImageFormat::png);

  const Log log(options);
  DecodedImage in = log.step(
      "read " + options.in.string(), [&] { return read_image(options.in); },
      [](const DecodedImage& read) { return fmt::format("{}, {}", name(read.format), describe(read.image)); });
  const ImageFormat format = format_of_output(options, in.format);
  check_chain(chain, kind_of(in.image), options, format);
  Image image = std::move(in.image);
  for (const Step& step : chain) {
    image = log.step(
        step.text, [&] { return step.filter.run(std::move(image), setting); },
        [&](const Image& result) { return step.filter.by_the_library ? describe_last_run() : describe(result); });
  }
  log.step(
      "write " + options.out.string(),
      [&] {
        write_image(options.out, image, format, options.quality);
        return format;
      },
      [&](ImageFormat written) { return fmt::format("{}, {}", name(written), describe(image)); });
  return exit_ok;
}

}  // namespace speedwell::bench
