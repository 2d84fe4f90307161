// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/fingerprint.hpp"

#include <fmt/format.h>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include <sys/utsname.h>
#include <unistd.h>

#include "bench/cases/case_image.hpp"
#include "bench/driver/build_info.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"

namespace speedwell::bench {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string virtualization() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  bool guest = false;
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("flags") && (line + " ").find(" hypervisor ") != std::string::npos) guest = true;
  }
  if (!guest) return "none seen";
  const std::string vendor = first_line("/sys/class/dmi/id/sys_vendor");
  return vendor.empty() ? "virtual machine" : "virtual machine (" + vendor + ")";
}

std::string governor() {
  const std::string governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  return governor.empty() ? "not visible" : governor;
}

// One of our programs is a few MiB.
constexpr std::size_t most_program_bytes = std::size_t{1} << 30;

}  // namespace

ordered_json machine_fingerprint() {
  const Machine& machine = speedwell::machine();
  utsname system = {};
  ::uname(&system);
  ordered_json caches = ordered_json::array();
  for (const Cache& cache : machine.caches) {
    caches.push_back({{"level", cache.level}, {"bytes", cache.bytes}, {"sharing_cores", cache.sharing_cores}});
  }
  return {{"cpu", machine.cpu},
          {"physical_cores", machine.core_cpus.size()},
          {"allowed_cpus", machine.allowed_cpus},
          {"core_cpus", machine.core_cpus},
          {"sibling_cpus", machine.sibling_cpus},
          {"default_threads", machine.default_threads},
          {"quota_cpus", machine.quota_cpus},
          {"quota_source", machine.quota_source},
          {"cpus_source", machine.cpus_source},
          {"caches", caches},
          {"numa_nodes", machine.numa_nodes},
          {"isa", name(machine.isa)},
          {"kernel_release", system.release},
          {"virtualization", virtualization()},
          {"governor", governor()}};
}

std::string file_checksum(const std::filesystem::path& file) {
  return fmt::format("{:08x}", crc32(read_file(file, most_program_bytes)));
}

ordered_json build_fingerprint(const std::vector<std::filesystem::path>& programs) {
  const BuildInfo& info = build_info();
  ordered_json libraries = ordered_json::object();
  for (const LibraryVersion& library : info.libraries) libraries[std::string(library.name)] = library.version;
  ordered_json sums = ordered_json::object();
  for (const std::filesystem::path& program : programs) {
    sums[program.filename().string()] = file_checksum(program);
  }
  return {{"version", version()}, {"commit", info.commit},  {"dirty", info.dirty}, {"compiler", info.compiler},
          {"flags", info.flags},  {"libraries", libraries}, {"programs", sums}};
}

namespace {

// Of absolute paths, also in a list with colons, the files' names: where they lie tells of somebody's machine, and
// nothing of a measurement.
std::string without_folders(std::string_view value) {
  std::string kept;
  for (bool more = true; more;) {
    const std::size_t end = value.find(':');
    const std::string_view piece = value.substr(0, end);
    kept += piece.starts_with('/') ? piece.substr(piece.rfind('/') + 1) : piece;
    more = end != std::string_view::npos;
    if (more) {
      kept += ':';
      value.remove_prefix(end + 1);
    }
  }
  return kept;
}

}  // namespace

ordered_json measuring_environment() {
  ordered_json found = ordered_json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    for (const std::string_view prefix :
         {"SPEEDWELL_", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "TBB_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"}) {
      // The image's place in memory says nothing; the run's description has its file.
      if (name.starts_with(prefix) && name.size() < text.size() && name != case_image_variable) {
        found[std::string(name)] = without_folders(text.substr(name.size() + 1));
      }
    }
  }
  return found;
}

std::string first_difference(const json& before, const json& now, const std::string& name) {
  if (before == now) return {};
  if (before.is_object() && now.is_object()) {
    for (const auto& [key, value] : before.items()) {
      if (!now.contains(key)) return name + "." + key + " was " + value.dump() + ", is missing now";
      if (std::string found = first_difference(value, now[key], name + "." + key); !found.empty()) return found;
    }
    for (const auto& [key, value] : now.items()) {
      if (!before.contains(key)) return name + "." + key + " was missing, is " + value.dump();
    }
  }
  return name + " was " + before.dump() + ", is " + now.dump();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm fields = {};
  ::gmtime_r(&now, &fields);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
                     fields.tm_hour, fields.tm_min, fields.tm_sec);
}

}  // namespace speedwell::bench
