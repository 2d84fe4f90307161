// SPDX-License-Identifier: Apache-2.0
// The journal of a run: every sample as it was taken, one JSON object a line, each with a checksum. docs/run-folder.md
// has the format. All results are made from it, and an interrupted run goes on from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace speedwell::bench {

// A journal that can't be read, isn't one, or can't be written. The message names the file, the line, what was found
// and what was expected.
class JournalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Journal {
  nlohmann::json header;                // the first line
  std::vector<nlohmann::json> records;  // the lines after it, in order, without their checksums
  bool torn_tail = false;               // the last line was cut or damaged, and isn't among the records
  bool finished = false;                // the last record says that the run ended by itself
  std::uintmax_t complete_bytes = 0;    // where the torn tail begins: the length of all complete lines
  std::uintmax_t bytes = 0;             // the length of all that was read
};

// Checks every line: its checksum, its kind, the members of that kind and their types, and that each cell is one of the
// header's. A torn last line is left out; anything else that is wrong is a JournalError.
Journal read_journal(const std::filesystem::path& path);

// The CRC-32 of IEEE 802.3 (that of zlib and PNG).
std::uint32_t crc32(std::string_view bytes, std::uint32_t of_what_came_before = 0);

// `record` as a line of the journal, with its checksum and the line's end.
std::string journal_line(const nlohmann::ordered_json& record);

// Appends to a journal. Each record is one write(2), so a kill leaves at most one torn line, the last.
class JournalWriter {
 public:
  // A new journal that holds just the header, complete or not there at all. Throws if the file exists.
  static JournalWriter create(const std::filesystem::path& path, const nlohmann::ordered_json& header);
  // Goes on with `journal`, as read from `path`: cuts off a torn tail. Throws if another process writes to it.
  static JournalWriter resume(const std::filesystem::path& path, const Journal& journal);

  JournalWriter(JournalWriter&& other) noexcept;
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;
  ~JournalWriter();

  void append(const nlohmann::ordered_json& record);
  // Returns when all that was appended is on the disk.
  void sync();

 private:
  // Opens the journal for this process alone.
  explicit JournalWriter(std::filesystem::path path);

  std::filesystem::path path_;
  int file_;
};

}  // namespace speedwell::bench
