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

template <class S, class D>
std::function<void()> filter(FilterWorkload<S, D>& workload) {
  const cv::Mat src = header(workload.src());
  cv::Mat dst = header(workload.dst());
  const FilterTask task = workload.task();
  switch (task.filter) {
    case Filter::gaussian_blur:
      return [=]() mutable {
        cv::GaussianBlur(src, dst, {task.width, task.height}, task.sigma, task.sigma, cv::BORDER_REFLECT_101);
      };
    case Filter::sobel:
      return [=]() mutable { cv::Sobel(src, dst, dst.depth(), 1, 0, task.width, 1, 0, cv::BORDER_REFLECT_101); };
    case Filter::median_blur:
      return [=]() mutable { cv::medianBlur(src, dst, task.width); };
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
    static const std::set<std::string_view> kernels = {"bilateral_filter", "gaussian_blur", "median_blur", "sobel"};
    return kernels.count(which.kernel) > 0;
  }

  std::function<void()> call(Workload& workload) override {
    using std::uint8_t;
    if (auto* u8 = dynamic_cast<FilterWorkload<uint8_t, uint8_t>*>(&workload)) return filter(*u8);
    if (auto* i16 = dynamic_cast<FilterWorkload<uint8_t, std::int16_t>*>(&workload)) return filter(*i16);
    if (auto* f32 = dynamic_cast<FilterWorkload<float, float>*>(&workload)) return filter(*f32);
    return {};
  }
};

}  // namespace

const char* peer_name() { return "opencv"; }

Environment peer_environment(const ChildOptions&) { return {}; }

std::unique_ptr<Engine> make_peer(const ChildOptions& options) { return std::make_unique<OpenCvPeer>(options.threads); }

}  // namespace speedwell::bench
