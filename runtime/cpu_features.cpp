// SPDX-License-Identifier: Apache-2.0
#include "runtime/cpu_features.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <cstdint>

namespace speedwell::runtime {

#if defined(__x86_64__) || defined(__i386__)

namespace {

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zero if the processor doesn't have the leaf.
Leaf cpuid(unsigned leaf) {
  Leaf value;
  __get_cpuid_count(leaf, 0, &value.eax, &value.ebx, &value.ecx, &value.edx);
  return value;
}

constexpr bool all(unsigned value, unsigned bits) { return (value & bits) == bits; }

constexpr unsigned bit(int i) { return 1u << i; }

// Which register states the operating system saves (XCR0). By its instruction's bytes, so that no file needs -mxsave.
std::uint64_t saved_states() {
  if (!all(cpuid(1).ecx, bit(27))) return 0;  // OSXSAVE: XGETBV may be executed
  std::uint32_t low = 0, high = 0;
  asm volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

// Intel's manual, volume 2A, CPUID, has the bits. The sets are those that Highway's targets are compiled with.
bool has_sse4() {
  constexpr unsigned ssse3_sse41_sse42 = bit(9) | bit(19) | bit(20);
  constexpr unsigned pclmul_aes = bit(1) | bit(25);
  return all(cpuid(1).ecx, ssse3_sse41_sse42 | pclmul_aes);
}

bool has_avx2() {
  constexpr unsigned fma_avx_f16c = bit(12) | bit(28) | bit(29);
  constexpr unsigned bmi1_avx2_bmi2 = bit(3) | bit(5) | bit(8);
  constexpr unsigned lzcnt = bit(5);
  constexpr std::uint64_t xmm_ymm = 0x6;
  return has_sse4() && (saved_states() & xmm_ymm) == xmm_ymm && all(cpuid(1).ecx, fma_avx_f16c) &&
         all(cpuid(7).ebx, bmi1_avx2_bmi2) && all(cpuid(0x80000001).ecx, lzcnt);
}

bool has_avx512() {
  constexpr unsigned f_dq_cd_bw_vl = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
  constexpr std::uint64_t xmm_ymm_zmm_masks = 0xe6;
  return has_avx2() && (saved_states() & xmm_ymm_zmm_masks) == xmm_ymm_zmm_masks && all(cpuid(7).ebx, f_dq_cd_bw_vl);
}

}  // namespace

bool cpu_has(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::sse4:
      return has_sse4();
    case Isa::avx2:
      return has_avx2();
    case Isa::avx512:
      return has_avx512();
    case Isa::neon:
      return false;
  }
  return false;
}

// AMD's manual, volume 3, appendix E.4. Intel's processors leave the first of the two empty.
std::size_t cache_bytes_by_cpuid(int level) {
  if (level == 1) return std::size_t{cpuid(0x80000005).ecx >> 24} << 10;
  if (level == 2) return std::size_t{cpuid(0x80000006).ecx >> 16} << 10;
  if (level == 3) return std::size_t{cpuid(0x80000006).edx >> 18} << 19;
  return 0;
}

#elif defined(__aarch64__)

// Advanced SIMD is part of every 64-bit ARM processor that runs a general-purpose system.
bool cpu_has(Isa isa) { return isa == Isa::baseline || isa == Isa::neon; }

std::size_t cache_bytes_by_cpuid(int) { return 0; }

#else

bool cpu_has(Isa isa) { return isa == Isa::baseline; }

std::size_t cache_bytes_by_cpuid(int) { return 0; }

#endif

}  // namespace speedwell::runtime
