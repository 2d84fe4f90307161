// SPDX-License-Identifier: Apache-2.0
#include "bench/driver/progress.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace speedwell::bench {

namespace {

using Clock = std::chrono::steady_clock;

// Redrawing more often than the eye follows would only disturb the machine.
constexpr auto redraw_every = std::chrono::milliseconds(200);
// In a log: often enough to see that it lives, seldom enough that hours don't fill a screen.
constexpr auto line_every = std::chrono::seconds(15);

bool terminal_understands() {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool colours_wanted() {
  const char* const no_colour = std::getenv("NO_COLOR");
  return no_colour == nullptr || *no_colour == '\0';
}

int terminal_width() {
  winsize size = {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void put(std::string_view text) {
  // Progress that can't be written is no reason to stop.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

std::string clock_text(double seconds) {
  const long long s = static_cast<long long>(std::max(seconds, 0.0) + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{:02}:{:02}", s / 60, s % 60);
}

Progress::Progress()
    : redraws_(terminal_understands()), colours_(redraws_ && colours_wanted()), shown_(Clock::now() - line_every) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (drawn_) put("\r\x1b[K");
  drawn_ = false;
}

void Progress::show(std::string_view text) {
  const auto now = Clock::now();
  if (redraws_) {
    if (drawn_ && now - shown_ < redraw_every) return;
    const auto width = static_cast<std::size_t>(terminal_width() - 1);
    put(fmt::format("\r{}\x1b[K", text.substr(0, std::min(text.size(), width))));
    drawn_ = true;
  } else {
    if (now - shown_ < line_every) return;
    put(fmt::format("{}\n", text));
  }
  shown_ = now;
}

void Progress::say(std::string_view text) {
  clear();
  put(fmt::format("{}\n", text));
}

void Progress::warn(std::string_view text) {
  clear();
  put(colours_ ? fmt::format("\x1b[33m{}\x1b[0m\n", text) : fmt::format("{}\n", text));
}

}  // namespace speedwell::bench
