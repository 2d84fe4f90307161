// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/bench_image.hpp"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/cases/case_image.hpp"
#include "bench/files.hpp"
#include "bench/image_io.hpp"
#include "bench/report/sha256.hpp"

namespace speedwell::bench {

namespace {

// Images that take longer to filter than a sample should are of no use here; read once more for their hash.
constexpr std::size_t most_file_bytes = std::size_t{1} << 30;

}  // namespace

nlohmann::ordered_json offer_image_of(const std::filesystem::path& path) {
  const DecodedImage decoded = read_image(path);
  const std::string hash = report::sha256_hex(read_file(path, most_file_bytes));
  return std::visit(
      [&]<class T>(const Layers<T>& layers) -> nlohmann::ordered_json {
        const Raster<T>& colour = layers.colour;
        std::vector<std::uint16_t> samples(colour.samples().size());
        // White is 65535.
        constexpr int widening = sizeof(T) == 1 ? 257 : 1;
        std::transform(colour.samples().begin(), colour.samples().end(), samples.begin(),
                       [](T sample) { return static_cast<std::uint16_t>(sample * widening); });
        offer_case_image({colour.width(), colour.height(), colour.channels(), samples});
        return {{"file", path.string()},         {"sha256", hash},
                {"width", colour.width()},       {"height", colour.height()},
                {"channels", colour.channels()}, {"bits", 8 * sizeof(T)}};
      },
      decoded.image);
}

}  // namespace speedwell::bench
