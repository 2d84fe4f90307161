// SPDX-License-Identifier: Apache-2.0
// The words are chosen by what the intervals carry, and each clause names its evidence.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "runtime/scaling/case_study.hpp"
#include "runtime/scaling/words.hpp"

namespace speedwell::scaling {

namespace {

// Below this a curve is not worth a reason for what it loses.
constexpr double good_efficiency = 0.90;

std::string cores(int count, const Setting& setting) {
  if (count > setting.cores) return fmt::format("{} threads", count);
  return count == 1 ? "1 core" : fmt::format("{} cores", count);
}

std::string model_of(const Choice& choice) { return choice.curve != nullptr ? choice.curve->backend : "sequential"; }

std::string percent(double share) { return number(100 * share) + " %"; }

std::string percent(Interval shares) { return range({100 * shares.low, 100 * shares.high}) + " %"; }

std::string speedup_of(const Point& point) { return times(point.speedup->value, point.speedup->ci); }

// Of the samples that the verdict is about.
double largest_deviation(const CaseStudy& study) {
  double largest = study.sequential ? study.sequential->deviation : 0;
  largest = std::max(largest, study.best->point->deviation);
  for (const Choice& choice : study.tied) largest = std::max(largest, choice.point->deviation);
  return largest;
}

std::string join(const std::vector<std::string>& clauses) {
  std::string text;
  for (const std::string& clause : clauses) {
    if (!clause.empty()) text += (text.empty() ? "" : "; ") + clause;
  }
  return text;
}

// The measured rate of the ceiling that bounds the case.
std::optional<double> ceiling_of(const CaseStudy& study, const Setting& setting, Bound bound, int threads) {
  if (bound != Bound::compute) return study.bandwidth(setting, threads).bytes_per_s;
  const auto found = setting.ceilings.find(threads);
  if (found == setting.ceilings.end()) return std::nullopt;
  return study.precision == "f64" ? found->second.fma_f64 : found->second.fma_f32;
}

// ", which itself grows only 1.08× from 1 to 2 cores", of the ceiling that bounds the point; empty: it grows with them,
// or that can't be told.
std::string growth_words(const CaseStudy& study, const Setting& setting, const Point& point) {
  const std::optional<double> one = ceiling_of(study, setting, point.bound, 1);
  const std::optional<double> here = ceiling_of(study, setting, point.bound, point.threads);
  if (point.threads < 2 || !one || !here || *here / *one >= good_efficiency * point.threads) return {};
  const Cell* const on_one = study.bandwidth(setting, 1).cell;
  const Cell* const on_all = study.bandwidth(setting, point.threads).cell;
  if (point.bound != Bound::compute && on_one != nullptr && on_all != nullptr) {
    const Ratio growth = compare(*on_one, *on_all);
    if (growth.rounds < fewest_for_95_percent || growth.ci.high >= good_efficiency * point.threads) return {};
    return growth.ci.low > 1
               ? fmt::format(", which itself grows only {} from 1 to {}", times(growth.value, growth.ci),
                             cores(point.threads, setting))
               : fmt::format(", which itself doesn't surely grow from 1 to {}", cores(point.threads, setting));
  }
  if (*here <= *one) return fmt::format(", which itself doesn't grow from 1 to {}", cores(point.threads, setting));
  return fmt::format(", which itself grows only {}× from 1 to {}", number(*here / *one), cores(point.threads, setting));
}

// "92 % of the measured triad bandwidth", with an interval where there is one
std::string part_of_ceiling(const CaseStudy& study, const Setting& setting, const Point& point) {
  const std::string interval = point.part_of_roof ? fmt::format(" ({})", percent(*point.part_of_roof)) : "";
  return fmt::format(
      "{:.0f} %{} of the measured {}", *point.percent_of_roof(), interval,
      point.bound == Bound::compute ? std::string("FMA peak") : study.bandwidth(setting, point.threads).of);
}

// "memory-bound at 92 % of the measured triad bandwidth"; empty: no ceiling is near.
std::string roof_clause(const CaseStudy& study, const Setting& setting, const Point& point) {
  if (!(point.percent_of_roof() >= near_roof_percent)) return {};
  if (point.bound == Bound::imbalance) {
    const double share = *point.cell->largest_share;
    return fmt::format(
        "held by imbalance: the busiest of {} equal shares has {:.0f} % of the work, which caps the speedup at {}×",
        point.threads, 100 * share, number(1 / share));
  }
  const std::string held = point.bound == Bound::compute  ? "compute"
                           : point.bound == Bound::memory ? "memory"
                                                          : fmt::format("L{}", point.level);
  std::string text = fmt::format("{}-bound at {}", held, part_of_ceiling(study, setting, point));
  // A roof that is broken through is none.
  constexpr double broken = 105;
  const double surely = point.part_of_roof ? 100 * point.part_of_roof->low : *point.percent_of_roof();
  if (surely <= broken) return text + growth_words(study, setting, point);
  const bool unstable = largest_deviation(study) >= unstable_deviation;
  return text + (unstable ? ", which the unstable times may explain" : ", which was thus measured too low");
}

// "uses 79 % of the measured copy bandwidth, which itself grows only 1.08× from 1 to 2 cores": not near enough to be
// called the reason, but most of it, where more cores don't have more of it. Empty: it isn't so.
std::string nearest_clause(const CaseStudy& study, const Setting& setting, const Point& point) {
  constexpr double most_of_it = 60;
  if ((point.bound != Bound::memory && point.bound != Bound::cache) || point.threads < 2) return {};
  if (*point.percent_of_roof() < most_of_it || *point.percent_of_roof() >= near_roof_percent) return {};
  const std::string growth = growth_words(study, setting, point);
  return growth.empty() ? std::string() : "uses " + part_of_ceiling(study, setting, point) + growth;
}

// What the fitted law, or Karp-Flatt for want of one, says of a curve that loses speed on its way.
std::string law_clause(const Curve& curve, const Point& point) {
  const LawFit& fit = curve.fit;
  if (fit.superlinear) return "superlinear, most likely because the data fit in the caches of several cores";
  if (fit.law == Law::usl && fit.kappa_ci.low > 0) {
    std::string text = fmt::format("contention {} and coherence {} by USL", percent(fit.sigma), percent(fit.kappa));
    if (fit.peak) {
      text += fmt::format(", which puts the peak at {:.1f} threads ({:.1f}–{:.1f})", *fit.peak, fit.peak_ci.low,
                          fit.peak_ci.high);
    }
    return text;
  }
  if (point.speedup->value / point.threads >= good_efficiency) return {};
  if (fit.law != Law::none && fit.sigma_ci.low > 0) {
    return fmt::format("{} serial ({}) by {}", percent(fit.sigma), percent(fit.sigma_ci),
                       fit.law == Law::usl ? "USL" : "Amdahl's law");
  }
  if (fit.law == Law::none && curve.points.size() == 2 && point.threads > 1) {
    const Interval ci = point.speedup->ci;
    return fmt::format("{:.0f} to {:.0f} % serial or overhead (Karp-Flatt)",
                       100 * std::max(0.0, karp_flatt(ci.high, point.threads)),
                       100 * std::max(0.0, karp_flatt(ci.low, point.threads)));
  }
  return {};
}

// Which cores were left to measure.
std::string limit_clause(int largest, const Setting& setting) {
  if (largest < setting.available) {
    return fmt::format("only {} of the {} cores {} measured", largest, setting.available,
                       largest == 1 ? "was" : "were");
  }
  return largest == 1 ? "no second core was available to measure"
                      : fmt::format("more cores than {} were not available to measure", largest);
}

// The models that can't be told from the fastest: "openmp wins", "openmp and tbb tie"; alone in the race it just
// "reaches".
std::string field_clause(const CaseStudy& study) {
  std::vector<std::string> models{model_of(*study.best)};
  for (const Choice& other : study.tied) models.push_back(model_of(other));
  if (models.size() > 1) return list(models) + " tie";
  return models.front() + (study.slower.empty() ? "" : " wins");
}

std::string next_clause(const CaseStudy& study, const Setting& setting) {
  if (study.slower.empty()) return {};
  const Choice& next = study.slower.front();
  const std::string place = next.point->threads == study.best->point->threads
                                ? model_of(next)
                                : fmt::format("{} on {}", model_of(next), cores(next.point->threads, setting));
  // A few hundredths are better read as percent.
  constexpr double little = 1.1;
  const Ratio& behind = *next.behind;
  if (behind.value < little) {
    return fmt::format("next is {}, {:.1f} % slower ({:.1f}–{:.1f} %)", place, 100 * (behind.value - 1),
                       100 * (behind.ci.low - 1), 100 * (behind.ci.high - 1));
  }
  return fmt::format("next is {}, {}× slower ({})", place, number(behind.value), range(behind.ci));
}

// For a model that loses next to nothing on its way.
std::string efficiency_clause(const CaseStudy& study, const Point& point, const Setting& setting) {
  const double efficiency = point.speedup->value / point.threads;
  if (point.speedup->ci.low > point.threads * (1 + setting.noise())) {
    return largest_deviation(study) >= unstable_deviation ? "superlinear, which the unstable times may explain"
                                                          : "superlinear, most likely a cache effect";
  }
  if (efficiency < good_efficiency) return {};
  const Interval ci{point.speedup->ci.low / point.threads, point.speedup->ci.high / point.threads};
  return fmt::format("{:.0f} % efficient ({})", 100 * efficiency, percent(ci));
}

// The fastest model goes on gaining up to the last count that was measured.
std::string gaining_clause(const CaseStudy& study, const Setting& setting) {
  const Curve& curve = *study.best->curve;
  const Point& last = *study.best->point;
  const auto elsewhere = [&](const Choice& choice) { return choice.point->threads != last.threads; };
  const bool alone = study.tied.empty() && study.slower.empty();
  std::string text = fmt::format("{}{} {} on {}", field_clause(study), alone ? " reaches" : " at",
                                 speedup_of(last) + " sequential", cores(last.threads, setting));
  for (const Choice& choice : study.tied) {
    if (elsewhere(choice)) text += fmt::format(" ({} on {})", model_of(choice), choice.point->threads);
  }
  const std::string roof = roof_clause(study, setting, last);
  std::string why =
      roof.empty() ? nearest_clause(study, setting, last) : (last.bound == Bound::imbalance ? "" : "still ") + roof;
  if (why.empty()) why = law_clause(curve, last);
  if (why.empty()) why = efficiency_clause(study, last, setting);
  return join({text, next_clause(study, setting), why, limit_clause(study.largest_count(), setting)});
}

// The fastest model gains no more from some count on.
std::string stopping_clause(const CaseStudy& study, const Setting& setting) {
  const Curve& curve = *study.best->curve;
  const Point& there = *curve.at(curve.enough_threads);
  const Point& last = curve.points.back();
  bool together = true;
  for (const Choice& other : study.tied) {
    together = together && other.curve != nullptr && other.curve->enough_threads == curve.enough_threads;
  }
  std::string text = field_clause(study);
  const bool many = !study.tied.empty() && together;
  if (!study.tied.empty() && !together) text += "; " + curve.backend;
  if (study.tied.empty() ? !study.slower.empty() : together) text += " and";
  // Where the intervals are too wide to exclude a gain, the verdict says just that.
  const bool from_start = there.threads == 1 && study.best->point->threads > 1;
  if (from_start) {
    text += fmt::format(" {} {} sequential on {}, no sure gain over its own 1 core", many ? "reach" : "reaches",
                        speedup_of(*study.best->point), cores(study.best->point->threads, setting));
  } else if (curve.flat_beyond) {
    text += fmt::format(" {} paying after {} of {} cores at {} sequential", many ? "stop" : "stops", there.threads,
                        last.threads, speedup_of(there));
  } else {
    text += fmt::format(" {} {} sequential on {}, beyond which no gain can be told up to {}",
                        many ? "reach" : "reaches", speedup_of(there), cores(there.threads, setting), last.threads);
  }
  if (last.speedup && compare(*last.cell, *study.best->point->cell).above_one(setting.noise())) {
    text += fmt::format(", falling to {}× on {}", number(last.speedup->value), last.threads);
  }
  // What holds it where it stops; from one core on, where it was to gain.
  const Point& held = from_start ? *study.best->point : there;
  std::string roof = roof_clause(study, setting, held);
  if (roof.empty()) roof = nearest_clause(study, setting, held);
  const std::string law = law_clause(curve, held);
  if (!roof.empty()) {
    text += ": " + roof;
  } else if (!law.empty()) {
    text += ": " + law;
  } else if (curve.flat_beyond) {
    text += ", for a reason that neither the ceilings nor the laws show";
  }
  return join({text, next_clause(study, setting)});
}

std::string one_core_clause(const CaseStudy& study, const Setting& setting) {
  const Point& sequential = *study.sequential;
  const int largest = study.largest_count();
  // What parallel work reached at best; on one thread only where there was no more to try.
  const Curve* curve = nullptr;
  const Point* point = nullptr;
  for (const Curve& each : study.curves) {
    for (const Point& candidate : each.points) {
      if (!candidate.speedup || (candidate.threads == 1 && largest > 1)) continue;
      if (point != nullptr && point->speedup->value >= candidate.speedup->value) continue;
      curve = &each;
      point = &candidate;
    }
  }
  const std::string roof = roof_clause(study, setting, sequential);
  const std::string took = duration(sequential.median_ns, sequential.ci);
  if (point == nullptr) return join({"only sequential was measured, at " + took, roof});
  if (largest == 1) {
    return join({"one core only, so there is nothing to scale: sequential takes " + took,
                 fmt::format("{} on one thread is at {}", curve->backend, speedup_of(*point)), roof,
                 limit_clause(1, setting)});
  }
  const bool slower = point->speedup->below_one(setting.noise());
  std::string why;
  if (slower && sequential.median_ns < too_short_ns) {
    why = fmt::format("held by overhead: the call takes {}, too short for a fork-join, which adds {} to its share",
                      duration(sequential.median_ns),
                      duration(std::max(0.0, point->median_ns - sequential.median_ns / point->threads)));
  } else if ((sequential.bound == Bound::memory || sequential.bound == Bound::cache) && !roof.empty()) {
    why = "one core is already " + roof;
  }
  return join({fmt::format("stays on one core: no model beats sequential{} (best: {} on {} at {}×, {})",
                           slower ? "" : " beyond the noise", curve->backend, cores(point->threads, setting),
                           number(point->speedup->value), range(point->speedup->ci)),
               why});
}

// "with the work growing too, 16 cores keep 93 % efficiency (92–94 %)", where that tells more than the fixed size does.
std::string weak_clause(const CaseStudy& study, const Setting& setting) {
  constexpr double worth_saying = 0.05;
  const Curve* const strong = study.best->curve;
  if (strong == nullptr) return {};
  for (const WeakCurve& curve : study.weak) {
    if (curve.backend != strong->backend) continue;
    const WeakPoint& last = curve.points.back();
    const int threads = last.point.threads;
    const Point* const fixed = strong->at(threads);
    if (threads < 2 || threads > setting.cores || fixed == nullptr || !fixed->speedup || !last.scaled) continue;
    if (last.scaled->rounds < fewest_for_95_percent) continue;
    const Interval grown{last.scaled->ci.low / threads, last.scaled->ci.high / threads};
    const bool better = grown.low > fixed->speedup->ci.high / threads + worth_saying;
    const bool worse = grown.high < fixed->speedup->ci.low / threads - worth_saying;
    if (!better && !worse) continue;
    return fmt::format("with the work growing too ({}), {} keep {}{:.0f} % efficiency ({})", curve.rule,
                       cores(threads, setting), worse ? "only " : "", 100 * last.scaled->value / threads,
                       percent(grown));
  }
  return {};
}

// "among the 4 sizes measured parallel pays from 128x128x128 on (43.0 µs sequential), not at 64x64x64 (8.10 µs)"
std::string crossing_clause(const CaseStudy& study) {
  if (!study.crossing) return {};
  const Crossing& crossing = *study.crossing;
  if (crossing.size.empty()) return fmt::format("parallel pays at none of the {} sizes measured", crossing.sizes);
  const std::string from = fmt::format("from {} on ({} sequential)", crossing.size, duration(crossing.sequential_ns));
  if (crossing.at_each) return fmt::format("parallel pays at each of the {} sizes measured, {}", crossing.sizes, from);
  std::string text = fmt::format("among the {} sizes measured parallel pays {}", crossing.sizes, from);
  if (!crossing.not_at.empty()) {
    text += fmt::format(", not at {} ({})", crossing.not_at, duration(crossing.not_at_ns));
  }
  return text;
}

// Failed cells, grouped by model and reason, as the reader must know what the rest leaves out.
std::string failure_clause(const CaseStudy& study) {
  struct Group {
    std::string model, reason;
    std::vector<std::string> threads;
  };
  std::vector<Group> groups;
  for (const Cell* cell : study.failed) {
    const std::string model = cell->backend + (cell->weak_of.empty() ? "" : " with the work growing");
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
      return group.model == model && group.reason == *cell->failure;
    });
    Group& group = same != groups.end() ? *same : groups.emplace_back(Group{model, *cell->failure, {}});
    group.threads.push_back(std::to_string(cell->threads));
  }
  std::vector<std::string> texts;
  for (const Group& group : groups) {
    texts.push_back(fmt::format("{} on {} ({})", group.model, list(group.threads), group.reason));
  }
  return texts.empty() ? "" : fmt::format("failed and left out: {}", list(texts));
}

