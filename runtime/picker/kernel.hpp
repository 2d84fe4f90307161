// SPDX-License-Identifier: Apache-2.0
// What the picker knows of a call: whose it is, and how much it has to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace speedwell::runtime {

// What one call has to do, as its kernel counts it.
struct Work {
  double flops = 0;  // operations, of any kind
  double bytes = 0;  // compulsory memory traffic
};

// Which of the two takes longer on the reference core below.
enum class Bound { arithmetic, memory };
inline constexpr int bounds = 2;

// A call's place on the axis along which choices change: how long it would take one core of a reference machine. The
// same everywhere, so it isn't this machine's time: that is as many times longer as the kernel is slow here.
struct Extent {
  double seconds = 0;
  Bound bound = Bound::arithmetic;
};

inline constexpr double reference_flops = 1e11;  // a second: 2 FMA units x 8 floats x 2 operations x 3 GHz
inline constexpr double reference_bytes = 2e10;  // a second: one core seldom draws more from memory

inline Extent extent_of(Work work) {
  const double arithmetic = work.flops * (1 / reference_flops);
  const double memory = work.bytes * (1 / reference_bytes);
  return arithmetic >= memory ? Extent{arithmetic, Bound::arithmetic} : Extent{memory, Bound::memory};
}

struct Plan;

// As names of kernels, cases and results write a type of element.
template <class T>
inline constexpr std::string_view element_name = "";
template <>
inline constexpr std::string_view element_name<float> = "f32";
template <>
inline constexpr std::string_view element_name<double> = "f64";
template <>
inline constexpr std::string_view element_name<std::uint8_t> = "u8";
template <>
inline constexpr std::string_view element_name<std::uint16_t> = "u16";
template <>
inline constexpr std::string_view element_name<std::int32_t> = "i32";
template <>
inline constexpr std::string_view element_name<std::uint32_t> = "u32";
template <>
inline constexpr std::string_view element_name<std::int64_t> = "i64";
template <>
inline constexpr std::string_view element_name<std::uint64_t> = "u64";

// A kernel on one type of element, with what is to be picked for its calls. One object of static storage each, made
// without code, so that a call before main() finds it whole.
class Kernel {
 public:
  constexpr Kernel(std::string_view function, std::string_view element) : function_(function), element_(element) {}
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // "matmul/f32", as wisdom and messages have it.
  std::string name() const {
    return element_.empty() ? std::string(function_) : std::string(function_) + "/" + std::string(element_);
  }

 private:
  friend const Plan& plan_of(Kernel& kernel);
  friend class Picker;

  std::string_view function_;
  std::string_view element_;
  std::atomic<const Plan*> plan_ = nullptr;
  Kernel* next_ = nullptr;  // among those that have a plan
};

}  // namespace speedwell::runtime
