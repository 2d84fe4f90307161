// SPDX-License-Identifier: Apache-2.0
// The cases that the benchmarks measure: that each checks its output and would notice a wrong one.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include <gmock/gmock.h>

#include <speedwell/image_filter.hpp>
#include <speedwell/machine.hpp>
#include <speedwell/matmul.hpp>

#include "bench/case.hpp"
#include "bench/cases/buffer.hpp"
#include "bench/cases/image_filter_case.hpp"
#include "bench/cases/inclusive_scan_case.hpp"
#include "bench/cases/matmul_case.hpp"

namespace speedwell::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::unique_ptr<Workload> make(const char* name, int threads = 2) {
  const Case* which = find_case(name);
  if (which == nullptr) throw std::invalid_argument(std::string("no case ") + name);
  return which->make(threads);
}

void run(Workload& workload, const Backend& backend) {
  if (workload.needs_reset()) workload.reset();
  workload.run(backend);
}

TEST(Cases, NamesAreUniqueAndFound) {
  std::set<std::string> names;
  for (const Case& each : cases()) {
    EXPECT_TRUE(names.insert(each.name()).second) << each.name();
    EXPECT_EQ(find_case(each.name()), &each);
  }
  EXPECT_EQ(find_case("matmul/f32/1x1"), nullptr);
  EXPECT_EQ(find_case(""), nullptr);
  EXPECT_EQ(cell_name(*find_case("matmul/f32/1024x1024x1024"), "openmp", 2), "matmul/f32/1024x1024x1024/openmp/2");
}

TEST(Cases, AProductOfAnySizeByItsName) {
  EXPECT_EQ(find_case("matmul/f32_at/123x77x1001"), nullptr);
  const std::optional<Case> made = make_case("matmul/f32_at/123x77x1001");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->name(), "matmul/f32_at/123x77x1001");
  EXPECT_EQ(made->flops, 2.0 * 123 * 77 * 1001);
  EXPECT_FALSE(made->quick);
  EXPECT_EQ(make_case("matmul/f64/64x64x64")->flops, find_case("matmul/f64/64x64x64")->flops);
  for (const char* name :
       {"matmul/f32/123x77", "matmul/f32/123x77x1001x2", "matmul/f32/123x077x1", "matmul/f32/x1x1", "matmul/f32/1x1x",
        "matmul/f32/-1x1x1", "matmul/f32/1x1x1 ", "matmul/f16/1x1x1", "tiny/matmul_f32/1x1x1", "weak/matmul_f32/1x1x1",
        "sobel/u8c1/1x1x1", "nested/outer_matmul_f32/4x1x1x1", "1x1x1", "matmul/f32/", ""}) {
    EXPECT_FALSE(make_case(name)) << name;
  }
  const auto refused = [](const char* name) -> std::string {
    try {
      make_case(name);
      return "nothing was thrown";
    } catch (const InvalidArgument& error) {
      return error.what();
    }
  };
  EXPECT_THAT(refused("matmul/f32/0x1x1"), HasSubstr("0x1x1 has 0 in it, expected numbers from 1 to"));
  EXPECT_THAT(refused("matmul/f32/1x99999999999999999999x1"), HasSubstr("has 99999999999999999999 in it"));
  EXPECT_THAT(refused("matmul/f32/1x100000x100000"), HasSubstr("a matrix of 100000 x 100000, expected 268435456"));
  EXPECT_THAT(refused("matmul/f32/16000x16000x16000"), HasSubstr("is more work than 549755813888"));
}

TEST(Cases, AProductOfAnySizeHasItsTrafficToBeHeldAgainst) {
  EXPECT_EQ(make_case("matmul/f64/1x800x900")->traffic, "ceiling/traffic/5767232+6400");
  EXPECT_EQ(make_case("matmul/f64/1800x1800x1800")->traffic, "");  // arithmetic takes longer
  const std::optional<Case> ceiling = make_case("ceiling/traffic/5767232+6400");
  ASSERT_TRUE(ceiling);
  EXPECT_FALSE(ceiling->quick);
  const auto workload = ceiling->make(2);
  workload->run(Threads{2});
  EXPECT_THAT(workload->verify(), IsEmpty());
  for (const char* name :
       {"ceiling/traffic/63+64", "ceiling/traffic/64+0", "ceiling/traffic/+64", "ceiling/traffic/064+64",
        "ceiling/traffic/64", "ceiling/traffic/64+64x", "ceiling/traffic/6400000000000000000+64"}) {
    EXPECT_FALSE(make_case(name)) << name;
  }
}

