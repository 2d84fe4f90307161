// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace speedwell::bench {

// Makes the filters' cases those of the image in the file. What the journal says of it. Throws as read_image does.
nlohmann::ordered_json offer_image_of(const std::filesystem::path& path);

}  // namespace speedwell::bench
