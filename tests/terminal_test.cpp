// SPDX-License-Identifier: Apache-2.0
// What is drawn on a terminal: text that fits, the live table, and progress on a pseudo-terminal, whose screen is
// rebuilt here from what was written.
#include "bench/terminal.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/driver/live_table.hpp"
#include "bench/driver/plan.hpp"
#include "bench/driver/progress.hpp"

namespace speedwell::bench {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Terminal, ColumnsAreCharacters) {
  EXPECT_EQ(columns("1.9×–"), 5);
  EXPECT_EQ(clipped("1.9×–", 4), "1.9×");
  EXPECT_EQ(clipped("ab", 9), "ab");
  EXPECT_EQ(padded("×", 3), "×  ");
  EXPECT_EQ(right("×", 3), "  ×");
}

TEST(Terminal, BarsAndTheirSubstitutes) {
  EXPECT_EQ(bars(std::vector<double>{0.01, 4, 8, 99, std::numeric_limits<double>::quiet_NaN()}, 8), "▁▄██·");
  EXPECT_EQ(in_ascii("1.9× (1.8–2.0) ±5 µs ▁▄█ é"), "1.9x (1.8-2.0) +-5 us _-# ?");
}

Cell cell(const std::string& name, const std::string& backend, int threads) {
  Cell made;
  made.case_name = name;
  made.backend = backend;
  made.threads = threads;
  made.name = name + "/" + backend + "/" + std::to_string(threads);
  return made;
}

TEST(LiveTable, ShowsTheBestSpeedupOfEachCase) {
  LiveTable table;
  EXPECT_TRUE(table.lines(10, 80, 0).empty());
  for (int round = 1; round <= 6; ++round) {
    // What the machine does to a round is in all its samples.
    const double mood = 1 + 0.1 * round;
    table.add(cell("sort/f32/9", "sequential", 1), round, 1e6 * mood);
    table.add(cell("sort/f32/9", "tbb", 1), round, 1.1e6 * mood);
    table.add(cell("sort/f32/9", "tbb", 2), round, 0.5e6 * mood);
    table.add(cell("sort/f32/9", "openmp", 2), round, 0.8e6 * mood);
    table.add(cell("ceiling/copy/memory", "threads", 2), round, 1);
    table.add(cell("weak/sort_f32/9", "tbb", 2), round, 1);
    Cell twin = cell("sort/f32/9", "sequential", 1);
    twin.name += "/twin";
    table.add(twin, round, 1);
    Cell peer = cell("sort/f32/9", "vqsort", 2);
    peer.peer = true;
    table.add(peer, round, 1);
  }
  const std::vector<std::string> lines = table.lines(10, 100, 0);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], AllOf(StartsWith("sort/f32/9"), HasSubstr("2.00×  (2.00–2.00)  tbb@2"), HasSubstr("n 6"),
                              HasSubstr("▄█"), HasSubstr("1.35 ms")));
  // Where it is narrow, less is said.
  EXPECT_THAT(table.lines(10, 40, 0)[1], AllOf(HasSubstr("2.00×"), HasSubstr("tbb@2"), Not(HasSubstr("▄█"))));
}

TEST(LiveTable, FitsAnyTerminal) {
  LiveTable table;
  for (int i = 0; i < 20; ++i) {
    table.add(cell("kernel/f32/" + std::to_string(i), "sequential", 1), 1, 1e6);
    table.add(cell("kernel/f32/" + std::to_string(i), "openmp", 2), 1, 6e5);
  }
  for (const int rows : {-1, 0, 1, 2, 3, 7, 21, 50}) {
    for (const int width : {1, 20, 79, 160}) {
      const std::vector<std::string> lines = table.lines(rows, width, 3);
      EXPECT_LE(static_cast<int>(lines.size()), std::max(rows, 0));
      for (const std::string& line : lines) EXPECT_LE(columns(line), width);
    }
  }
  EXPECT_EQ(table.lines(50, 100, 0).size(), 21u);
  // All cases come, page by page.
  std::map<std::string, int> seen;
  for (int page = 0; page < 4; ++page) {
    for (const std::string& line : table.lines(7, 100, page)) ++seen[line.substr(0, line.find(' '))];
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(seen["kernel/f32/" + std::to_string(i)], 1) << i;
}

// What a terminal of that size shows after it got the bytes: of escape sequences those that are used here.
class Screenful {
 public:
  Screenful(int width, int height) : width_(width), lines_(static_cast<std::size_t>(height)) {}

  void write(const std::string& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const char c = bytes[i];
      std::string& line = lines_[static_cast<std::size_t>(row_)];
      if (c == '\r') {
        column_ = 0;
      } else if (c == '\n') {
        if (row_ + 1 < static_cast<int>(lines_.size())) {
          ++row_;
        } else {
          lines_.erase(lines_.begin());
          lines_.emplace_back();
        }
      } else if (c == '\x1b') {
        std::size_t end = i + 2;
        while (end < bytes.size() && !std::isalpha(static_cast<unsigned char>(bytes[end]))) ++end;
        const int number = std::max(1, std::atoi(bytes.c_str() + i + 2));
        if (bytes[end] == 'A') row_ = std::max(0, row_ - number);
        if (bytes[end] == 'K' || bytes[end] == 'J')
          line.resize(std::min(line.size(), static_cast<std::size_t>(column_)));
        if (bytes[end] == 'J') {
          for (std::size_t below = static_cast<std::size_t>(row_) + 1; below < lines_.size(); ++below)
            lines_[below] = "";
        }
        i = end;
      } else {
        // One byte a column: the tests below have nothing else.
        if (column_ == width_) wrapped_ = true;
        line.resize(std::max(line.size(), static_cast<std::size_t>(column_) + 1), ' ');
        line[static_cast<std::size_t>(column_++)] = c;
      }
    }
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> shown;
    for (const std::string& line : lines_) {
      if (line.find_first_not_of(' ') != std::string::npos) shown.push_back(line);
    }
    return shown;
  }
  bool wrapped() const { return wrapped_; }

 private:
  int width_;
  std::vector<std::string> lines_;
  int row_ = 0, column_ = 0;
  bool wrapped_ = false;
};