TEST(Cases, LayoutsOfAProductDifferInMemoryAlone) {
  const auto strides = [](const char* variant) {
    const std::string name = std::string("matmul/") + variant + "/33x20x70";
    const auto workload = make_case(name)->make(2);
    auto& product = dynamic_cast<MatmulWorkload<double>&>(*workload);
    const auto a = stored(product.a()), b = stored(product.b());
    const auto c = stored(product.c());
    workload->run(Sequential{});
    EXPECT_THAT(workload->verify(), IsEmpty()) << name;
    EXPECT_FALSE(c.transposed);
    return std::vector<std::ptrdiff_t>{a.transposed, a.leading, b.transposed, b.leading, c.leading};
  };
  EXPECT_THAT(strides("f64"), ElementsAre(0, 70, 0, 20, 20));
  EXPECT_THAT(strides("f64_at"), ElementsAre(1, 33, 0, 20, 20));
  EXPECT_THAT(strides("f64_bt"), ElementsAre(0, 70, 1, 70, 20));
  EXPECT_THAT(strides("f64_pow2"), ElementsAre(0, 128, 0, 32, 32));
  EXPECT_THAT(strides("f64_block"), ElementsAre(0, 70, 0, 20, 27));
}

// A single row or column may have any stride; what libraries are told must be one that they take.
TEST(Cases, StoredIsValidWhereThereIsOneRowOrColumn) {
  for (const char* name : {"matmul/f32_at/1x5x9", "matmul/f32_bt/5x1x9", "matmul/f32_at/5x4x1", "matmul/f32_bt/5x4x1",
                           "matmul/f32_pow2/1x1x9", "matmul/f32_block/5x1x1"}) {
    const auto workload = make_case(name)->make(1);
    auto& product = dynamic_cast<MatmulWorkload<float>&>(*workload);
    for (const auto& view : {product.a(), product.b(), MatrixView<const float>(product.c())}) {
      const auto as = stored(view);
      EXPECT_GE(as.leading, as.transposed ? view.rows : view.cols) << name;
      for (std::ptrdiff_t i = 0; i < view.rows; ++i) {
        for (std::ptrdiff_t j = 0; j < view.cols; ++j) {
          EXPECT_EQ(as.data + (as.transposed ? j * as.leading + i : i * as.leading + j), &view(i, j)) << name;
        }
      }
    }
  }
}

TEST(Cases, ACallMayWriteItsBlockOnly) {
  for (const char* name : {"matmul/f32_block/33x20x70", "matmul/f32_pow2/33x20x70"}) {
    const auto workload = make_case(name)->make(2);
    const MatrixView<float> c = dynamic_cast<MatmulWorkload<float>&>(*workload).c();
    workload->spoil(0, 1);
    EXPECT_THAT(workload->verify(), HasSubstr("is nan")) << name;
    workload->run(Threads{2});
    const std::uint64_t hash = workload->output_hash();
    EXPECT_THAT(workload->verify(), IsEmpty()) << name;
    c(32, 20) += 1;  // beside the last row
    EXPECT_THAT(workload->verify(), HasSubstr("around C")) << name;
    EXPECT_NE(workload->output_hash(), hash) << name;
    c(32, 20) -= 1;
    EXPECT_THAT(workload->verify(), IsEmpty()) << name;
    EXPECT_EQ(workload->output_hash(), hash) << name;
  }
  const auto workload = make_case("matmul/f32_block/33x20x70")->make(1);
  const MatrixView<float> c = dynamic_cast<MatmulWorkload<float>&>(*workload).c();
  workload->run(Sequential{});
  for (float* const outside : {&c(-1, 0), &c(33, 19), &c(0, -1)}) {
    const float before = *outside;
    *outside = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(workload->verify(), HasSubstr("around C"));
    *outside = before;
  }
  EXPECT_THAT(workload->verify(), IsEmpty());
}

