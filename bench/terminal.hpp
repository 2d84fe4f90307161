// SPDX-License-Identifier: Apache-2.0
// What a terminal can show, and text that fits it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace speedwell::bench {

// How text is to be written to an open file.
struct Screen {
  bool terminal = false;  // a terminal that understands escape sequences
  bool colour = false;    // that, and NO_COLOR isn't set
  bool unicode = true;    // the locale's characters are UTF-8
  int width = 80;
  int height = 24;
};
// `width_elsewhere` is for what isn't a terminal.
Screen screen_of(int file, int width_elsewhere);

// In columns, not bytes: all that is printed here is Latin or blocks, so a column is a code point. Without escape
// sequences.
int columns(std::string_view text);

// The first so many columns.
std::string clipped(std::string_view text, int columns);

// Fills up with spaces, on the right or on the left.
std::string padded(std::string text, int columns);
std::string right(std::string text, int columns);

// Lines of at most `width` columns, broken at spaces; a word longer than a line stands on one of its own. "12 %" stays
// together.
std::string wrap(const std::string& text, int width, const std::string& indent);

// The text in characters that every terminal has: "1.9x" for "1.9×", "_.:=#" for blocks.
std::string in_ascii(std::string_view text);

// A block of eight heights for each value, the highest for `full` and above; a dot for what is not a number.
std::string bars(std::span<const double> values, double full);

class Ink {
 public:
  explicit Ink(bool colour) : colour_(colour) {}
  std::string bold(const std::string& text) const { return paint("1", text); }
  std::string good(const std::string& text) const { return paint("1;32", text); }
  std::string bad(const std::string& text) const { return paint("1;31", text); }
  std::string doubtful(const std::string& text) const { return paint("33", text); }
  std::string faint(const std::string& text) const { return paint("2", text); }

 private:
  std::string paint(const char* code, const std::string& text) const;
  bool colour_;
};

}  // namespace speedwell::bench
