// SPDX-License-Identifier: Apache-2.0
#include "runtime/picker/wisdom_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/runtime.hpp>

#include "runtime/built.hpp"
#include "runtime/models.hpp"

namespace speedwell::runtime {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int schema = 1;

// A machine with 128 cores and 100 kernels writes a hundredth of this.
constexpr off_t most_bytes = off_t{8} << 20;
constexpr std::size_t most_kernels = 4096;
constexpr std::size_t most_points = 256;

#if defined(__clang__)
constexpr const char* compiler = "clang " __VERSION__;
#else
constexpr const char* compiler = "g++ " __VERSION__;
#endif

constexpr const char* bound_names[bounds] = {"arithmetic", "memory"};

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  explicit operator bool() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::string error_text() { return std::strerror(errno); }

// What is wrong with a file's content.
struct Malformed {
  std::string why;
};

double positive(const json& value, const char* what) {
  const double number = value.is_number() ? value.get<double>() : 0;
  // Below a nanosecond's thousandth and above an hour nothing was measured.
  if (!(number >= 1e-12 && number <= 1e6)) throw Malformed{std::string(what) + " is " + value.dump().substr(0, 40)};
  return number;
}

const json& object_member(const json& of, const char* name) {
  static const json none = json::object();
  const auto found = of.find(name);
  if (found == of.end()) return none;
  if (!found->is_object()) throw Malformed{std::string("\"") + name + "\" is no object"};
  return *found;
}

int thread_count(const std::string& key) {
  char* end = nullptr;
  const long count = std::strtol(key.c_str(), &end, 10);
  if (key.empty() || *end != '\0' || count < 1 || count > max_threads) throw Malformed{"\"" + key + "\" threads"};
  return static_cast<int>(count);
}

json to_json(const Wisdom& wisdom) {
  json fork_join = json::object(), memory = json::object(), slowness = json::object(), kernels = json::object();
  for (const auto& [setting, seconds] : wisdom.cost.fork_join_s) fork_join[text(setting)] = seconds;
  for (const auto& [threads, speedup] : wisdom.cost.memory_speedup) memory[std::to_string(threads)] = speedup;
  for (const auto& [kernel, times] : wisdom.cost.slowness) slowness[kernel] = times;
  for (const auto& [kernel, curves] : wisdom.kernels) {
    json& by_bound = kernels[kernel] = json::object();
    for (int bound = 0; bound < bounds; ++bound) {
      json points = json::array();
      for (const TunedPoint& point : curves[bound]) {
        json times = json::object();
        for (const auto& [setting, seconds] : point.times_s) times[text(setting)] = seconds;
        points.push_back({{"extent_s", point.extent_s}, {"times_s", std::move(times)}});
      }
      if (!points.empty()) by_bound[bound_names[bound]] = std::move(points);
    }
  }
  return {{"fork_join_s", std::move(fork_join)},
          {"memory_speedup", std::move(memory)},
          {"slowness", std::move(slowness)},
          {"kernels", std::move(kernels)}};
}

// Settings of models that this build lacks are left out.
Wisdom from_json(const json& of) {
  Wisdom wisdom;
  Setting setting;
  for (const auto& [name, seconds] : object_member(of, "fork_join_s").items()) {
    if (parse_setting(name, setting)) wisdom.cost.fork_join_s[setting] = positive(seconds, "a fork-join");
  }
  for (const auto& [name, speedup] : object_member(of, "memory_speedup").items()) {
    wisdom.cost.memory_speedup[thread_count(name)] = positive(speedup, "a speedup of memory");
  }
  for (const auto& [kernel, times] : object_member(of, "slowness").items()) {
    wisdom.cost.slowness[kernel] = positive(times, "a slowness");
  }
  const json& kernels = object_member(of, "kernels");
  if (kernels.size() > most_kernels || wisdom.cost.slowness.size() > most_kernels) throw Malformed{"too many kernels"};
  for (const auto& [kernel, by_bound] : kernels.items()) {
    if (!by_bound.is_object()) throw Malformed{"kernel \"" + kernel.substr(0, 40) + "\" is no object"};
    for (int bound = 0; bound < bounds; ++bound) {
      const auto points = by_bound.find(bound_names[bound]);
      if (points == by_bound.end()) continue;
      if (!points->is_array() || points->size() > most_points) throw Malformed{"a kernel's points are no short list"};
      for (const json& point : *points) {
        if (!point.is_object() || !point.contains("extent_s")) throw Malformed{"a point without extent"};
        TunedPoint tuned = {positive(point["extent_s"], "an extent"), {}};
        for (const auto& [name, seconds] : object_member(point, "times_s").items()) {
          if (parse_setting(name, setting)) tuned.times_s.emplace_back(setting, positive(seconds, "a time"));
        }
        if (tuned.time_of({}) == nullptr) throw Malformed{"a point without a sequential time"};
        wisdom.add(kernel, static_cast<Bound>(bound), tuned);
      }
    }
  }
  return wisdom;
}

// The file's text; nothing if there is no file.
std::optional<std::string> read_all(const std::string& path) {
  // Without waiting, as it may be a pipe that nobody writes to.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw Malformed{error_text()};
  }
  struct stat status;
  if (::fstat(file.get(), &status) != 0) throw Malformed{error_text()};
  if (!S_ISREG(status.st_mode)) throw Malformed{"it is no regular file"};
  if (status.st_size > most_bytes) {
    throw Malformed{fmt::format("it has {} bytes, expected at most {}", status.st_size, most_bytes)};
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Malformed{error_text()};
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

// As read_wisdom(), leaving the file where it is.
ReadWisdom look_at(const std::string& path, const std::string& fingerprint, bool& malformed) {
  malformed = false;
  try {
    const std::optional<std::string> text = read_all(path);
    if (!text) return {};
    const json whole = json::parse(*text, nullptr, false);
    if (!whole.is_object()) throw Malformed{"it isn't a JSON object"};
    const auto version = whole.find("schema");
    if (version == whole.end() || !version->is_number_integer()) throw Malformed{"it has no \"schema\""};
    if (*version != schema) {
      return {{}, fmt::format("{} has schema {}, expected {}: not used", path, version->dump(), schema)};
    }
    const auto of = whole.find("machine");
    if (of == whole.end() || !of->is_string()) throw Malformed{"it has no \"machine\""};
    if (*of != fingerprint) {
      return {{},
              path + " is of another machine (" + of->get<std::string>().substr(0, 200) + "), expected " + fingerprint +
                  ": not used"};
    }
    return {from_json(whole), ""};
  } catch (const Malformed& wrong) {
    malformed = true;
    return {{}, path + " can't be used as wisdom: " + wrong.why};
  }
}

// Why it couldn't be moved; empty if it could.
std::string set_aside(const std::string& path) {
  const std::string aside = path + ".bad";
  return ::rename(path.c_str(), aside.c_str()) == 0 ? "" : error_text();
}

std::string write_whole(const std::string& path, const std::string& text) {
  std::string temporary = path + ".XXXXXX";
  const File file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return temporary + ": " + error_text();
  const auto fail = [&](const std::string& why) {
    ::unlink(temporary.c_str());
    return temporary + ": " + why;
  };
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(error_text());
    done += static_cast<std::size_t>(put);
  }
  if (::fchmod(file.get(), 0644) != 0 || ::fsync(file.get()) != 0) return fail(error_text());
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(error_text());
  // Only then has the new name outlived a power cut.
  const File folder(::open(fs::path(path).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
  return "";
}

std::string variable(const char* name) {
  const char* const value = ::secure_getenv(name);
  return value != nullptr ? value : "";
}

std::uint64_t hash_of(const std::string& text) {
  // FNV-1a.
  std::uint64_t hash = 14695981039346656037U;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 1099511628211U;
  return hash;
}

// "0-3,8".
std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last > first ? fmt::format("{}-{}", numbers[first], numbers[last]) : fmt::format("{}", numbers[first]);
    first = last + 1;
  }
  return text;
}

}  // namespace

