// SPDX-License-Identifier: Apache-2.0
// JPEG by libjpeg-turbo. It is C: an error jumps to `escape` over frames that hold nothing to destroy, and the
// functions that set where to keep nothing of their own alive across it.
#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

#include "bench/image_codec.hpp"

namespace speedwell::bench {

namespace {

// Huffman coding takes a bit at least for a block of 8 x 8 samples.
constexpr std::uint64_t most_inflation = 8 * 64;
// A progressive file may come with ever more scans, each of which goes through the whole image; real ones have ten.
constexpr int most_scans = 100;
// Exif's first directory, where it says how the camera was held, is at the beginning of its marker.
constexpr unsigned most_exif_bytes = 4096;
constexpr int exif_marker = JPEG_APP0 + 1;

struct Errors {
  jpeg_error_mgr manager;  // first, as libjpeg knows this one only
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr jpeg) {
  auto* const errors = reinterpret_cast<Errors*>(jpeg->err);
  errors->manager.format_message(jpeg, errors->message);
  std::longjmp(errors->escape, 1);
}

// libjpeg fills in gray for what is missing or can't be read, and calls that a warning.
void on_message(j_common_ptr jpeg, int level) {
  constexpr std::array fatal = {JWRN_HIT_MARKER, JWRN_HUFF_BAD_CODE, JWRN_JPEG_EOF, JWRN_MUST_RESYNC,
                                JWRN_NOT_SEQUENTIAL};
  if (level < 0 && std::find(fatal.begin(), fatal.end(), jpeg->err->msg_code) != fatal.end()) on_error(jpeg);
}

jpeg_error_mgr* prepare(Errors& errors) {
  jpeg_std_error(&errors.manager);
  errors.manager.error_exit = on_error;
  errors.manager.emit_message = on_message;
  return &errors.manager;
}

struct Source {
  jpeg_source_mgr manager;  // first, as libjpeg knows this one only
  ByteSource* bytes;
};

// What was handed out is used up when libjpeg asks for more.
boolean fill(j_decompress_ptr jpeg) {
  auto* const source = reinterpret_cast<Source*>(jpeg->src);
  source->bytes->take(source->bytes->piece().size());
  const std::string_view piece = source->bytes->piece();
  if (piece.empty()) ERREXIT(jpeg, JERR_INPUT_EOF);
  source->manager.next_input_byte = reinterpret_cast<const JOCTET*>(piece.data());
  source->manager.bytes_in_buffer = piece.size();
  return TRUE;
}

void skip(j_decompress_ptr jpeg, long count) {
  jpeg_source_mgr& source = *jpeg->src;
  while (count > static_cast<long>(source.bytes_in_buffer)) {
    count -= static_cast<long>(source.bytes_in_buffer);
    fill(jpeg);
  }
  if (count > 0) {
    source.next_input_byte += count;
    source.bytes_in_buffer -= static_cast<std::size_t>(count);
  }
}

Source source_of(ByteSource& bytes) {
  Source source = {{}, &bytes};
  const std::string_view piece = bytes.piece();
  source.manager.next_input_byte = reinterpret_cast<const JOCTET*>(piece.data());
  source.manager.bytes_in_buffer = piece.size();
  source.manager.init_source = [](j_decompress_ptr) {};
  source.manager.fill_input_buffer = fill;
  source.manager.skip_input_data = skip;
  source.manager.resync_to_restart = jpeg_resync_to_restart;
  source.manager.term_source = [](j_decompress_ptr) {};
  return source;
}

void watch_scans(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= most_scans) return;
  auto* const errors = reinterpret_cast<Errors*>(jpeg->err);
  std::snprintf(errors->message, sizeof errors->message, "it has more than %d scans", most_scans);
  std::longjmp(errors->escape, 1);
}

struct Reader {
  jpeg_decompress_struct jpeg = {};
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
};

bool read_header(jpeg_decompress_struct& jpeg, Source& source, Errors& errors) {
  if (setjmp(errors.escape) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg.src = &source.manager;
  jpeg_save_markers(&jpeg, exif_marker, most_exif_bytes);
  jpeg_read_header(&jpeg, TRUE);
  return true;
}

bool start(jpeg_decompress_struct& jpeg, jpeg_progress_mgr& progress, Errors& errors) {
  if (setjmp(errors.escape) != 0) return false;
  jpeg.out_color_space = jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  progress.progress_monitor = watch_scans;
  jpeg.progress = &progress;
  jpeg_start_decompress(&jpeg);
  return true;
}

bool read_rows(jpeg_decompress_struct& jpeg, JSAMPROW samples, Errors& errors) {
  if (setjmp(errors.escape) != 0) return false;
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = samples + std::size_t{jpeg.output_scanline} * jpeg.output_width *
                                 static_cast<std::size_t>(jpeg.output_components);
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

// Numbers of an Exif marker, in the byte order that it says. What is beyond its end is 0.
class Exif {
 public:
  explicit Exif(std::string_view bytes) : bytes_(bytes), little_(at(0) == 'I') {}

  unsigned u16(std::size_t i) const { return little_ ? at(i) | at(i + 1) << 8 : at(i) << 8 | at(i + 1); }
  std::size_t u32(std::size_t i) const {
    return little_ ? u16(i) | std::size_t{u16(i + 2)} << 16 : std::size_t{u16(i)} << 16 | u16(i + 2);
  }

 private:
  unsigned at(std::size_t i) const { return i < bytes_.size() ? static_cast<unsigned char>(bytes_[i]) : 0; }

  std::string_view bytes_;
  bool little_;
};

// How the camera was held, 1 to 8 as Exif numbers it (JEITA CP-3451, tag 274); 1, which is upright, if nothing says.
unsigned orientation(const jpeg_decompress_struct& jpeg) {
  constexpr std::string_view prefix("Exif\0\0", 6);
  for (const jpeg_marker_struct* marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view bytes(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (marker->marker != exif_marker || !bytes.starts_with(prefix)) continue;
    const Exif exif(bytes.substr(prefix.size()));
    const std::size_t directory = exif.u32(4);
    constexpr std::size_t entry_bytes = 12;
    for (std::size_t i = 0; i < exif.u16(directory); ++i) {
      const std::size_t entry = directory + 2 + i * entry_bytes;
      constexpr unsigned orientation_tag = 274;
      if (exif.u16(entry) != orientation_tag) continue;
      const unsigned value = exif.u16(entry + 8);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}

Raster<std::uint8_t> upright(Raster<std::uint8_t> from, unsigned orientation) {
  if (orientation == 1) return from;
  const bool transpose = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const ImageView<const std::uint8_t> src = std::as_const(from).view();
  Raster<std::uint8_t> to(transpose ? src.height : src.width, transpose ? src.width : src.height, from.channels());
  const ImageView<std::uint8_t> dst = to.view();
  for (std::ptrdiff_t y = 0; y < dst.height; ++y) {
    for (std::ptrdiff_t x = 0; x < dst.width; ++x) {
      std::ptrdiff_t u = transpose ? y : x;
      std::ptrdiff_t v = transpose ? x : y;
      if (mirror_x) u = src.width - 1 - u;
      if (mirror_y) v = src.height - 1 - v;
      std::copy_n(&src(u, v), src.channels, &dst(x, y));
    }
  }
  return to;
}

struct Sink {
  jpeg_destination_mgr manager;  // first, as libjpeg knows this one only
  std::string* bytes;
  bool out_of_memory;
  std::array<JOCTET, 65536> buffer;
};

void empty(j_compress_ptr jpeg, std::size_t count) {
  auto* const sink = reinterpret_cast<Sink*>(jpeg->dest);
  try {
    sink->bytes->append(reinterpret_cast<const char*>(sink->buffer.data()), count);
  } catch (const std::bad_alloc&) {
    sink->out_of_memory = true;
  }
  if (sink->out_of_memory) ERREXIT1(jpeg, JERR_OUT_OF_MEMORY, 0);
  sink->manager.next_output_byte = sink->buffer.data();
  sink->manager.free_in_buffer = sink->buffer.size();
}

void connect(Sink& sink) {
  sink.manager.init_destination = [](j_compress_ptr jpeg) { empty(jpeg, 0); };
  sink.manager.empty_output_buffer = [](j_compress_ptr jpeg) -> boolean {
    empty(jpeg, reinterpret_cast<Sink*>(jpeg->dest)->buffer.size());
    return TRUE;
  };
  sink.manager.term_destination = [](j_compress_ptr jpeg) {
    const auto* const sink = reinterpret_cast<const Sink*>(jpeg->dest);
    empty(jpeg, sink->buffer.size() - sink->manager.free_in_buffer);
  };
}

struct Writer {
  jpeg_compress_struct jpeg = {};
  ~Writer() { jpeg_destroy_compress(&jpeg); }
};

bool write_rows(jpeg_compress_struct& jpeg, Sink& sink, ImageView<const std::uint8_t> image, int quality,
                Errors& errors) {
  if (setjmp(errors.escape) != 0) return false;
  jpeg_create_compress(&jpeg);
  jpeg.dest = &sink.manager;
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.input_components = static_cast<int>(image.channels);
  jpeg.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  // libjpeg halves the resolution of colours by itself.
  jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.row(jpeg.next_scanline));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  return true;
}

}  // namespace

Image decode_jpeg(ByteSource& bytes) {
  Errors errors = {};
  Source source = source_of(bytes);
  Reader reader;
  jpeg_decompress_struct& jpeg = reader.jpeg;
  jpeg.err = prepare(errors);
  const auto refuse = [&] {
    throw ImageError(fmt::format("the JPEG image is damaged or cut short ({}), expected a whole one", errors.message));
  };
  if (!read_header(jpeg, source, errors)) refuse();
  if (jpeg.num_components != 1 && jpeg.num_components != 3) {
    throw ImageError(fmt::format("the JPEG image has {} colours{}, expected gray or three", jpeg.num_components,
                                 jpeg.num_components == 4 ? " (CMYK, for printing)" : ""));
  }
  if (jpeg.arith_code) throw ImageError("the JPEG image is in arithmetic coding, expected Huffman coding");
  check_promise(jpeg.image_width, jpeg.image_height, std::uint64_t{jpeg.image_width} * jpeg.image_height,
                most_inflation, bytes);
  jpeg_progress_mgr progress = {};
  if (!start(jpeg, progress, errors)) refuse();
  // The end of reading frees the markers.
  const unsigned held = orientation(jpeg);
  Raster<std::uint8_t> raster(jpeg.output_width, jpeg.output_height, jpeg.output_components);
  if (!read_rows(jpeg, raster.samples().data(), errors)) refuse();
  return Layers<std::uint8_t>{upright(std::move(raster), held)};
}

std::string encode_jpeg(const Image& image, int quality) {
  const auto* const layers = std::get_if<Layers<std::uint8_t>>(&image);
  if (layers == nullptr) throw ImageError("a JPEG image has 8 bits a sample, this one has 16");
  if (layers->alpha) throw ImageError("a JPEG image has no alpha, this one has");
  std::string encoded;
  Errors errors = {};
  Sink sink = {{}, &encoded, false, {}};
  connect(sink);
  Writer writer;
  writer.jpeg.err = prepare(errors);
  if (!write_rows(writer.jpeg, sink, layers->colour.view(), quality, errors)) {
    if (sink.out_of_memory) throw std::bad_alloc();
    throw ImageError(fmt::format("libjpeg says '{}'", errors.message));
  }
  return encoded;
}

}  // namespace speedwell::bench
