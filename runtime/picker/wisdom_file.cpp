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
#include <vector>

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
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
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

// 0 if it is none.
int thread_count(const std::string& key) {
  char* end = nullptr;
  const long count = std::strtol(key.c_str(), &end, 10);
  return key.empty() || *end != '\0' || count < 1 || count > max_threads ? 0 : static_cast<int>(count);
}

json to_json(const std::map<Setting, double>& times_s) {
  json times = json::object();
  for (const auto& [setting, seconds] : times_s) times[text(setting)] = seconds;
  return times;
}

json to_json(const Wisdom& wisdom) {
  json memory = json::object(), kernels = json::object();
  for (const auto& [threads, speedup] : wisdom.cost.memory_speedup) memory[std::to_string(threads)] = speedup;
  for (const auto& [kernel, curves] : wisdom.kernels) {
    json& by_bound = kernels[kernel] = json::object();
    for (int bound = 0; bound < bounds; ++bound) {
      json points = json::array();
      for (const TunedPoint& point : curves[bound]) {
        json times = json::object();
        for (const auto& [setting, seconds] : point.times_s) times[text(setting)] = seconds;
        points.push_back({{"extent_s", point.extent_s}, {"times_s", std::move(times)}, {"races", point.races}});
      }
      if (!points.empty()) by_bound[bound_names[bound]] = std::move(points);
    }
  }
  return {{"fork_join_s", to_json(wisdom.cost.fork_join_s)},
          {"fork_join_least_s", to_json(wisdom.cost.fork_join_least_s)},
          {"fork_join_most_s", to_json(wisdom.cost.fork_join_most_s)},
          {"fork_join_times", wisdom.cost.fork_join_times},
          {"memory_speedup", std::move(memory)},
          {"memory_times", wisdom.cost.memory_times},
          {"slowness", wisdom.cost.slowness},
          {"sharing_s", wisdom.cost.sharing_s},
          {"kernels", std::move(kernels)}};
}

// Takes a file's parts as the parser comes to them. No tree of the whole is built: were memory to run out, that would
// need some to be destroyed. What is wrong is kept until the end, where it is known whether the file is to be used at
// all.
class Reader final : public nlohmann::json_sax<json> {
 public:
  Wisdom wisdom;
  bool is_object = false;
  std::optional<std::string> schema, machine;  // as they stand there
  std::string malformed;                       // the first thing; empty: none

  bool null() override { return value("null"); }
  bool boolean(bool of) override { return value(of ? "true" : "false"); }
  bool number_integer(number_integer_t of) override {
    if (at() == Place::whole && key_ == "schema") schema = std::to_string(of);
    return number(static_cast<double>(of));
  }
  bool number_unsigned(number_unsigned_t of) override {
    if (at() == Place::whole && key_ == "schema") schema = std::to_string(of);
    return number(static_cast<double>(of));
  }
  bool number_float(number_float_t of, const string_t&) override { return number(of); }
  bool string(string_t& of) override {
    if (at() == Place::whole && key_ == "machine") machine = of;
    return value(of);
  }
  bool binary(binary_t&) override { return value("binary"); }

  bool key(string_t& of) override {
    key_ = of;
    return true;
  }

  bool start_object(std::size_t) override {
    is_object = is_object || places_.empty();
    places_.push_back(place_of_object());
    if (places_.back() == Place::kernel) {
      kernel_ = key_;
      if (++kernels_ > most_kernels) complain("too many kernels");
    }
    if (places_.back() == Place::point) point_ = {};
    return true;
  }

  bool end_object() override {
    if (at() == Place::point) end_point();
    places_.pop_back();
    return true;
  }

  bool start_array(std::size_t) override {
    Place place = Place::ignored;
    if (at() == Place::kernel) {
      const auto bound = std::find(std::begin(bound_names), std::end(bound_names), key_);
      if (bound != std::end(bound_names)) {
        place = Place::points;
        bound_ = static_cast<Bound>(bound - std::begin(bound_names));
        points_ = 0;
      }
    } else {
      value("[...]");
    }
    places_.push_back(place);
    return true;
  }