// A system may have no terminals to give: a container without /dev/pts.
class ProgressOnATerminal : public testing::Test {
 protected:
  void SetUp() override {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
    const bool has_one = terminal >= 0 && ::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0;
    const char* const name = has_one ? ::ptsname(terminal) : nullptr;
    const int side = name != nullptr ? ::open(name, O_RDWR | O_NOCTTY) : -1;
    if (terminal >= 0) ::close(terminal);
    if (side < 0) GTEST_SKIP() << "there are no pseudo-terminals here";
    ::close(side);
  }
};

// What `body` writes to stderr, that being a terminal.
std::string written(int width, int height, const std::map<std::string, std::string>& environment,
                    const std::function<void()>& body) {
  int terminal = -1;
  winsize size = {};
  size.ws_col = static_cast<unsigned short>(width);
  size.ws_row = static_cast<unsigned short>(height);
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    // In a locale without UTF-8, so that a byte is a column.
    for (const char* const name : {"LC_ALL", "NO_COLOR"}) ::unsetenv(name);
    ::setenv("LC_ALL", "C", 1);
    ::setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    body();
    ::_exit(0);
  }
  std::string bytes;
  std::array<char, 4096> part;
  for (ssize_t got; (got = ::read(terminal, part.data(), part.size())) > 0;) {
    bytes.append(part.data(), static_cast<std::size_t>(got));
  }
  ::close(terminal);
  ::waitpid(child, nullptr, 0);
  return bytes;
}

void sweep_some(Progress& progress) {
  progress.say("a line that stays");
  for (int i = 0; i < 30; ++i) {
    for (int round = 1; round <= 3; ++round) {
      const std::string name = "kernel/f32/" + std::to_string(i);
      progress.took(cell(name, "sequential", 1), round, 1e6);
      progress.took(cell(name, "openmp", 2), round, 6e5);
    }
  }
  progress.show("[1/9] where it is, in more words than a narrow terminal has columns for in a line");
  progress.warn("a line that must be noticed");
  progress.show("[2/9] where it is");
}

TEST_F(ProgressOnATerminal, IsALineAndATableThatGoAway) {
  for (const auto& [width, height] : {std::pair(40, 10), {80, 24}, {160, 50}, {30, 3}}) {
    const std::string during = written(width, height, {}, [] {
      Progress progress;
      sweep_some(progress);
      ::_exit(0);
    });
    Screenful screen(width, height);
    screen.write(during);
    EXPECT_FALSE(screen.wrapped());
    if (height > 4) {
      EXPECT_THAT(screen.lines(), Contains(StartsWith("[2/9]")));
      EXPECT_THAT(screen.lines(), Contains(StartsWith("kernel/f32/0")));
      EXPECT_THAT(screen.lines(), Contains(StartsWith("a line that must")));
      EXPECT_THAT(screen.lines(), Not(Contains(StartsWith("[1/9]"))));
    }
    const std::string after = written(width, height, {}, [] {
      Progress progress;
      sweep_some(progress);
    });
    Screenful left(width, height);
    left.write(after);
    std::vector<std::string> stay = left.lines();
    ASSERT_FALSE(stay.empty());
    EXPECT_EQ(stay.back(), "a line that must be noticed");
    // What a full screen pushes out at the top is the terminal's to keep.
    stay.pop_back();
    EXPECT_THAT(stay, testing::Each("a line that stays"));
    EXPECT_THAT(left.lines(), Not(Contains(HasSubstr("kernel"))));
  }
}

TEST_F(ProgressOnATerminal, IsNotRedrawnFasterThanTheEye) {
  const std::string bytes = written(80, 24, {}, [] {
    Progress progress;
    for (int i = 0; i < 100000; ++i) progress.show("[" + std::to_string(i) + "]");
  });
  EXPECT_LT(bytes.size(), 2000u);
}

TEST_F(ProgressOnATerminal, ColoursAndRedrawingCanBeRefused) {
  const auto some = [] {
    Progress progress;
    sweep_some(progress);
  };
  EXPECT_THAT(written(80, 24, {}, some), HasSubstr("\x1b[33m"));
  const std::string plain = written(80, 24, {{"NO_COLOR", "1"}}, some);
  EXPECT_THAT(plain, AllOf(Not(HasSubstr("\x1b[33m")), HasSubstr("kernel/f32/0")));
  EXPECT_THAT(written(80, 24, {{"TERM", "dumb"}}, some), AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("kernel/f32/0"))));
}

TEST(ProgressElsewhere, IsPlainLines) {
  testing::internal::CaptureStderr();
  {
    Progress progress;
    sweep_some(progress);
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, AllOf(HasSubstr("a line that stays\n[1/9]"), Not(HasSubstr("\x1b")), Not(HasSubstr("kernel"))));
}

}  // namespace
}  // namespace speedwell::bench
