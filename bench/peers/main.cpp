// SPDX-License-Identifier: Apache-2.0
// The main() of each peer's program. Compiled without a peer's instruction set flags, so that it can refuse.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include <speedwell/machine.hpp>

#include "bench/peers/peer.hpp"

namespace speedwell::bench {
namespace {

// Empty: the library looks at the processor by itself.
constexpr std::string_view needed = SPEEDWELL_PEER_ISA;

std::unique_ptr<Engine> make_checked_peer(const ChildOptions& options) {
  const auto& isas = machine().isas;
  if (!needed.empty() && std::none_of(isas.begin(), isas.end(), [](Isa isa) { return name(isa) == needed; })) {
    throw std::runtime_error("this processor has no " + std::string(needed) + ", which this program was built for");
  }
  return make_peer(options);
}

}  // namespace
}  // namespace speedwell::bench

int main(int argc, char** argv) {
  using namespace speedwell::bench;
  return child_main(argc, argv, peer_name(), peer_environment, make_checked_peer);
}