TEST(Cases, TheQuickSuiteIsSmallAndTouchesEverything) {
  std::set<std::string> kernels;
  int quick = 0;
  for (const Case& each : cases()) {
    if (!each.quick) continue;
    kernels.insert(each.kernel + "/" + each.precision);
    quick += each.kernel != "ceiling";
  }
  EXPECT_LE(quick, 27);
  EXPECT_THAT(kernels, testing::IsSupersetOf({"matmul/f32", "matmul/f64", "gaussian_blur/u8", "gaussian_blur/f32",
                                              "sobel/u8", "sobel/f32", "median_blur/u8", "median_blur/f32",
                                              "ceiling/f32", "ceiling/f64", "copy/f64", "triad/f64"}));
}

TEST(Cases, CountOperationsAndCompulsoryBytes) {
  const auto expect = [](const char* name, double flops, double bytes) {
    const Case* which = find_case(name);
    ASSERT_NE(which, nullptr) << name;
    EXPECT_EQ(which->flops, flops) << name;
    EXPECT_EQ(which->bytes, bytes) << name;
  };
  expect("matmul/f32/1000x37x61", 2.0 * 1000 * 37 * 61, 4 * (1000 * 61 + 61 * 37 + 1000 * 37));
  expect("matmul/f64/64x64x64", 524288, 8 * 3 * 4096);
  expect("gaussian_blur/u8c3/640x480", 18 * 640 * 480 * 3, 2 * 640 * 480 * 3);
  expect("gaussian_blur/f32c1_sigma5/640x480", 122 * 640 * 480, 8 * 640 * 480);
  expect("sobel/u8c1/1920x1080", 4.0 * 1920 * 1080, 3.0 * 1920 * 1080);
  expect("median_blur/f32c1/3840x2160", 38.0 * 3840 * 2160, 8.0 * 3840 * 2160);
  expect("inclusive_scan/i64/1048576", 1048576, 16.0 * 1048576);
  const Case* triad = find_case("ceiling/triad/memory");
  EXPECT_EQ(triad->bytes / triad->written_bytes, 3);
  EXPECT_EQ(find_case("ceiling/load/memory")->written_bytes, 0);
  EXPECT_EQ(find_case("ceiling/copy/memory")->bytes, 2 * find_case("ceiling/copy/memory")->written_bytes);
  // Larger than the last cache, or it measures that.
  for (const char* name : {"ceiling/load/memory", "ceiling/copy/memory", "ceiling/triad/memory"}) {
    if (machine().caches.empty()) break;
    EXPECT_GT(find_case(name)->bytes / 3, 1.0 * machine().caches.back().bytes);
  }
}

TEST(Cases, CeilingsRunOnTwoBackendsOnly) {
  const Case& ceiling = *find_case("ceiling/triad/memory");
  const Case& matmul = *find_case("matmul/f32/64x64x64");
  for (const char* backend : {"sequential", "threads"}) {
    EXPECT_TRUE(runs_on(ceiling, backend));
    EXPECT_TRUE(runs_on(matmul, backend));
  }
  for (const char* backend : {"openmp", "tbb", "automatic", "eigen", ""}) {
    EXPECT_FALSE(runs_on(ceiling, backend)) << backend;
  }
  EXPECT_FALSE(runs_on(matmul, "automatic"));
  EXPECT_EQ(runs_on(matmul, "openmp"), is_built(OpenMp{}));
  EXPECT_EQ(runs_on(matmul, "tbb"), is_built(Tbb{}));
}

