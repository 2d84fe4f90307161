// SPDX-License-Identifier: Apache-2.0
#include "bench/journal.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "bench/files.hpp"

namespace speedwell::bench {

using nlohmann::json;

namespace {

// A sample's line is under 400 bytes: this is millions of samples, and a file that is plainly not a journal isn't read.
constexpr std::size_t most_bytes = std::size_t{1} << 30;
// The header's caches and cells are the deepest: {"machine": {"caches": [{…}]}}.
constexpr int most_depth = 16;

constexpr std::string_view checksum_key = ",\"crc32\":\"";
// `,"crc32":"01234567"}`
constexpr std::size_t checksum_length = checksum_key.size() + 8 + 2;

enum class Type { string, integer, positive, number, boolean, object, array };

struct Member {
  const char* name;
  Type type;
};

struct Kind {
  const char* name;
  std::span<const Member> members;
};

constexpr Member header_members[] = {{"run", Type::string},   {"started", Type::string}, {"machine", Type::object},
                                     {"build", Type::object}, {"config", Type::object},  {"cells", Type::array}};
constexpr Member cell_members[] = {{"cell", Type::string},      {"case", Type::string},  {"backend", Type::string},
                                   {"threads", Type::positive}, {"flops", Type::number}, {"bytes", Type::number}};
constexpr Member ready_members[] = {
    {"cell", Type::string}, {"calls", Type::positive}, {"verified", Type::boolean}, {"threads_used", Type::integer}};
constexpr Member sample_members[] = {{"round", Type::positive}, {"cell", Type::string},
                                     {"ns", Type::positive},    {"calls", Type::positive},
                                     {"cpu_ns", Type::number},  {"threads_used", Type::integer}};
constexpr Member rejected_members[] = {{"round", Type::positive}, {"cell", Type::string}, {"reason", Type::string}};
constexpr Member failed_members[] = {{"cell", Type::string}, {"reason", Type::string}};
constexpr Member resumed_members[] = {{"at", Type::string}};
constexpr Member finished_members[] = {{"at", Type::string}, {"rounds", Type::integer}};

constexpr Kind kinds[] = {{"ready", ready_members},      {"sample", sample_members},  {"rejected", rejected_members},
                          {"failed", failed_members},    {"skipped", failed_members}, {"resumed", resumed_members},
                          {"finished", finished_members}};

const char* word(Type type) {
  switch (type) {
    case Type::string:
      return "a string";
    case Type::integer:
      return "an integer of at least 0";
    case Type::positive:
      return "a number above 0";
    case Type::number:
      return "a number of at least 0";
    case Type::boolean:
      return "true or false";
    case Type::object:
      return "an object";
    case Type::array:
      return "an array";
  }
  return "";
}

bool fits(const json& value, Type type) {
  switch (type) {
    case Type::string:
      return value.is_string();
    case Type::integer:
      return value.is_number_integer() && value.get<double>() >= 0;
    case Type::positive:
      return value.is_number() && value.get<double>() > 0;
    case Type::number:
      return value.is_number() && value.get<double>() >= 0;
    case Type::boolean:
      return value.is_boolean();
    case Type::object:
      return value.is_object();
    case Type::array:
      return value.is_array();
  }
  return false;
}

// What is wrong with the object's members; empty: nothing.
std::string wrong_member(const json& object, std::span<const Member> members) {
  for (const Member& member : members) {
    const auto found = object.find(member.name);
    if (found == object.end()) return std::string("'") + member.name + "' is missing, expected " + word(member.type);
    if (!fits(*found, member.type)) {
      return std::string("'") + member.name + "' is " + found->dump() + ", expected " + word(member.type);
    }
  }
  return {};
}

std::string hex8(std::uint32_t value) {
  std::string text(8, '0');
  for (std::size_t i = 8; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

struct Line {
  json object;
  std::string wrong;  // what, if anything
};

// `text` is without its line's end.
Line parse_line(std::string_view text) {
  if (text.size() < checksum_length ||
      text.substr(text.size() - checksum_length, checksum_key.size()) != checksum_key) {
    return {{}, "it doesn't end with a checksum, expected ,\"crc32\":\"…\"}"};
  }
  const std::string_view summed = text.substr(0, text.size() - checksum_length);
  const std::string_view given = text.substr(text.size() - 10, 8);
  const std::string expected = hex8(crc32(summed));
  if (given != expected || !text.ends_with("\"}")) {
    return {{}, "its checksum is " + std::string(given) + ", expected " + expected};
  }
  bool too_deep = false;
  const json::parser_callback_t depth_check = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > most_depth;
    return !too_deep;
  };
  json object = json::parse(std::string(summed) + "}", depth_check, false);
  if (too_deep || !object.is_object()) return {{}, "it isn't a JSON object, nested at most 16 deep"};
  return {std::move(object), {}};
}

std::string wrong_header(const json& header) {
  if (const auto kind = header.find("kind"); kind == header.end() || *kind != "header") {
    return "its kind is " + (kind == header.end() ? "missing" : kind->dump()) +
           ", expected \"header\" in the first line";
  }
  if (const auto schema = header.find("schema"); schema == header.end() || *schema != 1) {
    return "its schema is " + (schema == header.end() ? "missing" : schema->dump()) + ", expected 1";
  }
  if (std::string wrong = wrong_member(header, header_members); !wrong.empty()) return wrong;
  std::unordered_set<std::string> names;
  for (const json& cell : header["cells"]) {
    if (!cell.is_object()) return "a cell is " + cell.dump() + ", expected an object";
    if (std::string wrong = wrong_member(cell, cell_members); !wrong.empty()) return "in a cell, " + wrong;
    if (!names.insert(cell["cell"].get<std::string>()).second)
      return "the cell " + cell["cell"].dump() + " stands twice";
  }
  return {};
}

std::string wrong_record(const json& record, const std::unordered_set<std::string>& cells) {
  const auto given = record.find("kind");
  const auto kind = std::find_if(std::begin(kinds), std::end(kinds),
                                 [&](const Kind& known) { return given != record.end() && *given == known.name; });
  if (kind == std::end(kinds)) {
    std::string expected;
    for (const Kind& known : kinds) expected += std::string(expected.empty() ? "" : ", ") + known.name;
    return "its kind is " + (given == record.end() ? "missing" : given->dump()) + ", expected one of " + expected;
  }
  if (std::string wrong = wrong_member(record, kind->members); !wrong.empty()) return wrong;
  if (const auto cell = record.find("cell"); cell != record.end() && !cells.contains(cell->get<std::string>())) {
    return "the cell " + cell->dump() + " isn't one of the header's";
  }
  return {};
}

[[noreturn]] void fail(std::string_view doing, const std::filesystem::path& path) {
  throw JournalError("cannot " + std::string(doing) + " " + path.string() + ": " + std::strerror(errno));
}

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t of_what_came_before) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0u);
      entries[byte] = value;
    }
    return entries;
  }();
  std::uint32_t value = ~of_what_came_before;
  for (const char c : bytes) value = (value >> 8) ^ table[(value ^ static_cast<unsigned char>(c)) & 255];
  return ~value;
}

