// SPDX-License-Identifier: Apache-2.0
// OpenCV's image filters as a child of the sweep.
#include <set>
#include <string_view>

#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/imgproc.hpp>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

template <class T>
cv::Mat header(ImageView<T> image) {
  using Element = std::remove_const_t<T>;
  return cv::Mat(static_cast<int>(image.height), static_cast<int>(image.width),
                 CV_MAKETYPE(cv::DataType<Element>::depth, static_cast<int>(image.channels)),
                 const_cast<Element*>(image.data), static_cast<std::size_t>(image.row_stride) * sizeof(T));
}

// calcHist's counts are floats, and of one channel unless joint ones are meant.
void count_values(const cv::Mat& src, cv::Mat& dst) {
  constexpr int values = 256;
  constexpr float from_to[] = {0, values};
  const float* range = from_to;
  for (int channel = 0; channel < src.channels(); ++channel) {
    cv::Mat counts;
    cv::calcHist(&src, 1, &channel, cv::Mat(), counts, 1, &values, &range);
    for (int value = 0; value < values; ++value) {
      dst.ptr<std::int32_t>()[value * src.channels() + channel] = static_cast<std::int32_t>(counts.at<float>(value));
    }
  }
}

template <class S, class D>
std::function<void()> filter(FilterWorkload<S, D>& workload) {
  const cv::Mat src = header(workload.src());
  cv::Mat dst = header(workload.dst());
  const FilterTask task = workload.task();
  switch (task.filter) {
    case Filter::box_blur:
      return [=]() mutable { cv::blur(src, dst, {task.width, task.height}, {-1, -1}, cv::BORDER_REFLECT_101); };
    case Filter::dilate:
      return [=, window = cv::getStructuringElement(cv::MORPH_RECT, {task.width, task.height})]() mutable {
        cv::dilate(src, dst, window);
      };
    case Filter::erode:
      return [=, window = cv::getStructuringElement(cv::MORPH_RECT, {task.width, task.height})]() mutable {
        cv::erode(src, dst, window);
      };
    case Filter::convolve: {
      const cv::Mat kernel = cv::Mat(task.weights, true).reshape(1, task.height);
      return [=]() mutable { cv::filter2D(src, dst, -1, kernel, {-1, -1}, 0, cv::BORDER_REFLECT_101); };
    }
    case Filter::convolve_separable: {
      const cv::Mat weights(task.weights, true);
      const cv::Mat row = weights.rowRange(0, task.width);
      const cv::Mat column = weights.rowRange(task.width, task.width + task.height);
      return [=]() mutable { cv::sepFilter2D(src, dst, -1, row, column, {-1, -1}, 0, cv::BORDER_REFLECT_101); };
    }
    case Filter::gaussian_blur:
      return [=]() mutable {
        cv::GaussianBlur(src, dst, {task.width, task.height}, task.sigma, task.sigma, cv::BORDER_REFLECT_101);
      };
    case Filter::sobel:
      return [=]() mutable { cv::Sobel(src, dst, dst.depth(), 1, 0, task.width, 1, 0, cv::BORDER_REFLECT_101); };
    case Filter::median_blur:
      return [=]() mutable { cv::medianBlur(src, dst, task.width); };
    case Filter::rgb_to_gray:
      return [=]() mutable { cv::cvtColor(src, dst, cv::COLOR_RGB2GRAY); };
    case Filter::histogram:
      return [=]() mutable { count_values(src, dst); };
    case Filter::equalize:
      return [=]() mutable { cv::equalizeHist(src, dst); };
    case Filter::resize_nearest:
      return [=]() mutable { cv::resize(src, dst, dst.size(), 0, 0, cv::INTER_NEAREST); };
    case Filter::resize_linear:
      return [=]() mutable { cv::resize(src, dst, dst.size(), 0, 0, cv::INTER_LINEAR); };
    case Filter::resize_area:
      return [=]() mutable { cv::resize(src, dst, dst.size(), 0, 0, cv::INTER_AREA); };
    case Filter::bilateral_filter:
      return [=]() mutable {
        cv::bilateralFilter(src, dst, task.width, task.sigma_color, task.sigma, cv::BORDER_REFLECT_101);
      };
  }
  return {};
}

class OpenCvPeer final : public Peer {
 public:
  explicit OpenCvPeer(int threads) : Peer(threads) { cv::setNumThreads(threads); }

  std::string version() const override { return cv::getVersionString(); }
  std::string isa() const override { return cv::getCPUFeaturesLine(); }
  std::string wait_policy() const override { return "that of its threading library"; }

  bool offers(const Case& which) const override {
    static const std::set<std::string_view> kernels = {
        "bilateral_filter", "box_blur",    "convolve",      "convolve_separable", "dilate",
        "equalize",         "erode",       "gaussian_blur", "histogram",          "median_blur",
        "resize",           "rgb_to_gray", "sobel"};
    return kernels.count(which.kernel) > 0;
  }

  std::function<void()> call(Workload& workload) override {
    using std::uint8_t;
    if (auto* u8 = dynamic_cast<FilterWorkload<uint8_t, uint8_t>*>(&workload)) return filter(*u8);
    if (auto* i16 = dynamic_cast<FilterWorkload<uint8_t, std::int16_t>*>(&workload)) return filter(*i16);
    if (auto* i32 = dynamic_cast<FilterWorkload<uint8_t, std::int32_t>*>(&workload)) return filter(*i32);
    if (auto* f32 = dynamic_cast<FilterWorkload<float, float>*>(&workload)) return filter(*f32);
    return {};
  }
};

}  // namespace

const char* peer_name() { return "opencv"; }

Environment peer_environment(const ChildOptions&) { return {}; }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<OpenCvPeer>(options.threads); }

}  // namespace speedwell::bench
