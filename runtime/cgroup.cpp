// SPDX-License-Identifier: Apache-2.0
#include "runtime/cgroup.hpp"

#include <charconv>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace speedwell::runtime {

namespace {

// A mounted hierarchy: `group` of it is seen at `mount_point`, and the process's own group is `path` below the
// hierarchy's root.
struct Hierarchy {
  int version = 0;
  std::string group;
  std::string mount_point;
  std::string path;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  for (const std::string& candidate : words) {
    if (candidate == word) return true;
  }
  return false;
}

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// mountinfo writes space, tab, newline and backslash as three octal digits after a backslash.
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
      plain += static_cast<char>(code);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// The hierarchies that may hold a CPU quota: v1's with the cpu controller, and v2's.
std::vector<Hierarchy> mounted_hierarchies(const std::string& root) {
  std::vector<Hierarchy> found;
  for (const std::string& line : read_lines(root + "/proc/self/mountinfo")) {
    // 36 35 98:0 /group /mount/point rw,noatime master:1 - cgroup cgroup rw,cpu,cpuacct
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> mount = split(std::string_view(line).substr(0, dash), ' ');
    const std::vector<std::string> source = split(std::string_view(line).substr(dash + 3), ' ');
    if (mount.size() < 5 || source.empty()) continue;
    int version = 0;
    if (source[0] == "cgroup2") version = 2;
    if (source[0] == "cgroup" && source.size() >= 3 && contains(split(source[2], ','), "cpu")) version = 1;
    if (version != 0) found.push_back({version, unescape(mount[3]), unescape(mount[4]), ""});
  }
  return found;
}

// This process's group in the hierarchy of the version.
std::optional<std::string> own_group(const std::string& root, int version) {
  for (const std::string& line : read_lines(root + "/proc/self/cgroup")) {
    // 4:cpu,cpuacct:/a/b in v1, 0::/a/b in v2; the path itself may hold colons.
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool matches = version == 2 ? controllers.empty() : contains(split(controllers, ','), "cpu");
    if (matches) return line.substr(second + 1);
  }
  return std::nullopt;
}

// The group's path as seen below the mount point; the mount point itself if the group isn't below it, as when a
// container sees its host's paths.
std::string path_below_mount(const std::string& path, const std::string& mounted) {
  if (path.find("/..") != std::string::npos) return "";
  std::string below = path;
  if (mounted != "/") {
    if (below.compare(0, mounted.size(), mounted) != 0) return "";
    below.erase(0, mounted.size());
    if (!below.empty() && below[0] != '/') return "";
  }
  while (!below.empty() && below.back() == '/') below.pop_back();
  return below;
}

std::optional<long long> parse_integer(std::string_view text) {
  long long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string first_line(const std::string& path) {
  const std::vector<std::string> lines = read_lines(path);
  return lines.empty() ? "" : lines[0];
}

struct Limit {
  long long quota_us = 0;
  long long period_us = 0;
};

// The limit in one group's own files; nothing if there is none, or none that makes sense.
std::optional<Limit> read_limit(int version, const std::string& directory) {
  std::optional<long long> quota, period;
  if (version == 2) {
    const std::vector<std::string> words =
        split(first_line(directory + "/cpu.max"), ' ');  // "150000 100000", "max 100000"
    if (words.size() != 2) return std::nullopt;
    quota = parse_integer(words[0]);
    period = parse_integer(words[1]);
  } else {
    quota = parse_integer(first_line(directory + "/cpu.cfs_quota_us"));  // -1: none
    period = parse_integer(first_line(directory + "/cpu.cfs_period_us"));
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return Limit{*quota, *period};
}

}  // namespace

CpuQuota read_cpu_quota(const std::string& root) {
  CpuQuota smallest;
  std::string looked_at;
  for (const Hierarchy& mount : mounted_hierarchies(root)) {
    const std::optional<std::string> path = own_group(root, mount.version);
    if (!path) continue;
    const std::string hierarchy = "cgroup v" + std::to_string(mount.version);
    std::string group = path_below_mount(*path, mount.group);
    looked_at += (looked_at.empty() ? "" : ", ") + hierarchy + " " + (group.empty() ? "/" : group);
    while (true) {
      if (const auto limit = read_limit(mount.version, root + mount.mount_point + group)) {
        const double cpus = static_cast<double>(limit->quota_us) / static_cast<double>(limit->period_us);
        if (smallest.cpus == 0 || cpus < smallest.cpus) {
          smallest.cpus = cpus;
          smallest.source = hierarchy + " " + (group.empty() ? "/" : group) + ": " + std::to_string(limit->quota_us) +
                            "/" + std::to_string(limit->period_us) + " us";
        }
      }
      if (group.empty()) break;
      group.erase(group.rfind('/'));
    }
  }
  if (smallest.cpus == 0) {
    smallest.source = looked_at.empty() ? "no cgroup with a CPU controller" : "no quota in " + looked_at;
  }
  return smallest;
}

}  // namespace speedwell::runtime