  bool end_array() override {
    places_.pop_back();
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  enum class Place : unsigned char {
    nowhere,
    whole,
    fork_join,
    fork_join_least,
    fork_join_most,
    memory_speedup,
    slowness,
    sharing,
    kernels,
    kernel,
    points,
    point,
    times,
    ignored
  };

  Place at() const { return places_.empty() ? Place::nowhere : places_.back(); }

  void complain(const std::string& of) {
    if (malformed.empty()) malformed = of;
  }

  static Place place_of_member(std::string_view name) {
    if (name == "fork_join_s") return Place::fork_join;
    if (name == "fork_join_least_s") return Place::fork_join_least;
    if (name == "fork_join_most_s") return Place::fork_join_most;
    if (name == "memory_speedup") return Place::memory_speedup;
    if (name == "slowness") return Place::slowness;
    if (name == "sharing_s") return Place::sharing;
    return name == "kernels" ? Place::kernels : Place::ignored;
  }

  Place place_of_object() {
    switch (at()) {
      case Place::nowhere:
        return Place::whole;
      case Place::whole:
        return place_of_member(key_);
      case Place::kernels:
        return Place::kernel;
      case Place::points:
        return Place::point;
      case Place::point:
        return key_ == "times_s" ? Place::times : Place::ignored;
      default:
        value("{...}");
        return Place::ignored;
    }
  }

  // Where a number is expected: nothing if it is none that was ever measured.
  std::optional<double> measured(std::optional<double> number, const std::string& text, const char* what) {
    // Below a nanosecond's thousandth and above an hour nothing was.
    if (number && *number >= 1e-12 && *number <= 1e6) return number;
    complain(fmt::format("{} is {:.40}", what, text));
    return std::nullopt;
  }

  std::map<Setting, double>& fork_joins() {
    if (at() == Place::fork_join_least) return wisdom.cost.fork_join_least_s;
    return at() == Place::fork_join_most ? wisdom.cost.fork_join_most_s : wisdom.cost.fork_join_s;
  }

  // How often something was measured, which earlier versions didn't write.
  std::optional<int> times(std::optional<double> number, const std::string& text) {
    constexpr double most = 1000;
    if (number && *number >= 0 && *number <= most) return static_cast<int>(*number);
    complain(fmt::format("a number of measurements is {:.40}", text));
    return std::nullopt;
  }

  // That member of the whole file; nullptr if it is none such.
  int* times_member(std::string_view name) {
    if (name == "fork_join_times") return &wisdom.cost.fork_join_times;
    return name == "memory_times" ? &wisdom.cost.memory_times : nullptr;
  }

  bool number(double of) { return value(fmt::format("{}", of), of); }

  // A value that isn't one of an object or an array here.
  bool value(const std::string& text, std::optional<double> number = {}) {
    Setting setting;
    switch (at()) {
      case Place::whole:
        if (place_of_member(key_) != Place::ignored) complain(fmt::format("\"{}\" is no object", key_));
        if (int* const times_of = times_member(key_)) {
          if (const auto measurements = times(number, text)) *times_of = *measurements;
        }
        break;
      case Place::fork_join:
      case Place::fork_join_least:
      case Place::fork_join_most:
        if (!parse_setting(key_, setting)) break;
        if (const auto seconds = measured(number, text, "a fork-join")) fork_joins()[setting] = *seconds;
        break;
      case Place::memory_speedup:
        if (const auto threads = thread_count(key_); threads == 0) {
          complain(fmt::format("\"{:.40}\" threads", key_));
        } else if (const auto speedup = measured(number, text, "a speedup of memory")) {
          wisdom.cost.memory_speedup[threads] = *speedup;
        }
        break;
      case Place::slowness:
        if (wisdom.cost.slowness.size() >= most_kernels) complain("too many kernels");
        if (const auto times = measured(number, text, "a slowness")) wisdom.cost.slowness[key_] = *times;
        break;
      case Place::sharing:
        if (wisdom.cost.sharing_s.size() >= most_kernels) complain("too many kernels");
        if (const auto seconds = measured(number, text, "sharing")) wisdom.cost.sharing_s[key_] = *seconds;
        break;
      case Place::kernels:
        complain(fmt::format("kernel \"{:.40}\" is no object", key_));
        break;
      case Place::kernel:
        if (std::find(std::begin(bound_names), std::end(bound_names), key_) == std::end(bound_names)) break;
        complain("a kernel's points are no short list");
        break;
      case Place::points:
        complain("a point without extent");
        break;
      case Place::point:
        if (key_ == "times_s") complain("\"times_s\" is no object");
        if (key_ == "races") {
          if (const auto races = times(number, text)) point_.races = *races;
        }
        if (key_ != "extent_s") break;
        if (const auto extent = measured(number, text, "an extent")) point_.extent_s = *extent;
        break;
      case Place::times:
        if (!parse_setting(key_, setting)) break;  // of a model that this build lacks
        if (const auto seconds = measured(number, text, "a time")) point_.times_s.emplace_back(setting, *seconds);
        break;
      case Place::nowhere:
      case Place::ignored:
        break;
    }
    return true;
  }

  void end_point() {
    if (++points_ > most_points) complain("a kernel's points are no short list");
    if (point_.extent_s == 0) complain("a point without extent");
    if (point_.time_of({}) == nullptr) complain("a point without a sequential time");
    if (malformed.empty()) wisdom.add(kernel_, bound_, point_);
  }

  std::vector<Place> places_;
  std::string key_, kernel_;
  Bound bound_ = Bound::arithmetic;
  TunedPoint point_;
  std::size_t kernels_ = 0, points_ = 0;
};

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
    Reader read;
    if (!json::sax_parse(*text, &read) || !read.is_object) throw Malformed{"it isn't a JSON object"};
    if (!read.schema) throw Malformed{"it has no \"schema\""};
    if (*read.schema != std::to_string(schema)) {
      return {{}, fmt::format("{} has schema {}, expected {}: not used", path, *read.schema, schema)};
    }
    if (!read.machine) throw Malformed{"it has no \"machine\""};
    if (*read.machine != fingerprint) {
      return {{},
              path + " is of another machine (" + read.machine->substr(0, 200) + "), expected " + fingerprint +
                  ": not used"};
    }
    if (!read.malformed.empty()) throw Malformed{read.malformed};
    return {std::move(read.wisdom), ""};
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

// The right to replace the file at `path`, until it is closed; none, and `why_not`, if it can't be had. A lock of its
// own, since the file itself is replaced. It stays: removing it would let two have "the" lock.
File lock_of(const std::string& path, std::string& why_not) {
  const std::string lock_path = path + ".lock";
  File lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  while (lock && ::flock(lock.get(), LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    why_not = lock_path + ": " + error_text();
    return File(-1);
  }
  if (!lock) why_not = lock_path + ": " + error_text();
  return lock;
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
  // Another process may have put a good one in its place meanwhile.
  std::string why_not;
  if (const File lock = lock_of(path, why_not)) {
    read = look_at(path, fingerprint, malformed);
    if (!malformed) return read;
    why_not = set_aside(path);
  }
  read.complaint += why_not.empty() ? "; it is now " + path + ".bad" : "; it can't be moved aside either: " + why_not;
  return read;
}

std::string save_wisdom(const std::string& path, const std::string& fingerprint, const Wisdom& newer) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return fs::path(path).parent_path().string() + ": " + error.message();

  std::string why_not_locked;
  const File lock = lock_of(path, why_not_locked);
  if (!lock) return why_not_locked;
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