TEST(Cases, ThreadAxis) {
  EXPECT_THAT(thread_axis(1), ElementsAre(1));
  EXPECT_THAT(thread_axis(2), ElementsAre(1, 2));
  EXPECT_THAT(thread_axis(8), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(thread_axis(9), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(thread_axis(52), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 52));
}

// Every quick case but the ceilings, and the small, tiny and odd ones.
std::vector<const Case*> checked_cases() {
  std::vector<const Case*> chosen;
  for (const Case& each : cases()) {
    const bool small =
        each.kernel == tiny_kernel || each.size == "640x480" || each.size == "64x64x64" || each.size == "1000x37x61";
    if (each.kernel != "ceiling" && each.kernel != weak_kernel && (each.quick || small)) chosen.push_back(&each);
  }
  return chosen;
}

class EachCase : public testing::TestWithParam<const Case*> {};

TEST_P(EachCase, IsRightOnEveryBackendWithTheSameBits) {
  const auto workload = GetParam()->make(2);
  workload->spoil(0, 1);
  EXPECT_THAT(workload->verify(), Not(IsEmpty()));
  run(*workload, Sequential{});
  EXPECT_THAT(workload->verify(), IsEmpty());
  EXPECT_EQ(workload->threads_used(), 1);
  const std::uint64_t hash = workload->output_hash();
  for (const std::string& backend : backend_names()) {
    workload->spoil(0, 1);
    EXPECT_NE(workload->output_hash(), hash);
    run(*workload, backend_from_name(backend, 3));
    EXPECT_THAT(workload->verify(), IsEmpty()) << backend;
    EXPECT_EQ(workload->output_hash(), hash) << backend;
  }
}

TEST_P(EachCase, NoticesACorruptedOutput) {
  const auto workload = GetParam()->make(1);
  run(*workload, Sequential{});
  const std::uint64_t hash = workload->output_hash();
  const auto seed = std::random_device()();
  std::mt19937 random(seed);
  // A product is checked wholly, so one element is enough. An image's borders and some of its rows are: one pixel in a
  // thousand hits one of those.
  const bool product = GetParam()->kernel == "matmul" || GetParam()->kernel == "nested";
  // A histogram has 256 counts, and a small image that is shrunk few pixels.
  const bool few = GetParam()->kernel == "histogram" || GetParam()->kernel == tiny_kernel;
  const std::size_t step = product ? std::size_t{1} << 40 : few ? 97 : 997;
  const std::size_t first = random() % (product ? 64 * 64 : step);
  workload->spoil(first, step);
  EXPECT_THAT(workload->verify(), Not(IsEmpty())) << "element " << first << ", seed " << seed;
  EXPECT_NE(workload->output_hash(), hash);
}

TEST_P(EachCase, HasTheSameInputWhoeverFillsIt) {
  const auto one = GetParam()->make(1);
  const auto five = GetParam()->make(5);
  run(*one, Sequential{});
  run(*five, Sequential{});
  EXPECT_EQ(one->output_hash(), five->output_hash());
  EXPECT_GE(one->bytes(), GetParam()->bytes);
}

INSTANTIATE_TEST_SUITE_P(Cases, EachCase, testing::ValuesIn(checked_cases()), [](const auto& param) {
  std::string name = param.param->name();
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
});

// Mistakes of the kind that a kernel makes, made on purpose in the case's own output.

template <class T>
void expect_products_are_told_apart(const char* name) {
  const auto workload = make(name);
  auto& product = dynamic_cast<MatmulWorkload<T>&>(*workload);
  const auto a = product.a(), b = product.b();
  const auto c = product.c();
  workload->run(Sequential{});
  ASSERT_THAT(workload->verify(), IsEmpty());
  // The last term of one element left out, and the first of one doubled. Terms near zero may pass: a tenth may not.
  const auto column = [&](std::ptrdiff_t i, std::ptrdiff_t k) {
    std::ptrdiff_t j = 0;
    while (std::abs(a(i, k) * b(k, j)) < 0.1) ++j;
    return j;
  };
  const auto row = [&](std::ptrdiff_t k) {
    std::ptrdiff_t i = a.rows - 1;
    while (std::abs(a(i, k)) < 0.5) --i;
    return i;
  };
  std::ptrdiff_t i = row(a.cols - 1);
  std::ptrdiff_t j = column(i, a.cols - 1);
  c(i, j) -= a(i, a.cols - 1) * b(a.cols - 1, j);
  EXPECT_THAT(workload->verify(), HasSubstr("row " + std::to_string(i)));
  workload->run(Sequential{});
  i = row(0);
  j = column(i, 0);
  c(i, j) += a(i, 0) * b(0, j);
  EXPECT_THAT(workload->verify(), HasSubstr("row " + std::to_string(i)));
  workload->run(Sequential{});
  std::swap(c(7, 1), c(7, 2));
  EXPECT_THAT(workload->verify(), HasSubstr("row 7"));
  matmul(a, b, c, {.alpha = 1.001, .backend = Sequential{}});
  EXPECT_THAT(workload->verify(), Not(IsEmpty()));
}

TEST(Oracle, TellsProductsApart) {
  expect_products_are_told_apart<float>("matmul/f32/1000x37x61");
  expect_products_are_told_apart<float>("matmul/f32/1024x1024x1024");
  expect_products_are_told_apart<float>("matmul/f32/2000x16x2000");
  expect_products_are_told_apart<double>("matmul/f64/256x256x256");
}

template <class T>
void expect_blurs_are_told_apart(const char* name) {
  const auto workload = make(name);
  auto& blur = dynamic_cast<FilterWorkload<T, T>&>(*workload);
  const GaussianBlurOptions right = {
      .sigma = blur.task().sigma, .width = blur.task().width, .height = blur.task().height, .backend = Sequential{}};
  gaussian_blur(blur.src(), blur.dst(), right);
  ASSERT_THAT(workload->verify(), IsEmpty());
  GaussianBlurOptions wrong = right;
  wrong.border = Border::replicate;
  gaussian_blur(blur.src(), blur.dst(), wrong);
  EXPECT_THAT(workload->verify(), HasSubstr("pixel"));
  wrong = right;
  wrong.sigma *= 1.3;
  gaussian_blur(blur.src(), blur.dst(), wrong);
  EXPECT_THAT(workload->verify(), HasSubstr("pixel"));
  // One row down.
  gaussian_blur(blur.src(), blur.dst(), right);
  const auto dst = blur.dst();
  std::memmove(dst.row(1), dst.row(0), sizeof(T) * static_cast<std::size_t>(dst.row_stride * (dst.height - 1)));
  EXPECT_THAT(workload->verify(), HasSubstr("pixel"));
}

TEST(Oracle, TellsBlursApart) {
  expect_blurs_are_told_apart<std::uint8_t>("gaussian_blur/u8c3/640x480");
  expect_blurs_are_told_apart<std::uint8_t>("gaussian_blur/u8c1/1920x1080");
  expect_blurs_are_told_apart<float>("gaussian_blur/f32c1/1920x1080");
  expect_blurs_are_told_apart<float>("gaussian_blur/f32c1_sigma5/640x480");
}

TEST(Oracle, NoticesABlurThatCutsOff) {
  const auto workload = make("gaussian_blur/u8c1/640x480");
  workload->run(Sequential{});
  auto& blur = dynamic_cast<FilterWorkload<std::uint8_t, std::uint8_t>&>(*workload);
  const auto src = blur.src();
  const auto dst = blur.dst();
  // The exact blur, rounded down; the border stays right.
  double weights[5], sum = 0;
  for (int i = 0; i < 5; ++i) sum += weights[i] = std::exp(-0.5 * (i - 2) * (i - 2));
  for (std::ptrdiff_t y = 2; y < dst.height - 2; ++y) {
    for (std::ptrdiff_t x = 2; x < dst.width - 2; ++x) {
      double value = 0;
      for (int i = 0; i < 25; ++i) value += weights[i / 5] * weights[i % 5] * src(x + i % 5 - 2, y + i / 5 - 2);
      dst(x, y) = static_cast<std::uint8_t>(value / (sum * sum));
    }
  }
  EXPECT_THAT(workload->verify(), HasSubstr("on the average"));
}

TEST(Oracle, TellsOtherFiltersApart) {
  const auto edges = make("sobel/u8c1/1920x1080");
  auto& sobel_case = dynamic_cast<FilterWorkload<std::uint8_t, std::int16_t>&>(*edges);
  sobel(sobel_case.src(), sobel_case.dst(), {.dx = 0, .dy = 1, .backend = Sequential{}});
  EXPECT_THAT(edges->verify(), HasSubstr("pixel"));
  const auto median = make("median_blur/f32c1/1920x1080");
  auto& median_case = dynamic_cast<FilterWorkload<float, float>&>(*median);
  median_blur(median_case.src(), median_case.dst(), {.border = Border::reflect_101, .backend = Sequential{}});
  EXPECT_THAT(median->verify(), HasSubstr("pixel"));
}

template <class T>
void expect_scans_are_told_apart(const char* name) {
  const auto workload = make(name);
  auto& scan = dynamic_cast<ScanWorkload<T>&>(*workload);
  const std::span<const T> in = scan.in();
  const std::span<T> out = scan.out();
  workload->run(Sequential{});
  ASSERT_THAT(workload->verify(), IsEmpty());
  // An element left out from some place on, or for a chunk; two results swapped. An element near zero may pass.
  std::size_t i = in.size() - 5000;
  while (std::abs(static_cast<double>(in[i])) < 0.1) ++i;
  for (std::size_t j = i; j < in.size(); ++j) out[j] -= in[i];
  EXPECT_THAT(workload->verify(), HasSubstr("element " + std::to_string(i) + " "));
  workload->run(Sequential{});
  for (std::size_t j = i; j < i + 64; ++j) out[j] += in[i];
  EXPECT_THAT(workload->verify(), HasSubstr("element " + std::to_string(i) + " "));
  workload->run(Sequential{});
  std::swap(out[i - 1], out[i]);
  EXPECT_THAT(workload->verify(), HasSubstr("element " + std::to_string(i - 1) + " "));
}

TEST(Oracle, TellsScansApart) {
  expect_scans_are_told_apart<float>("inclusive_scan/f32/16777216");
  expect_scans_are_told_apart<double>("inclusive_scan/f64/65536");
  expect_scans_are_told_apart<std::int32_t>("inclusive_scan/i32/65536");
  expect_scans_are_told_apart<std::int64_t>("inclusive_scan/i64/1048576");
}

TEST(Inputs, AreNeitherConstantNorZero) {
  const auto product = make("matmul/f32/64x64x64");
  const auto a = dynamic_cast<MatmulWorkload<float>&>(*product).a();
  std::set<float> elements(a.data, a.data + 64 * 64);
  EXPECT_GT(elements.size(), 4000U);
  EXPECT_EQ(elements.count(0), 0U);
  EXPECT_LT(*elements.begin(), -0.9F);
  EXPECT_GT(*elements.rbegin(), 0.9F);

  const auto image = make("median_blur/u8c3/640x480");
  const auto src = dynamic_cast<FilterWorkload<std::uint8_t, std::uint8_t>&>(*image).src();
  std::set<int> levels(src.data, src.data + 640 * 480 * 3);
  EXPECT_GT(levels.size(), 150U);
  EXPECT_GT(*levels.begin(), 0);
  EXPECT_LT(*levels.rbegin(), 255);

  const auto scan = make("inclusive_scan/f32/65536");
  const auto in = dynamic_cast<ScanWorkload<float>&>(*scan).in();
  const std::set<float> values(in.begin(), in.end());
  EXPECT_GT(values.size(), 64000U);
  EXPECT_LT(*values.begin(), -1.9F);
  EXPECT_GT(*values.rbegin(), 1.9F);
}

// Weak scaling: the work grows with the threads, and each count has its own right output.
TEST(Weak, EveryKernelHasOne) {
  std::set<std::string> kernels, grown;
  std::vector<std::string> quick;
  for (const Case& each : cases()) {
    if (each.kernel == weak_kernel) {
      EXPECT_THAT(each.rule, HasSubstr("p")) << each.name();
      const Case* const strong = find_case(each.weak_of);
      ASSERT_NE(strong, nullptr) << each.weak_of;
      EXPECT_EQ(each.name(), "weak/" + strong->kernel + "_" + strong->variant + "/" + strong->size);
      grown.insert(strong->kernel);
      if (each.quick) quick.push_back(each.name());
    } else if (each.kernel != "ceiling" && each.kernel != tiny_kernel && each.kernel != "nested" &&
               each.kernel != "overhead") {
      kernels.insert(each.kernel);
    }
  }
  EXPECT_EQ(grown, kernels);
  EXPECT_THAT(quick, ElementsAre("weak/matmul_f32/512x512x512", "weak/triad_f32/524288"));
}

TEST(Weak, TheWorkGrowsAsTheRuleSays) {
  for (const Case& each : cases()) {
    if (each.kernel != weak_kernel) continue;
    const Case& strong = *find_case(each.weak_of);
    EXPECT_EQ(each.at(1).flops, strong.flops) << each.name();
    EXPECT_EQ(each.at(1).bytes, strong.bytes) << each.name();
    EXPECT_EQ(each.at(1).size, strong.size) << each.name();
    for (const int threads : {2, 3, 7}) {
      const Case there = each.at(threads);
      EXPECT_EQ(there.name().substr(0, there.name().rfind('/')), each.name().substr(0, each.name().rfind('/')));
      const double work = strong.flops > 0 ? there.flops / strong.flops : there.bytes / strong.bytes;
      EXPECT_NEAR(work / threads, 1, 0.02) << each.name();
    }
  }
  EXPECT_EQ(find_case("weak/matmul_f32/512x512x512")->at(2).size, "645x645x645");
  EXPECT_EQ(find_case("weak/sobel_u8c1/1920x1080")->at(3).size, "1920x3240");
  // What doesn't grow is the same at any count.
  EXPECT_EQ(find_case("matmul/f32/64x64x64")->at(5).flops, find_case("matmul/f32/64x64x64")->flops);
}

TEST(Weak, EachCountIsRightOnEveryBackendWithTheSameBits) {
  for (const Case& each : cases()) {
    if (each.kernel != weak_kernel) continue;
    EXPECT_FALSE(runs_on(each, "sequential"));
    const auto workload = each.make(2);
    EXPECT_GE(workload->bytes(), each.at(2).bytes) << each.name();
    EXPECT_GT(workload->bytes(), 1.4 * each.bytes) << each.name();
    run(*workload, Sequential{});
    const std::uint64_t hash = workload->output_hash();
    for (const std::string& backend : backend_names()) {
      if (!runs_on(each, backend)) continue;
      workload->spoil(0, 1);
      run(*workload, backend_from_name(backend, 2));
      EXPECT_THAT(workload->verify(), IsEmpty()) << each.name() << " on " << backend;
      EXPECT_EQ(workload->output_hash(), hash) << each.name() << " on " << backend;
    }
  }
}

class Ceilings : public testing::TestWithParam<std::string> {};

TEST_P(Ceilings, DoTheWorkOnEveryThread) {
  const auto alone = make(GetParam().c_str(), 1);
  alone->spoil(0, 1);
  EXPECT_THAT(alone->verify(), Not(IsEmpty()));
  alone->run(Sequential{});
  EXPECT_THAT(alone->verify(), IsEmpty());
  EXPECT_EQ(alone->threads_used(), 1);
  const auto workload = make(GetParam().c_str(), 3);
  workload->run(Threads{3});
  EXPECT_THAT(workload->verify(), IsEmpty());
  EXPECT_GE(workload->threads_used(), 1);
  EXPECT_LE(workload->threads_used(), 3);
  const std::uint64_t hash = workload->output_hash();
  workload->spoil(0, 1);
  EXPECT_NE(workload->output_hash(), hash);
  EXPECT_THAT(workload->verify(), Not(IsEmpty()));
  workload->run(Threads{3});
  EXPECT_EQ(workload->output_hash(), hash);
  // The third thread's sum alone; of chains one lane in many is checked.
  if (find_case(GetParam())->bytes == 0) return;
  workload->spoil(2, std::size_t{1} << 40);
  EXPECT_THAT(workload->verify(), Not(IsEmpty()));
}

std::vector<std::string> checked_ceilings() {
  std::vector<std::string> names;
  for (const Case& each : cases()) {
    const bool small = each.bytes < 80e6;
    if (each.kernel == "ceiling" && (each.variant != "traffic" || small)) names.push_back(each.name());
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cases, Ceilings, testing::ValuesIn(checked_ceilings()), [](const auto& param) {
  std::string name = param.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == '+'; }, '_');
  return name;
});

