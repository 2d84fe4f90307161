// SPDX-License-Identifier: Apache-2.0
#include "bench/report/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace speedwell::bench::report {
namespace {

constexpr std::string_view not_known = "–";

// Digits after the point so that three significant ones are seen.
int decimals(double value, int digits) {
  const double size = std::fabs(value);
  if (size == 0) return 0;
  return std::clamp(digits - 1 - static_cast<int>(std::floor(std::log10(size))), 0, 6);
}

bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::size_t characters_in(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::ranges::count_if(text, continues_a_character));
}

}  // namespace

std::string number_words(double value, int digits) {
  if (!std::isfinite(value)) return std::string(not_known);
  return fmt::format("{:.{}f}", value, decimals(value, digits));
}

std::string time_words(double ns) {
  if (!std::isfinite(ns)) return std::string(not_known);
  if (ns < 999.5) return number_words(ns) + " ns";
  if (ns < 999.5e3) return number_words(ns / 1e3) + " µs";
  if (ns < 999.5e6) return number_words(ns / 1e6) + " ms";
  return number_words(ns / 1e9) + " s";
}

std::string rate_words(double per_second, std::string_view unit) {
  if (!std::isfinite(per_second)) return std::string(not_known);
  constexpr std::array<const char*, 5> prefixes{"", "k", "M", "G", "T"};
  std::size_t step = 0;
  while (per_second >= 999.5 && step + 1 < prefixes.size()) {
    per_second /= 1000;
    ++step;
  }
  return fmt::format("{} {}{}", number_words(per_second), prefixes[step], unit);
}

std::string factor_words(double factor) {
  return std::isfinite(factor) ? number_words(factor) + "×" : std::string(not_known);
}

std::string percent_words(double percent) {
  return std::isfinite(percent) ? fmt::format("{:.{}f} %", percent, std::fabs(percent) < 9.95 ? 1 : 0)
                                : std::string(not_known);
}

std::string counted(double count, std::string_view thing) {
  return fmt::format("{:g} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string gnuplot_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  return out + '\'';
}

std::string html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string csv(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string file_stem(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 100)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out += plain ? c : '_';
  }
  if (out.empty() || out.front() == '.' || out.front() == '-') out.insert(0, 1, '_');
  return out;
}

std::string shortened(std::string_view text, std::size_t characters) {
  if (characters_in(text) <= characters) return std::string(text);
  std::size_t kept = 0, end = 0;
  while (end < text.size()) {
    if (!continues_a_character(text[end]) && ++kept == characters) break;
    ++end;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string> wrapped(std::string_view text, std::size_t characters) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = shortened(text.substr(begin, end - begin), characters);
    if (!line.empty() && characters_in(line) + 1 + characters_in(word) > characters) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
    begin = end + 1;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace speedwell::bench::report