std::string machine_fingerprint() {
  const Machine& of = machine();
  std::string text = fmt::format("{}; CPUs {} in {} cores; threads {}; caches", of.cpu, ranges(of.allowed_cpus),
                                 of.core_cpus.size(), of.default_threads);
  for (const Cache& cache : of.caches) {
    text += fmt::format(" L{} {} KiB/{}", cache.level, cache.bytes >> 10, cache.sharing_cores);
  }
  if (of.quota_cpus > 0) text += fmt::format("; quota {}", of.quota_cpus);
  text += fmt::format("; {}; speedwell {}; {}", name(of.isa), SPEEDWELL_VERSION, compiler);
  if constexpr (built<OpenMp>) {
    for (const char* const policy : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}) {
      if (const std::string value = variable(policy); !value.empty()) text += fmt::format("; {} {}", policy, value);
    }
  }
  if constexpr (built<Tbb>) text += fmt::format("; {}", tbb_version());
  return text;
}

std::string wisdom_path() {
  const std::string given = variable("SPEEDWELL_WISDOM");
  if (!given.empty()) {
    if (given.front() != '/') {
      throw InvalidArgument("SPEEDWELL_WISDOM is '" + given +
                            "', expected an absolute path: nothing is read from the current folder");
    }
    return given;
  }
  std::string folder = variable("XDG_CACHE_HOME");
  if (folder.empty() || folder.front() != '/') {
    folder = variable("HOME");
    if (folder.empty() || folder.front() != '/') return "";
    folder += "/.cache";
  }
  return fmt::format("{}/speedwell/wisdom-{:016x}.json", folder, hash_of(machine_fingerprint()));
}

ReadWisdom read_wisdom(const std::string& path, const std::string& fingerprint) {
  bool malformed;
  ReadWisdom read = look_at(path, fingerprint, malformed);
  if (!malformed) return read;
  const std::string why_not = set_aside(path);
  read.complaint += why_not.empty() ? "; it is now " + path + ".bad" : "; it can't be moved aside either: " + why_not;
  return read;
}

std::string save_wisdom(const std::string& path, const std::string& fingerprint, const Wisdom& newer) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return fs::path(path).parent_path().string() + ": " + error.message();

  // A lock of its own, since the file itself is replaced. It stays: removing it would let two have "the" lock.
  const std::string lock_path = path + ".lock";
  const File lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock) return lock_path + ": " + error_text();
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return lock_path + ": " + error_text();
  }
  bool malformed;
  ReadWisdom there = look_at(path, fingerprint, malformed);
  // Whatever it is, it isn't overwritten.
  if (!there.complaint.empty()) {
    if (const std::string why_not = set_aside(path); !why_not.empty()) return path + ": " + why_not;
  }
  there.wisdom.merge(newer);
  json whole = to_json(there.wisdom);
  whole["schema"] = schema;
  whole["machine"] = fingerprint;
  return write_whole(path, whole.dump(1) + "\n");
}

}  // namespace speedwell::runtime
