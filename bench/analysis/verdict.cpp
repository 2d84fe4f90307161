// SPDX-License-Identifier: Apache-2.0
// The words are chosen by what the intervals carry, and each clause names its evidence.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/analysis/case_study.hpp"
#include "bench/analysis/words.hpp"

namespace speedwell::bench::analysis {

namespace {

// From here on a ceiling is what holds the case: what is left is edges and start-up.
constexpr double near_roof_percent = 80;

// A fork-join costs some microseconds on every model; a call this short can't earn it back.
constexpr double too_short_ns = 50e3;

// Below this a curve is not worth a reason for what it loses.
constexpr double good_efficiency = 0.90;

constexpr double unstable_deviation = 0.10;

std::string cores(int count, const Setting& setting) {
  if (count > setting.cores) return fmt::format("{} threads", count);
  return count == 1 ? "1 core" : fmt::format("{} cores", count);
}

std::string model_of(const Choice& choice) { return choice.curve != nullptr ? choice.curve->backend : "sequential"; }

std::string percent(double share) { return number(100 * share) + " %"; }

std::string percent(Interval shares) { return range({100 * shares.low, 100 * shares.high}) + " %"; }

std::string speedup_of(const Point& point) { return times(point.speedup->value, point.speedup->ci); }

// The measured rate of the ceiling that bounds the case.
std::optional<double> ceiling_of(const CaseStudy& study, const Setting& setting, Bound bound, int threads) {
  const auto found = setting.ceilings.find(threads);
  if (found == setting.ceilings.end()) return std::nullopt;
  if (bound == Bound::memory) return found->second.triad;
  return study.precision == "f64" ? found->second.fma_f64 : found->second.fma_f32;
}

// "memory-bound at 92 % of the measured triad bandwidth"; empty: no ceiling is near.
std::string roof_clause(const CaseStudy& study, const Setting& setting, const Point& point) {
  if (!point.percent_of_roof || *point.percent_of_roof < near_roof_percent) return {};
  const bool memory = point.bound == Bound::memory;
  std::string text = fmt::format("{}-bound at {:.0f} % of the measured {}", memory ? "memory" : "compute",
                                 *point.percent_of_roof, memory ? "triad bandwidth" : "FMA peak");
  const std::optional<double> one = ceiling_of(study, setting, point.bound, 1);
  const std::optional<double> here = ceiling_of(study, setting, point.bound, point.threads);
  if (point.threads > 1 && one && here && *here / *one < good_efficiency * point.threads) {
    text +=
        fmt::format(", which itself grows only {}× from 1 to {}", number(*here / *one), cores(point.threads, setting));
  }
  return text;
}

// What the fitted law, or Karp-Flatt for want of one, says of a curve that loses speed on its way.
std::string law_clause(const Curve& curve, const Point& point) {
  const LawFit& fit = curve.fit;
  if (fit.superlinear) return "superlinear, most likely because the data fit in the caches of several cores";
  if (fit.law == Law::usl && fit.kappa_ci.low > 0) {
    const std::string peak = fit.peak ? fmt::format("the peak near {:.0f} threads ({})", *fit.peak, range(fit.peak_ci))
                                      : std::string("no peak in reach");
    return fmt::format("contention {} and coherence {} put {} (USL)", percent(fit.sigma), percent(fit.kappa), peak);
  }
  if (point.speedup->value / point.threads >= good_efficiency) return {};
  if (fit.law != Law::none && fit.sigma_ci.low > 0) {
    return fmt::format("{} serial ({}) by {}", percent(fit.sigma), percent(fit.sigma_ci),
                       fit.law == Law::usl ? "USL" : "Amdahl's law");
  }
  if (fit.law == Law::none && curve.points.size() == 2 && point.threads > 1) {
    return fmt::format("{} serial or overhead (Karp-Flatt)",
                       percent(std::max(0.0, karp_flatt(point.speedup->value, point.threads))));
  }
  return {};
}

// Who is fastest, where, and by how much.
std::string winner_clause(const CaseStudy& study, const Setting& setting) {
  const Choice& best = *study.best;
  std::vector<std::string> models{model_of(best)};
  std::vector<std::string> places{fmt::format("{} on {}", model_of(best), best.point->threads)};
  bool same_count = true;
  for (const Choice& other : study.tied) {
    models.push_back(model_of(other));
    places.push_back(fmt::format("{} on {}", model_of(other), other.point->threads));
    same_count = same_count && other.point->threads == best.point->threads;
  }
  const std::string reached = speedup_of(*best.point) + " sequential";
  std::string text;
  if (study.tied.empty()) {
    text = fmt::format("{} {} {} on {}", models.front(), study.slower.empty() ? "reaches" : "wins at", reached,
                       cores(best.point->threads, setting));
  } else if (same_count) {
    text = fmt::format("{} tie on {} at {}", list(models), cores(best.point->threads, setting), reached);
  } else {
    text = fmt::format("{} cores tie at {}", list(places), reached);
  }
  if (!study.slower.empty()) {
    const Choice& next = study.slower.front();
    text += fmt::format(", {} times as fast as {}", times(next.behind->value, next.behind->ci),
                        next.point->threads == best.point->threads
                            ? model_of(next)
                            : fmt::format("{} on {}", model_of(next), cores(next.point->threads, setting)));
  }
  return text;
}

// Which cores were left to measure.
std::string limit_clause(int largest, const Setting& setting) {
  if (largest >= setting.available) {
    return fmt::format("more cores than {} were not available to measure", largest);
  }
  return fmt::format("more than {} of the {} cores were not measured", largest, setting.available);
}

// How far the best model scales, and why no farther.
std::string scaling_clause(const CaseStudy& study, const Setting& setting) {
  const Curve& curve = *study.best->curve;
  const int enough = *study.enough_threads;
  const int largest = study.largest_count();
  const Point& there = *curve.at(enough);
  const std::string roof = roof_clause(study, setting, there);
  const std::string law = law_clause(curve, there);

  if (enough >= curve.points.back().threads) {
    std::string text = !roof.empty() ? "still " + roof : law;
    if (text.empty() && there.speedup->value / enough >= good_efficiency) {
      text = fmt::format("{:.0f} % efficient", 100 * there.speedup->value / enough);
    }
    return text + (text.empty() ? "" : "; ") + limit_clause(largest, setting);
  }

  const bool by_one = enough == 1;
  std::string text = fmt::format("{} stops paying after {}{}", study.tied.empty() ? "it" : curve.backend,
                                 by_one ? "1" : std::to_string(enough), fmt::format(" of {} cores", largest));
  if (enough != study.best->point->threads) text += fmt::format(" at {}×", number(there.speedup->value));
  const Point& last = curve.points.back();
  const Ratio fall = compare(*last.cell, *study.best->point->cell);
  if (fall.above_one(setting.noise()) && last.speedup) {
    text += fmt::format(" and falls to {}× on {}", number(last.speedup->value), last.threads);
  }
  if (!roof.empty()) return text + ": " + roof;
  if (!law.empty()) return text + ": " + law;
  return text + ", for a reason that neither the ceilings nor the laws show";
}

std::string one_core_clause(const CaseStudy& study, const Setting& setting) {
  const Point& sequential = *study.sequential;
  const Choice* parallel = study.best->curve != nullptr ? &*study.best : nullptr;
  for (const std::vector<Choice>* choices : {&study.tied, &study.slower}) {
    for (const Choice& choice : *choices) {
      if (choice.curve == nullptr) continue;
      if (parallel == nullptr || choice.point->speedup->value > parallel->point->speedup->value) parallel = &choice;
    }
  }
  const std::string roof = roof_clause(study, setting, sequential);
  if (study.largest_count() == 1) {
    std::string text =
        fmt::format("one core only, so there is nothing to scale: sequential takes {} ({} to {})",
                    duration(sequential.median_ns), duration(sequential.ci.low), duration(sequential.ci.high));
    if (!roof.empty()) text += ", " + roof;
    if (parallel != nullptr)
      text += fmt::format("; {} on one thread is at {}", model_of(*parallel), speedup_of(*parallel->point));
    return text + "; " + limit_clause(1, setting);
  }
  if (parallel == nullptr) return fmt::format("only sequential was measured, at {}", duration(sequential.median_ns));
  const bool tie = !parallel->behind || !parallel->behind->above_one(setting.noise());
  std::string text =
      fmt::format("stays on one core: no model beats sequential{} (best: {} on {} at {}×, {})",
                  tie ? " beyond the noise" : "", model_of(*parallel), cores(parallel->point->threads, setting),
                  number(parallel->point->speedup->value), range(parallel->point->speedup->ci));
  if (sequential.median_ns < too_short_ns) {
    text += fmt::format("; the call takes {}, too short for a fork-join", duration(sequential.median_ns));
  } else if (sequential.bound == Bound::memory && !roof.empty()) {
    text += "; one core is already " + roof;
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
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
      return group.model == cell->backend && group.reason == *cell->failure;
    });
    Group& group = same != groups.end() ? *same : groups.emplace_back(Group{cell->backend, *cell->failure, {}});
    group.threads.push_back(std::to_string(cell->threads));
  }
  std::vector<std::string> texts;
  for (const Group& group : groups) {
    texts.push_back(fmt::format("{} on {} ({})", group.model, list(group.threads), group.reason));
  }
  return texts.empty() ? "" : "failed and left out: " + list(texts);
}

