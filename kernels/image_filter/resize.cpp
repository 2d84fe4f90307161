// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/image_filter/checks.hpp"
#include "kernels/image_filter/resize_tables.hpp"
#include "kernels/image_filter/resize_tile.hpp"
#include "kernels/image_filter/strip_pass.hpp"
#include "runtime/workspace.hpp"

namespace speedwell {

namespace image_filter {
namespace {

// So that offsets in a row of floats fit in 32 bits.
constexpr std::ptrdiff_t most_side = std::ptrdiff_t{1} << 26;

constexpr std::size_t aligned_up(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// One call: its images, and how its strips are run.
template <class T>
struct Resize {
  ImageView<const T> src;
  ImageView<T> dst;
  const runtime::Choice& choice;
  runtime::Participants& participants;

  Axis x() const { return {src.width, dst.width}; }
  Axis y() const { return {src.height, dst.height}; }
  std::ptrdiff_t src_samples() const { return src.width * src.channels; }
  std::ptrdiff_t dst_samples() const { return dst.width * dst.channels; }

  template <class Body>
  void run(const Body& body) const {
    const double read = static_cast<double>(src_samples()) * std::max(y().scale(), 1.0);
    const double row_bytes = (read + static_cast<double>(dst_samples())) * sizeof(T);
    run_strips(choice, participants, {.rows = dst.height, .row_bytes = static_cast<std::size_t>(row_bytes)}, body);
  }
};

template <class T>
void resize_nearest(const Resize<T>& call) {
  const ImageView<const T> src = call.src;
  const ImageView<T> dst = call.dst;
  const std::ptrdiff_t pixel_bytes = src.channels * static_cast<std::ptrdiff_t>(sizeof(T));
  const PixelTableMaker maker(dst.width, pixel_bytes);
  const runtime::LeasedBuffer memory(maker.bytes());
  const Axis x = call.x();
  const Axis y = call.y();
  const PixelTable table =
      maker.make(memory.data(), src.width * pixel_bytes, [x](std::ptrdiff_t i) { return x.nearest(i); });
  const PickPixels pick = pick_pixels_tile();
  call.run([&](std::ptrdiff_t first, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = first; i < first + count; ++i) {
      const auto to = reinterpret_cast<std::uint8_t*>(dst.row(i));
      if (i > first && y.nearest(i) == y.nearest(i - 1)) {
        std::memcpy(to, dst.row(i - 1), static_cast<std::size_t>(table.bytes()));
      } else {
        pick(reinterpret_cast<const std::uint8_t*>(src.row(y.nearest(i))), table, to);
      }
    }
  });
}

// The means of two by two pixels, which linear interpolation and areas both come to.
template <class T>
void resize_half(const Resize<T>& call) {
  const ResizeTile<T>& tile = resize_tile<T>();
  call.run([&tile, src = call.src, dst = call.dst](std::ptrdiff_t first, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = first; i < first + count; ++i) {
      tile.halve(src.row(2 * i), src.row(2 * i + 1), src.channels, dst.row(i), dst.width);
    }
  });
}

// A weight below 1 as a line's arithmetic takes it.
void set_weight(double weight, float& as) { as = static_cast<float>(weight); }
void set_weight(double weight, std::int16_t& as) {
  as = static_cast<std::int16_t>(std::min(std::lround(weight * 32768), 32767L));
}

// place(axis, i): where a row or pixel of the result lies.
template <class T>
void resize_linear(const Resize<T>& call, Place (Axis::*place)(std::ptrdiff_t) const) {
  using Line = typename ResizeTile<T>::Line;
  constexpr auto line_size = static_cast<std::ptrdiff_t>(sizeof(Line));
  const ImageView<const T> src = call.src;
  const ImageView<T> dst = call.dst;
  const std::ptrdiff_t channels = src.channels;
  const std::ptrdiff_t samples = call.src_samples();
  const Axis x = call.x();
  const Axis y = call.y();

  const PixelTableMaker maker(dst.width, channels * line_size);
  const std::size_t weight_bytes = aligned_up(static_cast<std::size_t>(call.dst_samples() * line_size));
  const runtime::LeasedBuffer memory(weight_bytes + maker.bytes());
  // The pixel after the last, and as much as blocks may read beyond that.
  constexpr std::ptrdiff_t slack = PixelTable::most_chunks * PixelTable::block_bytes;
  const PixelTable table = maker.make(memory.data() + weight_bytes, samples * line_size + slack,
                                      [&](std::ptrdiff_t i) { return (x.*place)(i).index; });
  const auto weights = reinterpret_cast<Line*>(memory.data());
  for (std::ptrdiff_t i = 0; i < dst.width; ++i) {
    Line weight;
    set_weight((x.*place)(i).fraction, weight);
    std::fill_n(weights + i * channels, channels, weight);
  }

  const ResizeTile<T>& tile = resize_tile<T>();
  call.run([&](std::ptrdiff_t first, std::ptrdiff_t count) {
    const auto line = reinterpret_cast<Line*>(
        runtime::thread_workspace(static_cast<std::size_t>((samples + channels) * line_size + slack)));
    for (std::ptrdiff_t i = first; i < first + count; ++i) {
      const Place at = (y.*place)(i);
      Line weight;
      set_weight(at.fraction, weight);
      tile.blend_rows(src.row(at.index), src.row(std::min(at.index + 1, src.height - 1)), weight, line, samples);
      std::copy_n(line + samples - channels, channels, line + samples);
      tile.blend_pixels(line, table, weights, channels, dst.row(i));
    }
  });
}

template <class T>
void resize_area(const Resize<T>& call) {
  const ImageView<const T> src = call.src;
  const ImageView<T> dst = call.dst;
  const Axis x = call.x();
  const Axis y = call.y();

  const std::ptrdiff_t most = x.most_area();
  const auto pixels = static_cast<std::size_t>(dst.width);
  const PixelTableMaker maker(dst.width, sizeof(float));
  const std::size_t weight_bytes = aligned_up(pixels * static_cast<std::size_t>(most) * sizeof(float));
  const std::size_t pixel_bytes = aligned_up(2 * pixels * sizeof(std::int32_t));
  const runtime::LeasedBuffer memory(2 * weight_bytes + pixel_bytes + maker.bytes());
  const auto weights = reinterpret_cast<float*>(memory.data());
  const auto weight_rows = reinterpret_cast<float*>(memory.data() + weight_bytes);
  const auto first_pixel = reinterpret_cast<std::int32_t*>(memory.data() + 2 * weight_bytes);
  const auto pixel_count = first_pixel + pixels;
  for (std::ptrdiff_t i = 0; i < dst.width; ++i) {
    first_pixel[i] = static_cast<std::int32_t>(x.area_first(i));
    pixel_count[i] = static_cast<std::int32_t>(x.area_count(i));
    x.area_weights(i, weights + i * most);
  }
  AreaTable table = {dst.width, most, first_pixel, pixel_count, weights, {}, weight_rows};
  // What a block reads behind the last pixel.
  const std::ptrdiff_t slack = most + PixelTable::most_chunks * PixelTable::block_bytes / std::ptrdiff_t{sizeof(float)};
  // A weight of zero must not meet infinity, which there isn't among bytes; nor is there such a weight if all areas are
  // of whole pixels.
  const bool whole = x.from % x.to == 0;
  if (src.channels == 1 && (std::is_integral_v<T> || whole)) {
    table.blocks = maker.make(memory.data() + 2 * weight_bytes + pixel_bytes,
                              (src.width + slack - most) * std::ptrdiff_t{sizeof(float)},
                              [x](std::ptrdiff_t i) { return x.area_first(i); });
    for (std::ptrdiff_t i = 0; i < dst.width; ++i) {
      for (std::ptrdiff_t k = 0; k < most; ++k) {
        weight_rows[k * dst.width + i] = k < pixel_count[i] ? weights[i * most + k] : 0.0F;
      }
    }
  }

  const ResizeTile<T>& tile = resize_tile<T>();
  const std::size_t line_bytes = aligned_up(static_cast<std::size_t>(call.src_samples() + slack) * sizeof(float));
  call.run([&](std::ptrdiff_t first, std::ptrdiff_t count) {
    std::byte* const of_thread =
        runtime::thread_workspace(line_bytes + static_cast<std::size_t>(y.most_area()) * sizeof(float));
    const auto line = reinterpret_cast<float*>(of_thread);
    const auto row_weights = reinterpret_cast<float*>(of_thread + line_bytes);
    std::fill_n(line + call.src_samples(), slack, 0.0F);
    for (std::ptrdiff_t i = first; i < first + count; ++i) {
      y.area_weights(i, row_weights);
      tile.average_rows(src.row(y.area_first(i)), src.row_stride, row_weights, y.area_count(i), line,
                        call.src_samples());
      tile.average_pixels(line, table, src.channels, dst.row(i));
    }
  });
}

template <class T>
constinit runtime::Kernel resize_nearest_kernel("resize_nearest", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel resize_linear_kernel("resize_linear", runtime::element_name<T>);
template <class T>
constinit runtime::Kernel resize_area_kernel("resize_area", runtime::element_name<T>);

template <class T>
void resize_of(ImageView<const T> src, ImageView<T> dst, const ResizeOptions& options) {
  check_apart_images("resize", src, dst);
  if (src.channels != dst.channels) {
    refuse("resize", "dst has " + std::to_string(dst.channels) + " channels, expected as many as src, " +
                         std::to_string(src.channels));
  }
  const Interpolation interpolation = options.interpolation;
  if (interpolation < Interpolation::nearest || interpolation > Interpolation::area) {
    refuse("resize", "interpolation is " + std::to_string(static_cast<int>(interpolation)) +
                         ", expected nearest, linear or area");
  }
  for (const std::ptrdiff_t side : {src.width, src.height, dst.width, dst.height}) {
    if (side > most_side) {
      refuse("resize", "a side is " + std::to_string(side) + ", expected at most " + std::to_string(most_side));
    }
  }
  const bool empty = dst.width == 0 || dst.height == 0;
  if (!empty && (src.width == 0 || src.height == 0)) {
    refuse("resize", "src has no pixels, but dst has, expected a pixel at least");
  }

  const auto samples_of = [](auto image) {
    return static_cast<double>(image.width) * static_cast<double>(image.height) * static_cast<double>(image.channels);
  };
  const double operations = interpolation == Interpolation::nearest ? 1 : 6;
  runtime::Kernel& kernel = interpolation == Interpolation::nearest  ? resize_nearest_kernel<T>
                            : interpolation == Interpolation::linear ? resize_linear_kernel<T>
                                                                     : resize_area_kernel<T>;
  const runtime::Choice choice = runtime::choose(
      kernel, options.backend, {samples_of(dst) * operations, (samples_of(src) + samples_of(dst)) * sizeof(T)});
  runtime::Participants participants;
  if (empty) return runtime::record_run(choice, participants);

  const Resize<T> call = {src, dst, choice, participants};
  const bool halves = src.width == 2 * dst.width && src.height == 2 * dst.height;
  const bool shrinks = src.width >= dst.width && src.height >= dst.height;
  if (interpolation == Interpolation::nearest) return resize_nearest(call);
  if (halves) return resize_half(call);
  if (interpolation == Interpolation::linear) return resize_linear(call, &Axis::linear);
  if (shrinks) return resize_area(call);
  resize_linear(call, &Axis::linear_area);
}

}  // namespace
}  // namespace image_filter

std::string_view name(Interpolation interpolation) {
  constexpr std::array<std::string_view, 3> names = {"nearest", "linear", "area"};
  return names.at(static_cast<std::size_t>(interpolation));
}

void resize(ImageView<const std::uint8_t> src, ImageView<std::uint8_t> dst, const ResizeOptions& options) {
  image_filter::resize_of(src, dst, options);
}

void resize(ImageView<const float> src, ImageView<float> dst, const ResizeOptions& options) {
  image_filter::resize_of(src, dst, options);
}

}  // namespace speedwell