TEST(CeilingCases, EachLevelIsStreamedFromWithinIt) {
  double before = 0;
  for (const Cache& cache : machine().caches) {
    for (const char* stream : {"load", "copy", "triad"}) {
      const Case* const ceiling = find_case("ceiling/" + std::string(stream) + "/l" + std::to_string(cache.level));
      ASSERT_NE(ceiling, nullptr) << stream << cache.level;
      for (const int threads : {1, 2, 3}) {
        // The least that a call can repeat is what it works on: this much of the level is each thread's.
        const auto workload = ceiling->make(threads);
        const double held = static_cast<double>(workload->bytes()) / threads;
        EXPECT_GT(held, before) << ceiling->name();
        EXPECT_LE(held, 2.0 * cache.bytes + 65536) << ceiling->name();
        EXPECT_NEAR(ceiling->at(threads).bytes / threads, 64 << 20, 16 << 20) << ceiling->name();
      }
    }
    before = static_cast<double>(cache.bytes);
  }
}

TEST(CeilingCases, AWorkloadIsOfItsThreadCount) {
  EXPECT_THROW(make("ceiling/copy/memory", 2)->run(Threads{3}), std::invalid_argument);
  EXPECT_THROW(make("ceiling/copy/memory", 2)->run(Sequential{}), std::invalid_argument);
}

