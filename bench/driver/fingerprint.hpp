// SPDX-License-Identifier: Apache-2.0
// What a run was taken on and with, as the journal's header says it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace speedwell::bench {

// The header's `machine`.
nlohmann::ordered_json machine_fingerprint();

// The CRC-32 of a program, in hexadecimal.
std::string file_checksum(const std::filesystem::path& file);

// The header's `build`, with the checksums of the programs that are measured: two builds of a modified tree look the
// same otherwise.
nlohmann::ordered_json build_fingerprint(const std::vector<std::filesystem::path>& programs);

// The environment variables that can alter what is measured. Files are named without their folders.
nlohmann::ordered_json measuring_environment();

// The first member, at any depth, in which two fingerprints differ, in words; empty if they are the same.
std::string first_difference(const nlohmann::json& before, const nlohmann::json& now, const std::string& name);

// "2026-03-01T12:34:56Z"
std::string utc_now();

}  // namespace speedwell::bench
