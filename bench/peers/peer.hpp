// SPDX-License-Identifier: Apache-2.0
// What a peer library's file offers to its program's main(), in peers/main.cpp.
#pragma once

#include "bench/cases/image_filter_case.hpp"
#include "bench/cases/matmul_case.hpp"
#include "bench/cases/reduce_case.hpp"
#include "bench/child/protocol.hpp"

namespace speedwell::bench {

// Libraries don't say how many threads took part, so the number set counts.
class Peer : public Engine {
 public:
  explicit Peer(int threads) : threads_(threads) {}
  int threads_used(const Workload&) const override { return threads_; }

 private:
  int threads_;
};

const char* peer_name();
Environment peer_environment(const ChildOptions& options);
std::unique_ptr<Engine> make_peer(const ChildOptions& options);

}  // namespace speedwell::bench