std::string journal_line(const nlohmann::ordered_json& record) {
  // Text from outside (a library's version, an error message) may not be UTF-8: replaced rather than refused.
  std::string text = record.dump(-1, ' ', false, json::error_handler_t::replace);
  text.pop_back();
  return text + std::string(checksum_key) + hex8(crc32(text)) + "\"}\n";
}

Journal read_journal(const std::filesystem::path& path) {
  std::string bytes;
  try {
    bytes = read_file(path, most_bytes);
  } catch (const std::system_error& error) {
    throw JournalError(error.what());
  }
  Journal journal;
  journal.bytes = bytes.size();
  std::unordered_set<std::string> cells;
  std::size_t begin = 0;
  for (int number = 1; begin < bytes.size(); ++number) {
    const std::size_t end = bytes.find('\n', begin);
    Line line;
    if (end == std::string::npos) {
      line.wrong = "it is cut before its end";
    } else {
      line = parse_line(std::string_view(bytes).substr(begin, end - begin));
    }
    if (!line.wrong.empty() && number > 1 && (end == std::string::npos || end + 1 == bytes.size())) {
      journal.torn_tail = true;
      break;
    }
    if (line.wrong.empty()) line.wrong = number == 1 ? wrong_header(line.object) : wrong_record(line.object, cells);
    if (!line.wrong.empty()) {
      throw JournalError(path.string() + ", line " + std::to_string(number) + ": " + line.wrong);
    }
    if (number == 1) {
      for (const json& cell : line.object["cells"]) cells.insert(cell["cell"].get<std::string>());
      journal.header = std::move(line.object);
    } else {
      journal.records.push_back(std::move(line.object));
    }
    begin = end + 1;
    journal.complete_bytes = begin;
  }
  if (journal.header.is_null()) throw JournalError(path.string() + " is empty, expected a journal with a header line");
  journal.finished = !journal.records.empty() && journal.records.back()["kind"] == "finished";
  return journal;
}

JournalWriter::JournalWriter(std::filesystem::path path) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file_ < 0) fail("open", path_);
  // Two writers would measure against each other, and mix their samples. A process that was just killed may live on for
  // a moment in a child on its way to another program. Where files can't be locked, nothing is.
  for (int tries = 0; ::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; ++tries) {
    if (tries == 50) {
      ::close(file_);
      throw JournalError("another process is writing to " + path_.string() +
                         "; expected a run that no one else goes on with");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

JournalWriter::JournalWriter(JournalWriter&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

JournalWriter::~JournalWriter() {
  if (file_ >= 0) ::close(file_);
}

JournalWriter JournalWriter::create(const std::filesystem::path& path, const nlohmann::ordered_json& header) {
  if (std::filesystem::exists(std::filesystem::symlink_status(path))) {
    throw JournalError(path.string() + " exists already, expected a folder without a run");
  }
  try {
    write_file_atomically(path, journal_line(header));
  } catch (const std::system_error& error) {
    throw JournalError(error.what());
  }
  return JournalWriter(path);
}

JournalWriter JournalWriter::resume(const std::filesystem::path& path, const Journal& journal) {
  JournalWriter writer(path);
  if (std::error_code error; std::filesystem::file_size(path, error) != journal.bytes) {
    throw JournalError("another process has written to " + path.string() + " since it was read; try again");
  }
  if (journal.torn_tail && ::ftruncate(writer.file_, static_cast<off_t>(journal.complete_bytes)) != 0) {
    fail("cut the torn last line of", path);
  }
  return writer;
}

void JournalWriter::append(const nlohmann::ordered_json& record) {
  try {
    write_all(file_, journal_line(record), path_);
  } catch (const std::system_error& error) {
    throw JournalError(error.what());
  }
}

void JournalWriter::sync() {
  // EINVAL: a journal on something that has no disk behind it.
  if (::fdatasync(file_) != 0 && errno != EINVAL) fail("sync", path_);
}

}  // namespace speedwell::bench