TEST(CeilingCases, TrafficIsWhatTheCaseMustMove) {
  const auto traffic = [](const char* name) { return find_case(name)->traffic; };
  EXPECT_EQ(traffic("copy/f64/8388608"), "ceiling/traffic/67108864+67108864");
  EXPECT_EQ(traffic("dot/f32/16777216"), "ceiling/traffic/134217728+0");
  EXPECT_EQ(traffic("dot/f32/16777216"), traffic("sum/f64/16777216"));
  EXPECT_EQ(traffic("sobel/u8c1/3840x2160"), "ceiling/traffic/8294400+16588800");
  // Arithmetic is all that counts in a large product; 16-bit and 8-bit arithmetic has no peak that could tell.
  EXPECT_EQ(traffic("matmul/f32/1024x1024x1024"), "");
  EXPECT_EQ(traffic("matmul/f32/512x512x512"), "ceiling/traffic/2097152+1048576");
  EXPECT_NE(traffic("gaussian_blur/u8c1_sigma5/3840x2160"), "");
  EXPECT_EQ(traffic("weak/triad_f32/524288"), "");
  for (const Case& each : cases()) {
    if (each.traffic.empty()) continue;
    const Case* const ceiling = find_case(each.traffic);
    ASSERT_NE(ceiling, nullptr) << each.traffic;
    for (const int threads : {1, 3}) {
      // As often as makes a call long enough, each byte of the case's but for whole lines.
      const double passes = ceiling->at(threads).bytes / each.bytes;
      EXPECT_GE(passes, 1);
      EXPECT_NEAR(passes, std::round(passes), 0.02 * passes) << each.name();
    }
  }
}

TEST(Buffers, SharesCoverEachIndexOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    for (const std::ptrdiff_t count : {0, 1, 2, 6, 100}) {
      std::vector<int> calls(static_cast<std::size_t>(count));
      in_shares(threads, count, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        for (std::ptrdiff_t i = first; i < last; ++i) ++calls[static_cast<std::size_t>(i)];
      });
      EXPECT_THAT(calls, testing::Each(1)) << threads << " threads, " << count;
    }
  }
}

TEST(Buffers, HashChangesWithEveryBit) {
  std::vector<std::byte> bytes(70);
  std::set<std::uint64_t> hashes;
  for (std::size_t size = 0; size <= bytes.size(); ++size) hashes.insert(hash_bytes({bytes.data(), size}));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= std::byte{1} << bit % 8;
    hashes.insert(hash_bytes(bytes));
    bytes[bit / 8] ^= std::byte{1} << bit % 8;
  }
  EXPECT_EQ(hashes.size(), 71 + 8 * bytes.size());
}

}  // namespace
}  // namespace speedwell::bench
