# SPDX-License-Identifier: Apache-2.0
# Run at every build, as the commit may have changed since the configuration: writes OUTPUT, only if it differs.
#
#   cmake -D SOURCE=… -D OUTPUT=… -D COMPILER=… -D FLAGS=… -D LIBRARIES="TBB=2021.8|hwloc=2.9.0" -P build_info.cmake
set(commit unknown)
set(dirty false)
execute_process(COMMAND git -C "${SOURCE}" rev-parse --show-toplevel
  OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
# A tarball unpacked inside somebody else's checkout isn't that checkout.
file(REAL_PATH "${SOURCE}" source)
if(NOT failed AND top STREQUAL source)
  execute_process(COMMAND git -C "${SOURCE}" rev-parse HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND git -C "${SOURCE}" status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    set(dirty true)
  endif()
endif()

set(libraries "")
string(REPLACE "|" ";" pairs "${LIBRARIES}")
foreach(pair IN LISTS pairs)
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${pair}")
  if(matched)
    string(APPEND libraries "    {\"${CMAKE_MATCH_1}\", \"${CMAKE_MATCH_2}\"},\n")
  endif()
endforeach()

set(text "// SPDX-License-Identifier: Apache-2.0
// Written by bench/driver/build_info.cmake.
#include \"bench/driver/build_info.hpp\"

namespace speedwell::bench {

const BuildInfo& build_info() {
  static constexpr LibraryVersion libraries[] = {
${libraries}  };
  static constexpr BuildInfo info = {\"${commit}\", ${dirty}, \"${COMPILER}\", \"${FLAGS}\", libraries};
  return info;
}

}  // namespace speedwell::bench
")
set(before "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT before STREQUAL text)
  file(WRITE "${OUTPUT}" "${text}")
endif()
