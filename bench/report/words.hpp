// SPDX-License-Identifier: Apache-2.0
// Numbers and names as people, gnuplot, HTML and file systems want them. Names come from data and are never trusted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace speedwell::bench::report {

// "12.3 ms", "123 GFLOP/s", "1.93×" (always three significant digits or more); "–" when not known.
std::string time_words(double ns);
std::string rate_words(double per_second, std::string_view unit);
std::string factor_words(double factor);
std::string percent_words(double percent);
std::string number_words(double value, int digits = 3);

// "12 threads", "1 round".
std::string counted(double count, std::string_view thing);

// A gnuplot string literal, in single quotes. Control characters become spaces.
std::string gnuplot_quoted(std::string_view text);

// Text and attribute values.
std::string html(std::string_view text);

// One CSV field, quoted where it must be.
std::string csv(std::string_view text);

// The name as a file name without extension: letters, digits, '.', '-' and '_' only, never hidden, never empty, at most
// 100 characters.
std::string file_stem(std::string_view name);

// At most `characters` of UTF-8 text, the last one an ellipsis if any are left out.
std::string shortened(std::string_view text, std::size_t characters);

// Lines of at most `characters`, broken at spaces.
std::vector<std::string> wrapped(std::string_view text, std::size_t characters);

}  // namespace speedwell::bench::report
