// SPDX-License-Identifier: Apache-2.0
// Exit status 0 if this processor and this build have the instruction set named, else 77: CTest's word for "skipped".
#include <algorithm>
#include <cstdio>
#include <string_view>

#include <speedwell/error.hpp>
#include <speedwell/machine.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto& isas = speedwell::machine().isas;
    const auto has = [&](speedwell::Isa isa) { return speedwell::name(isa) == argv[1]; };
    if (std::ranges::any_of(isas, has)) return 0;
  } catch (const speedwell::InvalidArgument& error) {
    std::printf("%s\n", error.what());
  }
  std::printf("skipped: this processor or this build lacks %s\n", argv[1]);
  return 77;
}
