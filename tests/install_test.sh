#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the library, moves the prefix, and builds and runs the outside projects of examples/ against it. Looks over
# what was installed: the archive's symbols, the flags it was built with, each public header by itself.
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
  pkg_config_path=$(dirname "$(find "$prefix" -name speedwell.pc)")
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
symbols_are_ours() {
  local symbols foreign
  symbols=$(nm -gC --defined-only "$archive" | grep -E '^[0-9a-f]+ [A-Za-z] ')
  grep -q ' T speedwell::matmul(' <<<"$symbols" || fail "nm doesn't find speedwell::matmul in $archive"
  foreign=$(grep -vE ' (typeinfo |vtable |guard variable |VTT |non-virtual thunk )?(name )?(for |to )?speedwell::' <<<"$symbols" |
    grep -vE '^[0-9a-f]+ [WuV] ' || true)
  [ -z "$foreign" ] || fail "symbols outside of namespace speedwell:"$'\n'"$foreign"
}

# One -m flag on one file, and functions from headers that all files share may end a program on an older processor.
no_machine_flags() {
  local commands
  commands=$(grep '"command"' "$build/compile_commands.json" | grep -E -- '-c [^ ]*/(runtime|kernels)/') ||
    fail "no library file in $build/compile_commands.json"
  ! grep -E -- ' -m[a-z]' <<<"$commands" || fail "the library files above are compiled with a -m flag"
}

headers_stand_alone() {
  local compiler header
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    for header in "$prefix"/include/speedwell/*.hpp; do
      echo "#include <speedwell/${header##*/}>" | quietly "$compiler" -std=c++20 -Wall -Wextra -Wpedantic -Werror \
        -fsyntax-only -I"$prefix/include" -x c++ -
    done
  done
}

install_and_move
symbols_are_ours
no_machine_flags
headers_stand_alone
version_is_checked
cmake_example eigen_find_package eigen_find_package -DCMAKE_PREFIX_PATH="$prefix"
pkg_config_example
# One instruction set's tiles are enough to see that the library builds there, and take a quarter of the time.
cmake_example add_subdirectory uses_add_subdirectory -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
  -DCMAKE_CXX_FLAGS=-DHWY_COMPILE_ONLY_STATIC
parent_is_left_alone
