// SPDX-License-Identifier: Apache-2.0
// What each technique did when, from models.json: as plots, and as a part of the page.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/report/plots.hpp"

namespace speedwell::bench::report {

// A stretch of a task on a lane, which is a thread or a process.
struct TimelineBar {
  int task = 0, lane = 0;
  double begin_ns = 0, end_ns = 0;
  bool cpu = false;
};

// One technique on one nature.
struct Timeline {
  std::string technique, title;
  bool pinned = false;
  int workers = 1, in_flight = 0;
  double wall_ns = 0, speedup = 0, cores_busy = 0, switches = 0, start_up_ns = 0, spawn_ns = 0, peak_rss_bytes = 0;
  std::vector<TimelineBar> bars = {};
};

// All techniques on one nature.
struct TimelineGroup {
  std::string nature, title;
  std::vector<Timeline> timelines;
  // Where the common axis ends: what takes far longer than the fastest runs out of the picture.
  double shown_ns(bool pinned) const;
};

struct Models {
  int tasks = 0, cores = 0, delay_ms = 0;
  std::string cpu = {}, started = {}, reading = {};
  std::vector<TimelineGroup> groups = {};
  std::vector<std::string> left_out = {};
};
// Throws std::invalid_argument if that isn't a models.json.
Models parse_models(const nlohmann::json& json);

// Where a bar is drawn within its technique's lanes: from 0, the upper end, to the height in pixels.
struct LaneLayout {
  double height = 0;
  struct Span {
    double top = 0, bottom = 0;
  };
  std::vector<Span> lanes;
  std::vector<Span> bars;  // as in Timeline::bars
};
// Waits that overlap on one lane lie below each other in it; what computes fills the lane.
LaneLayout lay_out(const Timeline& timeline);

std::vector<Plot> models_plots(const Models& models);

// The page's section; `interactive` needs models_data().
std::string models_section(const Models& models);
nlohmann::json models_data(const Models& models);

// The page of a folder that has nothing else.
std::string make_models_page(const Models& models);

}  // namespace speedwell::bench::report