std::string unstable_clause(const CaseStudy& study) {
  std::vector<std::string> texts;
  const auto look = [&](const std::string& model, const Point& point) {
    if (point.deviation < unstable_deviation) return;
    texts.push_back(fmt::format("{} on {} by {:.0f} %", model, point.threads, 100 * point.deviation));
  };
  if (study.sequential) look("sequential", *study.sequential);
  if (study.best->curve != nullptr) look(model_of(*study.best), *study.best->point);
  for (const Choice& choice : study.tied) {
    if (choice.curve != nullptr) look(model_of(choice), *choice.point);
  }
  return texts.empty() ? "" : "unstable, so trust the intervals alone: times vary (" + list(texts) + ")";
}

std::string peer_clause(const CaseStudy& study, const Setting& setting) {
  if (!study.fastest_peer_ratio || study.fastest_peer_ratio->rounds < fewest_for_95_percent) return {};
  if (!study.fastest_peer_ratio->above_one(setting.noise())) return {};
  const Point& peer = study.fastest_peer->point;
  return fmt::format("{} on {} is {}× faster ({})", peer.cell->backend, cores(peer.threads, setting),
                     number(study.fastest_peer_ratio->value), range(study.fastest_peer_ratio->ci));
}

std::string join(const std::vector<std::string>& clauses) {
  std::string text;
  for (const std::string& clause : clauses) {
    if (!clause.empty()) text += (text.empty() ? "" : "; ") + clause;
  }
  return text + ".";
}

}  // namespace

std::string verdict(const CaseStudy& study, const Setting& setting) {
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

  std::vector<std::string> clauses;
  if (study.best->curve == nullptr || study.largest_count() == 1) {
    clauses.push_back(one_core_clause(study, setting));
  } else {
    clauses.push_back(winner_clause(study, setting));
    clauses.push_back(scaling_clause(study, setting));
  }
  clauses.push_back(unstable_clause(study));
  clauses.push_back(peer_clause(study, setting));
  clauses.push_back(failures);
  return join(clauses);
}

}  // namespace speedwell::bench::analysis
