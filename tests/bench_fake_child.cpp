// SPDX-License-Identifier: Apache-2.0
// A sweep's child with an engine that cheats, by the backend's name: "right", "nothing" never computes, "lazy" computes
// the first two calls only, "noisy" prints, "busy" leaves a thread spinning after each call, "turns" has two threads
// take part in every other call.
#include <iostream>
#include <thread>
#include <utility>

#include <time.h>

#include "bench/child/protocol.hpp"

namespace speedwell::bench {
namespace {

class Cheat final : public Engine {
 public:
  explicit Cheat(std::string how) : how_(std::move(how)) {}

  std::string version() const override { return "1"; }
  std::string isa() const override { return ""; }
  std::string wait_policy() const override { return ""; }
  bool offers(const Case& which) const override { return which.kernel == "matmul"; }
  int threads_used(const Workload&) const override { return how_ == "turns" ? 1 + calls_ % 2 : 1; }

  std::function<void()> call(Workload& workload) override {
    return [this, &workload] {
      ++calls_;
      if (how_ == "noisy") std::cout << "{\"ok\": false}" << std::endl;
      if (how_ == "nothing" || (how_ == "lazy" && calls_ > 2)) return;
      workload.run(Sequential{});
      if (how_ == "busy") spinner_ = std::jthread(spin);
    };
  }

 private:
  // 20 ms of its own CPU time, so that a busy machine makes it no shorter.
  static void spin() {
    timespec used = {};
    while (used.tv_sec == 0 && used.tv_nsec < 20'000'000) ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  }

  std::string how_;
  int calls_ = 0;
  std::jthread spinner_;
};

}  // namespace
}  // namespace speedwell::bench

int main(int argc, char** argv) {
  using namespace speedwell::bench;
  return child_main(
      argc, argv, "right",
      [](const ChildOptions&) {
        return Environment{{"SPEEDWELL_TEST_CHILD", "settled"}};
      },
      [](const ChildOptions& options) { return std::make_unique<Cheat>(options.backend); });
}
