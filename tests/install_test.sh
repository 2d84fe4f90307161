#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the library, moves the prefix, and builds and runs the outside projects of examples/ against it. Looks over
# what was installed: the archives' symbols, the flags they were built with, each public header by itself.
#
#   install_test.sh BUILD-FOLDER COMPILER
set -euo pipefail

build=$1
export CXX=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
prefix=$work/moved

finish() {
  local status=$?
  rm -rf "$work"
  exit $status
}
trap finish EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# Runs a command; its output is shown only where it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$*"; }
}

install_and_move() {
  quietly cmake --install "$build" --prefix "$work/first"
  mv "$work/first" "$prefix"
  ! grep -rlF "$work/first" "$prefix" || fail "the files above name the prefix they were installed to"
  ! grep -rlF "$source" "$prefix/lib" --include='*.cmake' --include='*.pc' || fail "the files above name the source folder"
  archive=$(find "$prefix" -name libspeedwell.a)
  bench_archive=$(find "$prefix" -name libspeedwell_bench.a)
  pkg_config_path=$(dirname "$(find "$prefix" -name speedwell.pc)")
}

cmake_build() {  # name source
  quietly cmake -S "$2" -B "$work/$1" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build "$work/$1"
}

cmake_example() {  # folder executable cmake-argument...
  local name=$1
  quietly cmake -S "$source/examples/$name" -B "$work/$name" -G Ninja "${@:3}"
  quietly cmake --build "$work/$name" --target "$2"
  echo "examples/$name:"
  "$work/$name/$2"
}

pkg_config_example() {
  cp -r "$source/examples/pkg_config" "$work"
  PKG_CONFIG_PATH=$pkg_config_path quietly make -C "$work/pkg_config" CXX="$CXX"
  echo "examples/pkg_config:"
  "$work/pkg_config/blur"
}

# C, by CMake without C++ and by pkg-config. The library is found by its version's name, which is all that it exports.
c_example() {
  local library
  library=$(find "$prefix" -name libspeedwell_c.so)
  quietly cmake -S "$source/examples/c_api" -B "$work/c_api" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build "$work/c_api"
  echo "examples/c_api:"
  "$work/c_api/edges"
  cp -r "$source/examples/c_api" "$work/c_api_make"
  PKG_CONFIG_PATH=$pkg_config_path quietly make -C "$work/c_api_make" edges
  LD_LIBRARY_PATH=$(dirname "$library") quietly "$work/c_api_make/edges"
  readelf -d "$library" | grep -qE 'SONAME.*\[libspeedwell_c\.so\.[0-9]+\.[0-9]+\]' || fail "$library has another soname"
}

# Another version of the package, or another interface version, must be refused.
version_is_checked() {
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(v CXX)\nfind_package(speedwell 0.0.1 REQUIRED)\n' >"$work/CMakeLists.txt"
  ! cmake -S "$work" -B "$work/version" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 ||
    fail "find_package(speedwell 0.0.1) took another interface"
  grep -q 'version "0.0.1"' "$work/log" || { cat "$work/log" >&2; fail "find_package(speedwell 0.0.1): another error"; }
}

# A parent project sees none of our flags, options or tests.
parent_is_left_alone() {
  local flags
  flags=$(grep -A9 '"command"' "$work/add_subdirectory/compile_commands.json" | grep 'main.cpp')
  [[ $flags != *-Wall* && $flags != *-ffp-contract* && $flags != *-fvisibility* && $flags != *-fopenmp* && $flags != *HWY_DISABLED* ]] ||
    fail "flags of ours reach the parent project: $flags"
  [ ! -d "$work/add_subdirectory/speedwell/tests" ] || fail "our tests are configured in a parent project"
  [ ! -d "$work/add_subdirectory/speedwell/bench" ] || fail "our bench is configured in a parent project"
}

# Hidden visibility doesn't keep apart what is linked from archives: names do. Inline functions of the standard library
# and of Highway are merged by the linker (W, u, V); all else must be ours.
symbols_are_ours() {  # archive function
  local symbols foreign
  symbols=$(nm -gC --defined-only "$1" | grep -E '^[0-9a-f]+ [A-Za-z] ')
  grep -qE " [TW] $2\(" <<<"$symbols" || fail "nm doesn't find $2 in $1"
  foreign=$(grep -vE ' (typeinfo |vtable |guard variable |VTT |non-virtual thunk )?(name )?(for |to )?speedwell::' <<<"$symbols" |
    grep -vE '^[0-9a-f]+ [WuV] ' || true)
  [ -z "$foreign" ] || fail "$1: symbols outside of namespace speedwell:"$'\n'"$foreign"
}

# One -m flag on one file, and functions from headers that all files share may end a program on an older processor.
no_machine_flags() {
  local commands
  commands=$(grep '"command"' "$build/compile_commands.json" | grep -E -- '-c [^ ]*/(runtime|kernels)/') ||
    fail "no library file in $build/compile_commands.json"
  ! grep -E -- ' -m[a-z]' <<<"$commands" || fail "the library files above are compiled with a -m flag"
}

