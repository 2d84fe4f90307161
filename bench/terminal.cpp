// SPDX-License-Identifier: Apache-2.0
#include "bench/terminal.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <iterator>

#include <sys/ioctl.h>
#include <unistd.h>

namespace speedwell::bench {

namespace {

constexpr std::string_view blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

struct Substitute {
  std::string_view character;
  std::string_view ascii;
};
constexpr Substitute substitutes[] = {{"×", "x"}, {"–", "-"}, {"±", "+-"},    {"µ", "u"}, {"…", "..."}, {"∛", "cbrt "},
                                      {"∝", "~"}, {"·", "*"}, {"√", "sqrt "}, {"₁", "1"}, {"▁", "_"},   {"▂", "."},
                                      {"▃", ","}, {"▄", "-"}, {"▅", "="},     {"▆", "+"}, {"▇", "*"},   {"█", "#"}};

bool continues(char c) { return (c & 0xC0) == 0x80; }

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// Without setlocale(), which would alter how the whole program reads and writes numbers.
bool unicode_locale() {
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value(variable(name));
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace

Screen screen_of(int file, int width_elsewhere) {
  Screen screen{.unicode = unicode_locale(), .width = width_elsewhere};
  if (::isatty(file) != 1) return screen;
  const std::string_view kind = variable("TERM");
  screen.terminal = !kind.empty() && kind != "dumb";
  screen.colour = screen.terminal && variable("NO_COLOR").empty();
  winsize size = {};
  const bool known = ::ioctl(file, TIOCGWINSZ, &size) == 0;
  screen.width = known && size.ws_col > 0 ? size.ws_col : 80;
  screen.height = known && size.ws_row > 0 ? size.ws_row : 24;
  return screen;
}

int columns(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string clipped(std::string_view text, int columns) {
  std::size_t end = 0;
  for (int column = 0; end < text.size(); ++end) {
    if (!continues(text[end]) && ++column > columns) break;
  }
  return std::string(text.substr(0, end));
}

std::string padded(std::string text, int columns) {
  text.append(static_cast<std::size_t>(std::max(0, columns - bench::columns(text))), ' ');
  return text;
}

std::string right(std::string text, int columns) {
  text.insert(0, static_cast<std::size_t>(std::max(0, columns - bench::columns(text))), ' ');
  return text;
}

std::string wrap(const std::string& text, int width, const std::string& indent) {
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += indent + line + "\n";
    line.clear();
  };
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find(' ', begin), text.size());
    if (text.compare(end, 2, " %") == 0) end = std::min(text.find(' ', end + 1), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && columns(indent) + columns(line) + 1 + columns(word) > width) flush();
    if (!word.empty()) line += (line.empty() ? "" : " ") + word;
    begin = end + 1;
  }
  flush();
  return out;
}

std::string in_ascii(std::string_view text) {
  std::string ascii;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    while (end < text.size() && continues(text[end])) ++end;
    const std::string_view character = text.substr(begin, end - begin);
    const auto found = std::find_if(std::begin(substitutes), std::end(substitutes),
                                    [&](const Substitute& each) { return each.character == character; });
    if (character.size() == 1) {
      ascii += character;
    } else {
      ascii += found == std::end(substitutes) ? std::string_view("?") : found->ascii;
    }
    begin = end;
  }
  return ascii;
}

std::string bars(std::span<const double> values, double full) {
  constexpr int heights = std::size(blocks);
  std::string text;
  for (const double value : values) {
    const double height = std::round(heights * value / full);
    text += std::isfinite(height) ? blocks[static_cast<int>(std::clamp(height, 1.0, 1.0 * heights)) - 1] : "·";
  }
  return text;
}

std::string Ink::paint(const char* code, const std::string& text) const {
  if (!colour_ || text.find_first_not_of(' ') == std::string::npos) return text;
  return std::string("\x1b[") + code + "m" + text + "\x1b[0m";
}

}  // namespace speedwell::bench
