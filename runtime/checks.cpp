// SPDX-License-Identifier: Apache-2.0
#include "runtime/checks.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

namespace speedwell::runtime {

namespace {

// Sums and products of two extents, each of which fits in 64 bits.
__extension__ typedef __int128 Wide;

Wide magnitude(Wide value) { return value < 0 ? -value : value; }

Wide floor_div(Wide a, Wide b) {  // b > 0
  const Wide quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

Wide ceil_div(Wide a, Wide b) { return -floor_div(-a, b); }

Wide modulo(Wide a, Wide b) { return a - floor_div(a, b) * b; }

// The least x >= 0 with low <= (a * x) mod m <= high, or -1 if there is none; 0 <= a < m, 0 <= low <= high < m. As in
// Euclid's algorithm, each step makes (a, m) into (a, m mod a) or less, so it takes O(log m).
Wide first_in_range(Wide a, Wide m, Wide low, Wide high) {
  if (low == 0) return 0;
  if (a == 0) return -1;
  // Within the first turn round the circle of m.
  const Wide direct = ceil_div(low, a);
  if (direct * a <= high) return direct;
  // After y turns, a x lies in low + m y .. high + m y; some multiple of a does iff (m y) mod a does, counted down.
  const Wide turns = first_in_range(modulo(m, a), a, modulo(-high, a), modulo(-low, a));
  return turns < 0 ? -1 : ceil_div(low + m * turns, a);
}

struct Span {
  Wide low, high;
  bool empty() const { return low > high; }
};

Span intersection(Span a, Span b) { return {std::max(a.low, b.low), std::min(a.high, b.high)}; }

// The p for which low <= p * step + x <= high, for step > 0.
Span solutions(Wide step, Wide x, Span target) {
  return {ceil_div(target.low - x, step), floor_div(target.high - x, step)};
}

// Whether p * r + q * c lies in `target` for some p and q in their spans.
bool reaches(Wide r, Span p, Wide c, Span q, Span target) {
  if (p.empty() || q.empty() || target.empty()) return false;
  if (r < 0) return reaches(-r, {-p.high, -p.low}, c, q, target);
  if (c < 0) return reaches(r, p, -c, {-q.high, -q.low}, target);
  if (r == 0 || c == 0) {
    const Wide step = r + c;
    if (step == 0) return target.low <= 0 && target.high >= 0;
    return !intersection(solutions(step, 0, target), r == 0 ? q : p).empty();
  }
  // At the ends of q there is one unknown left.
  if (!intersection(solutions(r, q.low * c, target), p).empty()) return true;
  if (!intersection(solutions(r, q.high * c, target), p).empty()) return true;
  // For any other p the window of what q * c must be, target - p * r, lies within q's ends, or clear of them. Where it
  // lies within, q's span no longer matters: some multiple of c must fall into the window.
  p = intersection(p, {ceil_div(target.high - q.high * c, r), floor_div(target.low - q.low * c, r)});
  if (p.empty()) return false;
  const Wide width = target.high - target.low;
  if (width >= c - 1) return true;
  // With p = p.low + x: (target.high - p.low * r - x * r) mod c <= width.
  const Wide start = modulo(target.high - p.low * r, c);
  // (start - x r) mod c in 0..width  <=>  (x r) mod c in start - width .. start, round the circle of c.
  const Wide step = modulo(r, c);
  Wide x;
  if (start >= width) {
    x = first_in_range(step, c, start - width, start);
  } else {
    x = 0;  // the range holds 0
  }
  return x >= 0 && x <= p.high - p.low;
}

// A lattice with its steps made positive and its rows the longer step; sizes and steps as wide numbers.
struct Normal {
  Wide first, rows, cols, row_step, col_step, element;

  Wide end() const { return first + (rows - 1) * row_step + (cols - 1) * col_step + element; }
};

Normal normalise(const Lattice& lattice) {
  Normal n{static_cast<Wide>(reinterpret_cast<std::uintptr_t>(lattice.first)),
           lattice.rows,
           lattice.cols,
           lattice.row_step,
           lattice.col_step,
           lattice.element};
  const auto straighten = [&n](Wide& count, Wide& step) {
    if (step < 0) {
      n.first += (count - 1) * step;
      step = -step;
    }
    if (step == 0) count = 1;
    if (count == 1) step = 0;
  };
  straighten(n.rows, n.row_step);
  straighten(n.cols, n.col_step);
  if (n.row_step < n.col_step) {
    std::swap(n.rows, n.cols);
    std::swap(n.row_step, n.col_step);
  }
  // Columns without a gap are one long element; rows that continue or overlap the columns' progression, as in a sliding
  // window, are more columns.
  const auto join_columns = [&n] {
    if (n.cols > 1 && n.col_step <= n.element) {
      n.element += (n.cols - 1) * n.col_step;
      n.cols = 1;
      n.col_step = 0;
    }
  };
  join_columns();
  if (n.rows > 1 && n.cols > 1 && n.row_step % n.col_step == 0 && n.row_step <= n.cols * n.col_step) {
    n.cols += (n.rows - 1) * (n.row_step / n.col_step);
    n.rows = 1;
    n.row_step = 0;
  }
  if (n.cols == 1 && n.rows > 1) {
    std::swap(n.rows, n.cols);
    std::swap(n.row_step, n.col_step);
    join_columns();
  }
  return n;
}

// Byte offsets from an element of a to one of b at which they share a byte.
Span touching(const Normal& a, const Normal& b) { return {1 - b.element, a.element - 1}; }

// The part of `lattice` whose rows can reach begin..end-1; rows are found by division, as they are evenly spaced.
Span rows_reaching(const Normal& lattice, Wide begin, Wide end) {
  const Span all{0, lattice.rows - 1};
  if (lattice.rows == 1) return all;
  const Wide length = (lattice.cols - 1) * lattice.col_step + lattice.element;
  return intersection(all, solutions(lattice.row_step, lattice.first, {begin - length + 1, end - 1}));
}

bool overlap(const Normal& a, const Normal& b) {
  const Span touch = touching(a, b);
  // Same steps: the difference of two elements is again a combination of the two steps.
  const bool same_rows = a.row_step == b.row_step || a.rows == 1 || b.rows == 1;
  const bool same_cols = a.col_step == b.col_step || a.cols == 1 || b.cols == 1;
  if (same_rows && same_cols) {
    const Wide offset = b.first - a.first;
    return reaches(std::max(a.row_step, b.row_step), {1 - a.rows, b.rows - 1}, std::max(a.col_step, b.col_step),
                   {1 - a.cols, b.cols - 1}, {touch.low - offset, touch.high - offset});
  }
  // Otherwise a row against a row, for those whose extents meet.
  const Span rows_a = rows_reaching(a, b.first, b.end());
  for (Wide i = rows_a.low; i <= rows_a.high; ++i) {
    const Wide row_a = a.first + i * a.row_step;
    const Span rows_b = rows_reaching(b, row_a, row_a + (a.cols - 1) * a.col_step + a.element);
    for (Wide k = rows_b.low; k <= rows_b.high; ++k) {
      const Wide offset = b.first + k * b.row_step - row_a;
      if (reaches(a.col_step, {1 - a.cols, 0}, b.col_step, {0, b.cols - 1},
                  {touch.low - offset, touch.high - offset})) {
        return true;
      }
    }
  }
  return false;
}

bool empty(const Lattice& lattice) { return lattice.rows <= 0 || lattice.cols <= 0; }

[[noreturn]] void reject(std::string_view function, std::string_view name, const std::string& what) {
  throw InvalidArgument(std::string(function) + ": " + std::string(name) + " " + what);
}

std::string size_text(std::ptrdiff_t a, std::ptrdiff_t b) { return std::to_string(a) + " x " + std::to_string(b); }

// So many elements, or rows of them, or matrices, at this distance in elements.
struct Dimension {
  std::ptrdiff_t count;
  std::ptrdiff_t stride;
};

// Whether the bytes from the lowest to the highest element, and the address of each, fit.
bool extent_fits(const void* data, std::ptrdiff_t element, std::initializer_list<Dimension> dimensions) {
  std::ptrdiff_t lowest = 0, end = element, extent;
  for (const auto [count, stride] : dimensions) {
    std::ptrdiff_t reach;
    if (__builtin_mul_overflow(stride, element, &reach)) return false;
    if (__builtin_mul_overflow(count - 1, reach, &reach)) return false;
    std::ptrdiff_t& side = reach < 0 ? lowest : end;
    if (__builtin_add_overflow(side, reach, &side)) return false;
  }
  if (__builtin_sub_overflow(end, lowest, &extent)) return false;
  const auto first = reinterpret_cast<std::uintptr_t>(data);
  return static_cast<std::uintptr_t>(-lowest) <= first && static_cast<std::uintptr_t>(end) <= UINTPTR_MAX - first;
}

// The bytes from the lowest element's first to the highest one's last, and one beyond.
Span extent_of(const Lattice& lattice) {
  const Wide row_reach = Wide{lattice.rows - 1} * lattice.row_step;
  const Wide col_reach = Wide{lattice.cols - 1} * lattice.col_step;
  const Wide first = static_cast<Wide>(reinterpret_cast<std::uintptr_t>(lattice.first));
  return {first + std::min<Wide>(row_reach, 0) + std::min<Wide>(col_reach, 0),
          first + std::max<Wide>(row_reach, 0) + std::max<Wide>(col_reach, 0) + lattice.element};
}

bool empty(const LatticeBatch& batch) { return batch.count <= 0 || empty(batch.first); }

Span extent_of(const LatticeBatch& batch) {
  const Span first = extent_of(batch.first);
  const Wide reach = Wide{batch.count - 1} * batch.step;
  return {first.low + std::min<Wide>(reach, 0), first.high + std::max<Wide>(reach, 0)};
}

// A distance in bytes, longer than 0, at which something repeats so many times.
struct Repeat {
  Wide count = 1, step = 0;
};

// The bytes of a batch: an element of so many bytes, repeated. What repeats without a gap, or continues what repeats at
// a shorter distance, has become one with it. The first two distances ascend; where there are three, the last repeats
// the least. Unused ones repeat once.
struct Repeated {
  Wide first, element;
  std::array<Repeat, 3> repeats;

  explicit Repeated(const LatticeBatch& batch)
      : first(static_cast<Wide>(reinterpret_cast<std::uintptr_t>(batch.first.first))), element(batch.first.element) {
    std::array<Repeat, 3> all = {Repeat{batch.first.rows, batch.first.row_step},
                                 Repeat{batch.first.cols, batch.first.col_step}, Repeat{batch.count, batch.step}};
    for (Repeat& repeat : all) {
      if (repeat.step < 0) first += (repeat.count - 1) * repeat.step;
      repeat.step = magnitude(repeat.step);
    }
    std::ranges::sort(all, std::ranges::less(), &Repeat::step);
    std::size_t used = 0;
    for (const Repeat& repeat : all) {
      if (repeat.count == 1 || repeat.step == 0) continue;
      if (used == 0 && repeat.step <= element) {
        element += (repeat.count - 1) * repeat.step;
      } else if (used > 0 && repeat.step % repeats[used - 1].step == 0 &&
                 repeat.step <= repeats[used - 1].count * repeats[used - 1].step) {
        repeats[used - 1].count += (repeat.count - 1) * (repeat.step / repeats[used - 1].step);
      } else {
        repeats[used++] = repeat;
      }
    }
    if (used == 3) {
      const auto least = std::ranges::min_element(repeats, std::ranges::less(), &Repeat::count);
      std::rotate(least, least + 1, repeats.end());
    }
  }

  // What the first two distances reach, at place i of the third.
  Normal part(Wide i) const {
    const auto& [near, far, along] = repeats;
    return {first + i * along.step, far.count, near.count, far.step, near.step, element};
  }
};

}  // namespace

bool overlap(const Lattice& a, const Lattice& b) {
  if (empty(a) || empty(b)) return false;
  const Span extent_a = extent_of(a);
  const Span extent_b = extent_of(b);
  if (extent_a.high <= extent_b.low || extent_b.high <= extent_a.low) return false;
  return overlap(normalise(a), normalise(b));
}

bool overlap(const LatticeBatch& a, const LatticeBatch& b) {
  if (empty(a) || empty(b)) return false;
  const Span extent_a = extent_of(a);
  const Span extent_b = extent_of(b);
  if (extent_a.high <= extent_b.low || extent_b.high <= extent_a.low) return false;
  const Repeated repeated_a(a), repeated_b(b);
  for (Wide i = 0; i < repeated_a.repeats[2].count; ++i) {
    const Normal part_a = repeated_a.part(i);
    if (part_a.end() <= extent_b.low || extent_b.high <= part_a.first) continue;
    for (Wide j = 0; j < repeated_b.repeats[2].count; ++j) {
      const Normal part_b = repeated_b.part(j);
      if (part_a.end() <= part_b.first || part_b.end() <= part_a.first) continue;
      if (overlap(part_a, part_b)) return true;
    }
  }
  return false;
}

bool overlaps_itself(const Lattice& a) {
  if (empty(a)) return false;
  const Wide r = magnitude(a.row_step), c = magnitude(a.col_step), element = a.element;
  if (a.rows > 1 && r < element) return true;
  if (a.cols > 1 && c < element) return true;
  // Rows, or columns, each clear of the one before, as nearly always.
  if (a.rows == 1 || a.cols == 1) return false;
  if (r >= (a.cols - 1) * c + element || c >= (a.rows - 1) * r + element) return false;
  // Two elements i rows and j columns apart, i > 0 without loss of generality; in the same row they are apart.
  return reaches(r, {1, Wide{a.rows} - 1}, c, {1 - Wide{a.cols}, Wide{a.cols} - 1}, {1 - element, element - 1});
}

bool overlaps_itself(const LatticeBatch& a) {
  if (empty(a)) return false;
  const Wide element = a.first.element;
  std::array<Repeat, 3> all = {Repeat{a.first.rows, a.first.row_step}, Repeat{a.first.cols, a.first.col_step},
                               Repeat{a.count, a.step}};
  for (Repeat& repeat : all) {
    repeat.step = repeat.count == 1 ? 0 : magnitude(repeat.step);
    if (repeat.count > 1 && repeat.step < element) return true;
  }
  std::ranges::sort(all, std::ranges::less(), &Repeat::step);
  Wide reach = element;
  const bool nested = std::ranges::all_of(all, [&reach](const Repeat& repeat) {
    const bool beyond = repeat.count == 1 || repeat.step >= reach;
    reach += (repeat.count - 1) * repeat.step;
    return beyond;
  });
  if (nested) return false;
  // Two elements i places apart along one dimension, i >= 0 without loss of generality, and any number along the
  // others.
  std::ranges::sort(all, std::ranges::less(), &Repeat::count);
  const auto& [along, x, y] = all;
  const auto narrow = [](Wide value) { return static_cast<std::ptrdiff_t>(value); };
  const Lattice plane = {.first = a.first.first,
                         .rows = narrow(x.count),
                         .cols = narrow(y.count),
                         .row_step = narrow(x.step),
                         .col_step = narrow(y.step),
                         .element = a.first.element};
  if (overlaps_itself(plane)) return true;
  for (Wide i = 1; i < along.count; ++i) {
    const Wide offset = i * along.step;
    if (reaches(x.step, {1 - x.count, x.count - 1}, y.step, {1 - y.count, y.count - 1},
                {1 - element - offset, element - 1 - offset})) {
      return true;
    }
  }
  return false;
}

void check_matrix(std::string_view function, std::string_view name, const void* data, std::size_t element,
                  std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride) {
  if (rows < 0 || cols < 0) reject(function, name, "is " + size_text(rows, cols) + ", expected sizes of at least 0");
  if (rows == 0 || cols == 0) return;
  if (data == nullptr) reject(function, name, "is " + size_text(rows, cols) + " with null data, expected data");
  if (!extent_fits(data, static_cast<std::ptrdiff_t>(element), {{rows, row_stride}, {cols, col_stride}})) {
    reject(function, name,
           "is " + size_text(rows, cols) + " with strides " + std::to_string(row_stride) + " and " +
               std::to_string(col_stride) + ", expected an extent that fits in memory");
  }
}

void check_batch(std::string_view function, std::string_view name, const void* data, std::size_t element,
                 std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t row_stride, std::ptrdiff_t col_stride,
                 std::ptrdiff_t count, std::ptrdiff_t step) {
  if (count < 0) reject(function, name, "has " + std::to_string(count) + " matrices, expected at least 0");
  if (count == 0 && rows >= 0 && cols >= 0) return;
  check_matrix(function, name, data, element, rows, cols, row_stride, col_stride);
  if (rows == 0 || cols == 0) return;
  if (!extent_fits(data, static_cast<std::ptrdiff_t>(element),
                   {{rows, row_stride}, {cols, col_stride}, {count, step}})) {
    reject(function, name,
           "has " + std::to_string(count) + " matrices of " + size_text(rows, cols) + " at a step of " +
               std::to_string(step) + ", expected an extent that fits in memory");
  }
}

void check_image(std::string_view function, std::string_view name, const void* data, std::size_t element,
                 std::ptrdiff_t width, std::ptrdiff_t height, std::ptrdiff_t channels, std::ptrdiff_t row_stride) {
  const auto size = [&] { return size_text(width, height) + " with " + std::to_string(channels) + " channels"; };
  if (width < 0 || height < 0) reject(function, name, "is " + size() + ", expected sizes of at least 0");
  if (channels < 1) reject(function, name, "is " + size() + ", expected at least 1 channel");
  if (width == 0 || height == 0) return;
  if (data == nullptr) reject(function, name, "is " + size() + " and null data, expected data");
  std::ptrdiff_t row;
  if (__builtin_mul_overflow(width, channels, &row) ||
      !extent_fits(data, static_cast<std::ptrdiff_t>(element), {{height, row_stride}, {row, 1}})) {
    reject(function, name,
           "is " + size() + " and a row stride of " + std::to_string(row_stride) +
               ", expected an extent that fits in memory");
  }
}

void check_span(std::string_view function, std::string_view name, const void* data, std::size_t element,
                std::size_t count) {
  if (count == 0) return;
  if (data == nullptr)
    reject(function, name, "has " + std::to_string(count) + " elements and null data, expected data");
  std::size_t bytes;
  if (__builtin_mul_overflow(count, element, &bytes) || bytes > PTRDIFF_MAX ||
      bytes > UINTPTR_MAX - reinterpret_cast<std::uintptr_t>(data)) {
    reject(function, name, "has " + std::to_string(count) + " elements, expected an extent that fits in memory");
  }
}

namespace {

[[noreturn]] void reject_overlap(std::string_view function, std::string_view output_name, std::string_view input_name) {
  reject(function, output_name,
         "is written to and shares elements with " + std::string(input_name) + ", expected them to be apart");
}

}  // namespace

void check_output(std::string_view function, std::string_view name, const Lattice& output) {
  if (overlaps_itself(output)) {
    reject(function, name,
           "is written to and has the same element twice, expected strides that keep its elements apart");
  }
}

void check_output(std::string_view function, std::string_view name, const LatticeBatch& output) {
  if (overlaps_itself(output)) {
    reject(function, name,
           "is written to and has the same element twice, expected strides and a step that keep its elements apart");
  }
}

void check_apart(std::string_view function, std::string_view output_name, const Lattice& output,
                 std::string_view input_name, const Lattice& input) {
  if (overlap(output, input)) reject_overlap(function, output_name, input_name);
}

void check_apart(std::string_view function, std::string_view output_name, const LatticeBatch& output,
                 std::string_view input_name, const LatticeBatch& input) {
  if (overlap(output, input)) reject_overlap(function, output_name, input_name);
}

}  // namespace speedwell::runtime