# Who doesn't ask for the bench component needs nothing of what it needs, and who asks for one that isn't there is told.
components_are_apart() {
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(c CXX)\nfind_package(speedwell %s)\n%s\n' "REQUIRED" \
    'if(TARGET speedwell::bench OR fmt_FOUND OR Eigen3_FOUND)
message(FATAL_ERROR "more than was asked for")
endif()' >"$work/CMakeLists.txt"
  quietly cmake -S "$work" -B "$work/alone" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(c CXX)\nfind_package(speedwell REQUIRED COMPONENTS gpu)\n' \
    >"$work/CMakeLists.txt"
  ! cmake -S "$work" -B "$work/missing" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 ||
    fail "find_package(speedwell COMPONENTS gpu) found something"
  grep -q "no component 'gpu'" "$work/log" || { cat "$work/log" >&2; fail "COMPONENTS gpu: another error"; }
}

# One file of a user's with the whole sweep: each model is measured, and there are verdicts and a report. No time is
# looked at.
own_kernel_is_measured() {
  local run=$work/run program=$work/bring_your_own_kernel/bring_your_own_kernel model
  cmake_build bring_your_own_kernel "$source/examples/bring_your_own_kernel"
  [ "$(wc -l <"$source/examples/bring_your_own_kernel/main.cpp")" -le 40 ] || fail "the example has more than 40 lines"
  (cd "$work" && quietly "$program" heat/f32/64 heat/f32/512 --threads 1,2 --rounds 2 --budget 20 --output "$run")
  [ -s "$run/report.html" ] || fail "no report.html"
  grep -q '"verdict":' "$run/analysis.json" || fail "analysis.json holds no verdict"
  for model in sequential/1 threads/2 openmp/2 tbb/2; do
    grep -q "^{\"kind\":\"sample\",.*\"cell\":\"heat/f32/512/$model\"" "$run/journal.jsonl" ||
      model_is_missing "$model" || fail "no sample of heat/f32/512/$model"
  done
  grep -q '"cell":"ceiling/' "$run/journal.jsonl" || fail "no ceilings were measured"
  "$program" --list >"$work/log" 2>/dev/null || fail "$program --list"
  ! grep -v '^\(heat\|ceiling\)/' "$work/log" || fail "the cells above are not this program's"
  (cd "$work" && quietly "$program" report "$run")
  "$program" machine --no-ceilings | grep -q '^physical cores' || fail "$program machine"
  (cd "$work" && ! "$program" heat/f32/63 >"$work/log" 2>&1) || fail "an unknown case was taken"
  grep -q "^bring_your_own_kernel: no case matches 'heat/f32/63', did you mean" "$work/log" ||
    { cat "$work/log" >&2; fail "an unknown case: another message"; }
  echo "examples/bring_your_own_kernel:"
  sed -n 's/^ *"verdict": *\(.*\)$/  \1/p' "$run/analysis.json" | head -1
}

# A model that this build lacks.
model_is_missing() {
  case $1 in
    openmp/*) ! grep -q '^SPEEDWELL_OPENMP:BOOL=ON' "$build/CMakeCache.txt" ;;
    tbb/*) ! grep -q '^SPEEDWELL_TBB:BOOL=ON' "$build/CMakeCache.txt" ;;
    *) false ;;
  esac
}

# A kernel that computes something else is a failed cell, and the status says so.
wrong_kernel_fails() {
  local status=0
  mkdir "$work/wrong_source"
  cp "$source"/examples/bring_your_own_kernel/* "$work/wrong_source"
  sed -i 's/0\.25f \*/0.26f */' "$work/wrong_source/main.cpp"
  ! cmp -s "$source/examples/bring_your_own_kernel/main.cpp" "$work/wrong_source/main.cpp" || fail "no fault was planted"
  cmake_build wrong "$work/wrong_source"
  (cd "$work" && "$work/wrong/bring_your_own_kernel" heat/f32/64 --threads 1 --rounds 1 --no-report --output "$work/wrong_run") \
    >"$work/log" 2>&1 || status=$?
  [ "$status" -eq 1 ] && grep -q 'failed heat/f32/64/threads/1: wrong result: element' "$work/log" ||
    { cat "$work/log" >&2; fail "a wrong kernel: status $status, expected 1 and what is wrong"; }
}

headers_stand_alone() {
  local compiler header language
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    for header in "$prefix"/include/speedwell/*.hpp; do
      echo "#include <speedwell/${header##*/}>" | quietly "$compiler" -std=c++20 -Wall -Wextra -Wpedantic -Werror \
        -fsyntax-only -I"$prefix/include" -x c++ -
    done
  done
  [ -e "$prefix/include/speedwell.h" ] || return 0
  for language in c99 c++20; do
    echo "#include <speedwell.h>" | quietly "$CXX" -std=$language -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
      -I"$prefix/include" -x "${language%%[0-9]*}" -
  done
}

install_and_move
symbols_are_ours "$archive" speedwell::matmul
no_machine_flags
headers_stand_alone
version_is_checked
components_are_apart
cmake_example eigen_find_package eigen_find_package -DCMAKE_PREFIX_PATH="$prefix"
cmake_example parallel_reduce parallel_reduce -DCMAKE_PREFIX_PATH="$prefix"
pkg_config_example
if [ -e "$prefix/include/speedwell.h" ]; then c_example; fi
if [ -n "$bench_archive" ]; then
  symbols_are_ours "$bench_archive" speedwell::bench::main
  own_kernel_is_measured
  wrong_kernel_fails
fi
# One instruction set's tiles are enough to see that the library builds there, and take a quarter of the time.
cmake_example add_subdirectory uses_add_subdirectory -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
  -DCMAKE_CXX_FLAGS=-DHWY_COMPILE_ONLY_STATIC
parent_is_left_alone
