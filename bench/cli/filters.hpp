// SPDX-License-Identifier: Apache-2.0
// The filters that `speedwell filter` chains: what each is called, what it takes, and what it does to an image.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include <speedwell/backend.hpp>
#include <speedwell/image_filter.hpp>

#include "bench/image_io.hpp"

namespace speedwell::bench {

// What all filters of a chain have in common.
struct FilterSetting {
  std::optional<Border> border{};  // none: each filter's own
  std::optional<double> border_value{};
  Backend backend = Automatic{};
};

// What a filter needs to know of an image beforehand.
struct ImageKind {
  int bits = 8;
  int colours = 3;
  bool alpha = false;
};

ImageKind kind_of(const Image& image);

// A filter with its parameters.
struct FilterStep {
  // What comes of such an image. Throws UsageError if the filter doesn't take it.
  std::function<ImageKind(const ImageKind& kind)> check;
  std::function<Image(Image image, const FilterSetting& setting)> run;
  bool by_the_library = true;  // last_run() is about it
};

struct FilterEntry {
  const char* option;    // "--gaussian"
  const char* argument;  // what it takes: "SIGMA"; empty: nothing
  const char* help;
  // Throws UsageError, which says what was given and what was expected.
  FilterStep (*make)(const FilterEntry& entry, const std::string& argument);
};

// In the order to list them.
std::span<const FilterEntry> filter_entries();

}  // namespace speedwell::bench
