// SPDX-License-Identifier: Apache-2.0
#include "runtime/isa.hpp"

#include <hwy/detect_targets.h>

#include <cstdint>

#include "runtime/cpu_features.hpp"
#include "runtime/environment.hpp"
#include "runtime/once.hpp"

namespace speedwell {

namespace {

struct IsaEntry {
  Isa isa;
  std::string_view name;
  bool compiled;  // by this compiler, in this build
  // Whether the tests have run on a processor that has it, with all tiles: see bench/records/. An instruction set that
  // none has executed is chosen only when SPEEDWELL_ISA asks for it.
  bool trusted;
};

// Bit 29 is NEON without AES: from 1.0.4 on, Highway's name for the baseline of 64-bit ARM, which is what we compile.
constexpr std::int64_t neon = HWY_NEON | std::int64_t{1} << 29;

// In rising order.
constexpr IsaEntry isas[] = {
    {Isa::baseline, "baseline", true, true},
    {Isa::sse4, "sse4", (HWY_TARGETS & HWY_SSE4) != 0, true},
    {Isa::avx2, "avx2", (HWY_TARGETS & HWY_AVX2) != 0, true},
    {Isa::avx512, "avx512", (HWY_TARGETS & HWY_AVX3) != 0, true},
    {Isa::neon, "neon", (HWY_TARGETS & neon) != 0, false},
};

}  // namespace

std::string_view name(Isa isa) { return isas[static_cast<int>(isa)].name; }

namespace runtime {

std::vector<Isa> available_isas() {
  std::vector<Isa> available;
  for (const IsaEntry& entry : isas) {
    if (entry.compiled && cpu_has(entry.isa)) available.push_back(entry.isa);
  }
  return available;
}

Isa best_isa(const std::vector<Isa>& available) {
  Isa best = Isa::baseline;
  for (const Isa isa : available) {
    if (isas[static_cast<int>(isa)].trusted) best = isa;
  }
  return best;
}

Isa current_isa() {
  constinit static Once<Isa> isa;
  return isa.get([] {
    const std::vector<Isa> available = available_isas();
    return environment_isa(available).value_or(best_isa(available));
  });
}

}  // namespace runtime
}  // namespace speedwell
