// SPDX-License-Identifier: Apache-2.0
#include "runtime/picker/wisdom.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

namespace speedwell::runtime {

namespace {

// Points nearer than this are one and the same size, measured again.
constexpr double same_extent = 1.01;

bool same(double a_s, double b_s) { return a_s < b_s * same_extent && b_s < a_s * same_extent; }

// More races than this don't make a time any surer, and the next should still tell.
constexpr int most_races = 8;

// The geometric mean of `times` values whose mean is known, and of one more.
double with_one_more(double mean, int times, double value) {
  const double weight = 1.0 / (std::min(times, most_races) + 1);
  return mean * std::pow(value / mean, weight);
}

// By key, as with_one_more().
template <class Key>
void see(std::map<Key, double>& means, int times, const std::map<Key, double>& values) {
  for (const auto& [key, value] : values) {
    const auto [mean, is_new] = means.try_emplace(key, value);
    if (!is_new) mean->second = with_one_more(mean->second, times, value);
  }
}

// How much faster several threads must look: measured times err by a few percent, estimates by much more, and having
// stayed sequential then costs no more than that.
constexpr double gain_if_tuned = 1.03;
constexpr double gain_if_estimated = 1.10;
// A short call that gains less when it is measured may take twice as long in the machine's other state.
constexpr double gain_if_short = 1.10;
// Among settings with several threads: models differ by as much from one process to the next, for where their data came
// to lie.
constexpr double tie = 1.08;

// The value at the nearest of the keys.
template <class Map, class Distance>
double nearest_value(const Map& map, const Distance& distance) {
  return std::min_element(map.begin(), map.end(),
                          [&](const auto& a, const auto& b) { return distance(a.first) < distance(b.first); })
      ->second;
}

// The kernel's value, or the one that comes before those of its other types of element.
template <class Before>
std::optional<double> measured_of(const std::map<std::string, double, std::less<>>& by_kernel, std::string_view kernel,
                                  Before before) {
  if (const auto found = by_kernel.find(kernel); found != by_kernel.end()) return found->second;
  // "gaussian_blur/", whatever the type.
  const std::string_view function = kernel.substr(0, kernel.find('/') + 1);
  std::optional<double> first;
  for (auto other = by_kernel.lower_bound(function); other != by_kernel.end(); ++other) {
    if (function.empty() || !other->first.starts_with(function)) break;
    if (!first || before(other->second, *first)) first = other->second;
  }
  return first;
}

}  // namespace

void CostModel::see_fork_joins(const std::map<Setting, double>& seconds) {
  see(fork_join_s, fork_join_times, seconds);
  for (const auto& [setting, value] : seconds) {
    const auto least = fork_join_least_s.try_emplace(setting, value).first;
    least->second = std::min(least->second, value);
    const auto most = fork_join_most_s.try_emplace(setting, value).first;
    most->second = std::max(most->second, value);
  }
  fork_join_times = std::min(fork_join_times + 1, most_races);
}

void CostModel::see_memory(const std::map<int, double>& speedup) {
  see(memory_speedup, memory_times, speedup);
  memory_times = std::min(memory_times + 1, most_races);
}

double CostModel::fork_join(Setting setting) const {
  if (setting.count <= 1) return 0;
  std::map<int, double> of_kind;
  for (const auto& [measured, seconds] : fork_join_s) {
    if (measured.kind == setting.kind) of_kind[measured.count] = seconds;
  }
  if (of_kind.empty()) return assumed_fork_join_s;
  return nearest_value(of_kind, [&](int count) { return std::abs(count - setting.count); });
}

double CostModel::speedup_of_memory(int threads) const {
  if (memory_speedup.empty()) return std::min<double>(threads, assumed_memory_speedup);
  return std::max(1.0, nearest_value(memory_speedup, [&](int count) { return std::abs(count - threads); }));
}

double CostModel::slowness_of(std::string_view kernel) const {
  return measured_of(slowness, kernel, std::less<>()).value_or(assumed_slowness);
}

double CostModel::sharing_of(std::string_view kernel) const {
  return measured_of(sharing_s, kernel, std::greater<>()).value_or(0);
}

const double* TunedPoint::time_of(Setting setting) const {
  for (const auto& [measured, seconds] : times_s) {
    if (measured == setting) return &seconds;
  }
  return nullptr;
}

TunedPoint TunedPoint::with(const TunedPoint& race) const {
  TunedPoint both = *this;
  both.races = std::min(races + 1, most_races);
  for (auto& [setting, seconds] : both.times_s) {
    if (const double* const again = race.time_of(setting)) seconds = with_one_more(seconds, races, *again);
  }
  for (const auto& each : race.times_s) {
    if (time_of(each.first) == nullptr) both.times_s.push_back(each);
  }
  return both;
}

const TunedCurve* Wisdom::curve(std::string_view kernel, Bound bound) const {
  const auto found = kernels.find(kernel);
  if (found == kernels.end()) return nullptr;
  const TunedCurve& curve = found->second[static_cast<int>(bound)];
  return curve.empty() ? nullptr : &curve;
}

const TunedPoint* Wisdom::point(std::string_view kernel, Bound bound, double extent_s) const {
  const TunedCurve* const of = curve(kernel, bound);
  if (of == nullptr) return nullptr;
  const auto found =
      std::find_if(of->begin(), of->end(), [&](const TunedPoint& each) { return same(each.extent_s, extent_s); });
  return found == of->end() ? nullptr : &*found;
}

void Wisdom::add(std::string_view kernel, Bound bound, const TunedPoint& point) {
  auto found = kernels.find(kernel);
  if (found == kernels.end()) found = kernels.emplace(std::string(kernel), std::array<TunedCurve, bounds>{}).first;
  TunedCurve& curve = found->second[static_cast<int>(bound)];
  std::erase_if(curve, [&](const TunedPoint& old) { return same(old.extent_s, point.extent_s); });
  const auto place = std::find_if(curve.begin(), curve.end(),
                                  [&](const TunedPoint& other) { return other.extent_s > point.extent_s; });
  curve.insert(place, point);
}

void Wisdom::merge(const Wisdom& newer) {
  for (const auto& [setting, seconds] : newer.cost.fork_join_s) cost.fork_join_s[setting] = seconds;
  for (const auto& [setting, seconds] : newer.cost.fork_join_least_s) cost.fork_join_least_s[setting] = seconds;
  for (const auto& [setting, seconds] : newer.cost.fork_join_most_s) cost.fork_join_most_s[setting] = seconds;
  if (newer.cost.fork_join_times > 0) cost.fork_join_times = newer.cost.fork_join_times;
  for (const auto& [threads, speedup] : newer.cost.memory_speedup) cost.memory_speedup[threads] = speedup;
  if (newer.cost.memory_times > 0) cost.memory_times = newer.cost.memory_times;
  for (const auto& [kernel, slowness] : newer.cost.slowness) cost.slowness[kernel] = slowness;
  for (const auto& [kernel, seconds] : newer.cost.sharing_s) cost.sharing_s[kernel] = seconds;
  for (const auto& [kernel, curves] : newer.kernels) {
    for (int bound = 0; bound < bounds; ++bound) {
      for (const TunedPoint& point : curves[bound]) add(kernel, static_cast<Bound>(bound), point);
    }
  }
}

Predictor::Predictor(const Wisdom& wisdom, std::string_view kernel, Bound bound, Limits limits)
    : bound_(bound),
      slowness_(wisdom.cost.slowness_of(kernel)),
      sharing_s_(wisdom.cost.sharing_of(kernel)),
      cache_bytes_(limits.cache_bytes) {
  const TunedCurve* const curve = wisdom.curve(kernel, bound);
  for (const Setting setting : candidates(limits.most_threads, limits.beside)) {
    candidates_.push_back({setting, wisdom.cost.fork_join(setting), wisdom.cost.speedup_of_memory(setting.count)});
  }
  if (curve == nullptr) return;
  for (const TunedPoint& point : *curve) {
    log_extents_.push_back(std::log(point.extent_s));
    for (Candidate& each : candidates_) {
      const double* const time = point.time_of(each.setting);
      const double seconds = time != nullptr ? *time : std::numeric_limits<double>::quiet_NaN();
      const double fixed_s = std::min(each.fork_join_s, seconds / 2);
      each.fixed_s.push_back(fixed_s);
      each.log_rests.push_back(std::log(seconds - fixed_s));
    }
  }
  // A call with fewer blocks than a candidate has threads can't be raced in it; a slightly larger one could.
  for (Candidate& each : candidates_) {
    const std::vector<double>& alone = candidates_.front().log_rests;
    for (std::size_t i = log_extents_.size() - 1; i > 0; --i) {
      if (!std::isnan(each.log_rests[i - 1])) continue;
      each.fixed_s[i - 1] = each.fixed_s[i];
      each.log_rests[i - 1] = each.log_rests[i] + alone[i - 1] - alone[i];
    }
  }
}

double Predictor::tuned_time(const Candidate& candidate, double extent_s) const {
  const std::vector<double>& fixed_s = candidate.fixed_s;
  const std::vector<double>& log_rests = candidate.log_rests;
  const double log_extent = std::log(extent_s);
  const std::size_t after = static_cast<std::size_t>(
      std::lower_bound(log_extents_.begin(), log_extents_.end(), log_extent) - log_extents_.begin());
  if (after > 0 && after < log_extents_.size()) {
    const double part = (log_extent - log_extents_[after - 1]) / (log_extents_[after] - log_extents_[after - 1]);
    return fixed_s[after - 1] * (1 - part) + fixed_s[after] * part +
           std::exp(log_rests[after - 1] * (1 - part) + log_rests[after] * part);
  }
  const std::size_t nearest = after == 0 ? 0 : after - 1;
  return fixed_s[nearest] + std::exp(log_rests[nearest] + log_extent - log_extents_[nearest]);
}

double Predictor::estimated_time(const Candidate& candidate, double extent_s) const {
  const double one_core_s = extent_s * slowness_;
  const double threads = candidate.setting.count;
  const bool from_memory = bound_ == Bound::memory && extent_s * reference_bytes > cache_bytes_;
  if (threads == 1) return one_core_s;
  const double speedup = from_memory ? std::min(threads, candidate.memory_speedup) : threads;
  return candidate.fork_join_s + sharing_s_ + one_core_s / speedup;
}

void Predictor::predict(double extent_s, std::vector<Prediction>& predictions) const {
  predictions.clear();
  for (const Candidate& each : candidates_) {
    const double seconds = tuned() ? tuned_time(each, extent_s) : estimated_time(each, extent_s);
    if (!std::isnan(seconds)) predictions.push_back({each.setting, seconds});
  }
}

Setting best_of(const std::vector<Prediction>& predictions, bool tuned) {
  if (predictions.empty()) return {};
  const auto faster = [](const Prediction& a, const Prediction& b) { return a.seconds < b.seconds; };
  const double least = std::min_element(predictions.begin(), predictions.end(), faster)->seconds;
  for (const Prediction& each : predictions) {
    const double over_one = !tuned ? gain_if_estimated : each.seconds < short_call_s ? gain_if_short : gain_if_tuned;
    const double gain = each.setting.count > 1 ? tie : over_one;
    if (each.seconds <= least * gain) return each.setting;
  }
  return {};
}

std::vector<Step> steps(const Predictor& predictor) {
  // From below what any call takes to beyond what anybody waits for; a choice changes within an eighth of an octave of
  // where it should.
  constexpr double least_s = 1e-8;
  constexpr double most_s = 16;
  constexpr double step = 1.0905077326652577;  // 2^(1/8)
  std::vector<Step> found;
  std::vector<Prediction> predictions;
  double below_s = least_s;
  for (double extent_s = least_s; extent_s < most_s; extent_s = below_s) {
    below_s = extent_s * step;
    const double middle_s = extent_s * std::sqrt(step);
    predictor.predict(middle_s, predictions);
    const Setting setting = best_of(predictions, predictor.tuned());
    if (!found.empty() && found.back().setting == setting) {
      found.back().below_s = below_s;
    } else {
      // One thread is always the first of the candidates.
      found.push_back({below_s, setting, predictions.empty() ? assumed_slowness : predictions[0].seconds / middle_s});
    }
  }
  found.back().below_s = std::numeric_limits<double>::infinity();
  return found;
}

}  // namespace speedwell::runtime
