// SPDX-License-Identifier: Apache-2.0
#include "bench/models/folder.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "bench/analysis/analysis.hpp"
#include "bench/files.hpp"
#include "bench/journal.hpp"
#include "bench/models/results.hpp"
#include "bench/report/report.hpp"

namespace speedwell::bench::models {

namespace fs = std::filesystem;

fs::path own_program_path() {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path beside = here / "speedwell_models", installed = here / "../libexec/speedwell/speedwell_models";
  for (const fs::path& program : {beside, installed}) {
    std::error_code ignored;
    if (fs::exists(program, ignored)) return fs::canonical(program);
  }
  throw fs::filesystem_error("cannot find the program of the techniques", beside, installed,
                             std::make_error_code(std::errc::no_such_file_or_directory));
}

fs::path c_library_path() {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  for (const char* const place : {".", "../lib", "../" SPEEDWELL_LIBRARY_FOLDER}) {
    const fs::path library = here / place / "libspeedwell_c.so";
    std::error_code ignored;
    if (fs::exists(library, ignored)) return fs::canonical(library);
  }
  return {};
}

void write_folder(const fs::path& folder, const Study& study, const std::string& started, std::ostream& messages,
                  const std::string& gnuplot) {
  const auto write = [&](const fs::path& to) {
    write_file_atomically(to / "models.json", to_json(study, started).dump() + "\n");
    write_file_atomically(to / "models.csv", to_csv(study));
  };
  ReportTools tools;
  tools.gnuplot = gnuplot;
  if (fs::exists(folder / "journal.jsonl")) {
    write(folder);
    return write_report(folder, analyse(read_journal(folder / "journal.jsonl")), messages, tools);
  }
  const fs::path parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  fs::create_directories(parent);
  ScratchFolder scratch(parent);
  write(scratch.path());
  write_models(scratch.path(), messages, tools);
  scratch.become(folder);
}

}  // namespace speedwell::bench::models
