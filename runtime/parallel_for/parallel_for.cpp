// SPDX-License-Identifier: Apache-2.0
#include <speedwell/parallel_for.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <variant>

#include <speedwell/error.hpp>

#include "runtime/environment.hpp"
#include "runtime/parallel_for/parallel_for_blocks.hpp"
#include "runtime/picker/wisdom.hpp"

namespace speedwell {

namespace runtime {

namespace {

// What a loop's body does is anybody's guess.
constinit Kernel any_loop("parallel_for", "");

void check(std::string_view what, std::ptrdiff_t value) {
  if (value >= 0) return;
  throw InvalidArgument("parallel_for: " + std::string(what) + " is " + std::to_string(value) + ", expected 0 or more");
}

// Whether it is left to this loop to find out if several threads pay.
bool is_open(const Backend& backend) {
  if (!std::holds_alternative<Automatic>(backend)) return false;
  const auto from_environment = environment_backend();
  return !from_environment || std::holds_alternative<Automatic>(*from_environment);
}

// Does indices on the calling thread until it is clear that more threads pay, or all are done. Returns how many. Ever
// longer ranges, so that looking at the clock costs next to nothing and no index is waited for long.
std::ptrdiff_t begin_alone(const ParallelForBlocks& blocks) {
  using Clock = std::chrono::steady_clock;
  constexpr auto worth_a_fork = std::chrono::duration<double>(2 * assumed_fork_join_s);
  const auto begin = Clock::now();
  std::ptrdiff_t done = 0, wanted = std::max<std::ptrdiff_t>(blocks.grain, 1);
  while (done < blocks.count && Clock::now() - begin < worth_a_fork) {
    const std::ptrdiff_t taken = std::min(wanted, blocks.count - done);
    blocks.participants.note();
    blocks.body.call(blocks.body.body, done, done + taken);
    blocks.participants.back();
    done += taken;
    if (blocks.grain == 0) wanted *= 2;
  }
  return done;
}

}  // namespace

}  // namespace runtime

namespace detail {

void parallel_for(std::ptrdiff_t count, ErasedRangeBody body, const ParallelForOptions& options) {
  using namespace runtime;
  runtime::check("count", count);
  runtime::check("grain", options.grain);
  // As if it were large: what Automatic makes of that is reconsidered below.
  Choice choice = choose(any_loop, options.backend, {.flops = std::numeric_limits<double>::infinity()});
  if (count == 0) return record_run(choice, 0);

  Participants participants;
  ParallelForBlocks blocks = {0, count, options.grain, body, participants};
  if (choice.threads > 1 && is_open(options.backend)) {
    const std::ptrdiff_t done = begin_alone(blocks);
    blocks.first += done;
    blocks.count -= done;
    if (blocks.count == 0) return record_run({Sequential{}, 1, too_small}, participants);
  }
  choice.limit_threads(blocks.number(choice.threads));
  run_on(choice, participants, [&](auto model) { parallel_for_on(model, blocks); });
}

}  // namespace detail

}  // namespace speedwell