std::string unstable_clause(const CaseStudy& study) {
  const double largest = largest_deviation(study);
  if (largest < unstable_deviation) return {};
  return fmt::format("unstable (standard deviation up to {:.0f} %), so trust the intervals alone", 100 * largest);
}

std::string peer_clause(const CaseStudy& study, const Setting& setting) {
  if (!study.fastest_peer_ratio || study.fastest_peer_ratio->rounds < fewest_for_95_percent) return {};
  if (!study.fastest_peer_ratio->above_one(setting.noise())) return {};
  const Point& peer = study.fastest_peer->point;
  return fmt::format("{} on {} is {}× faster ({})", peer.cell->backend, cores(peer.threads, setting),
                     number(study.fastest_peer_ratio->value), range(study.fastest_peer_ratio->ci));
}

std::string clauses(const CaseStudy& study, const Setting& setting) {
  const std::string failures = failure_clause(study);
  if (!study.best) return join({"nothing was measured", failures});

  const Point& best = *study.best->point;
  const std::string where = fmt::format("{} on {}", model_of(*study.best), cores(best.threads, setting));
  if (!study.sequential) {
    return join({fmt::format("no speedup can be told, as sequential wasn't measured: the fastest is {} at {}", where,
                             duration(best.median_ns)),
                 failures});
  }
  if (!best.speedup) {
    return join({fmt::format("no speedup can be told, as no round holds both sequential and {}", where), failures});
  }
  const int rounds = study.best->curve != nullptr ? best.speedup->rounds : study.sequential->samples;
  if (rounds < fewest_for_95_percent) {
    return join({fmt::format("too early to tell: {} round{} carr{} no 95 % interval (fastest so far: {} at {})", rounds,
                             rounds == 1 ? "" : "s", rounds == 1 ? "ies" : "y", where,
                             study.best->curve != nullptr ? number(best.speedup->value) + "× sequential"
                                                          : duration(best.median_ns)),
                 failures});
  }

  std::string main;
  if (study.best->curve == nullptr || study.largest_count() == 1) {
    main = one_core_clause(study, setting);
  } else if (study.best->curve->enough_threads == study.best->curve->points.back().threads) {
    main = gaining_clause(study, setting);
  } else {
    main = stopping_clause(study, setting);
  }
  return join({main, weak_clause(study, setting), crossing_clause(study), unstable_clause(study),
               peer_clause(study, setting), failures});
}

}  // namespace

std::string verdict(const CaseStudy& study, const Setting& setting) { return clauses(study, setting) + "."; }

}  // namespace speedwell::scaling
