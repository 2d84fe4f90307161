// SPDX-License-Identifier: Apache-2.0
// A sweep's child with an engine that cheats, by the backend's name: "right", "nothing" never computes, "lazy" computes
// the first two calls only, "noisy" prints, "busy" leaves a thread spinning for 50 ms after each call.
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>
#include <utility>

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
  int threads_used(const Workload&) const override { return 1; }

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
  static void spin() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (std::chrono::steady_clock::now() < end) continue;
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
