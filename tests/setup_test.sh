#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cmake/setup.sh on machines that stubs make up: what it installs, what it says, how it ends. Touches no real package.
# shellcheck disable=SC2016  # the stubs' scripts are expanded where they run
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A machine: a PATH of the plain tools and these stubs. apt knows the packages in `known`; the calls of it land in `calls`.
new_machine() {
  rm -rf "${work:?}"/*
  mkdir -p "$work/project/cmake" "$work/bin"
  cp "$source/cmake/setup.sh" "$work/project/cmake"
  local tool
  for tool in awk bash cat df dirname env grep head mkdir nproc sort tail true wc; do ln -s "$(type -P $tool)" "$work/bin"; done
  stub id 'echo 0'
  stub cmake 'echo "cmake version 3.25.1"; echo "cmake $*" >>"$STUBS/calls"'
  stub dpkg-query 'grep -qxF "${!#}" "$STUBS/installed" && printf installed'
  printf 'g++\nlib-a\ntool-b\nlib-peer\n' >"$work/known"
  touch "$work/installed" "$work/calls"
}
stub() {  # name script
  rm -f "$work/bin/$1"  # it may be a link to the real tool, which must not be written to
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
with_apt() {
  stub apt-cache '[ -e "$STUBS/known" ] && grep -qxF "$2" "$STUBS/known"'
  stub apt-get 'echo "apt-get $* ($DEBIAN_FRONTEND)" >>"$STUBS/calls"; '"${1:-true}"
}

# Runs the script's text there, from another folder, with a table of packages of our own.
run_there() {
  status=0
  said=$(cd / && PATH=$work/bin STUBS=$work CI='' "$work/bin/bash" -euo pipefail -c '
    source "$STUBS/project/cmake/setup.sh"
    setup_packages() {
      echo "build lib-a header:nowhere/lib-a.h"
      echo "build tool-b command:tool-b"
      echo "peers? lib-peer header:nowhere/peer.h"
    }
    setup_begin try
    '"$1" 2>&1 </dev/null) || status=$?
}
expect() {  # what condition...
  local what=$1
  shift
  "$@" && return
  failures=$((failures + 1))
  printf 'FAILED: %s\n  exit %s, said:\n%s\n  called:\n%s\n' "$what" "$status" "$said" "$(cat "$work/calls")" >&2
}
says() { [[ $said == *"$1"* ]]; }
called() { grep -qE -- "$1" "$work/calls"; }
exits() { [ "$status" = "$1" ]; }
not() { ! "$@"; }

new_machine; with_apt; printf 'lib-a\n' >"$work/installed"; stub tool-b true; run_there 'setup_install build'
expect "all is there: succeeds" exits 0
expect "all is there: apt isn't called" not called apt-get
expect "all is there: says nothing" [ -z "$said" ]

new_machine; with_apt; printf 'lib-a\n' >"$work/installed"; run_there 'setup_install build'
expect "one is missing: it alone is installed" called '^apt-get .*install --no-install-recommends tool-b \(noninteractive\)$'
expect "one is missing: lists aren't fetched" not called update
expect "one is missing: succeeds" exits 0

new_machine; run_there 'setup_install build peers'
expect "no apt: exit 3" exits 3
expect "no apt: says what to install" says 'apt-get install --no-install-recommends lib-a tool-b lib-peer'

new_machine; printf 'lib-a\ntool-b\n' >"$work/installed"; run_there 'setup_install build peers; echo went on'
expect "no apt, only a peer is missing: goes on" says 'went on'
expect "no apt, only a peer is missing: says so" says 'going on without lib-peer'

new_machine; with_apt; stub id 'echo 1000'; run_there 'setup_install build'
expect "neither root nor sudo: exit 3" exits 3
expect "neither root nor sudo: says what to install" says 'apt-get install --no-install-recommends lib-a tool-b'

new_machine; with_apt; stub id 'echo 1000'; stub sudo '[ "$1" != -n ] || shift; echo "sudo" >>"$STUBS/calls"; exec "$@"'
run_there 'setup_install build'
expect "sudo: installs" called 'install --no-install-recommends lib-a tool-b'
expect "sudo: is used" called '^sudo$'

new_machine; with_apt 'case $* in *update) printf "g++\nlib-a\ntool-b\n" >"$STUBS/known" ;; esac'; rm "$work/known"
run_there 'setup_install build peers'
expect "empty lists: fetched first" [ "$(awk '{print $6}' "$work/calls" | head -n 2 | tr '\n' ' ')" = "update install " ]
expect "empty lists: succeeds" exits 0

new_machine; with_apt 'case $* in *lib-peer) echo "E: no such package"; exit 100 ;; esac'; run_there 'setup_install build peers; echo went on'
expect "a peer can't be had: goes on" says 'went on'
expect "a peer can't be had: says so" says 'going on without it'

new_machine; with_apt 'case $* in *install*) echo "E: the server is down"; exit 100 ;; esac'; run_there 'setup_install build; echo went on'
expect "apt fails: exit 3" exits 3
expect "apt fails: its words are shown" says 'the server is down'
expect "apt fails: ends" not says 'went on'

new_machine; stub cmake 'echo "cmake version 3.22.1"'; run_there 'setup_build release'
expect "old cmake: exit 3" exits 3
expect "old cmake: says which and what is wanted" says 'cmake 3.22.1 is what PATH finds'

new_machine; run_there 'setup_build release -DA=B'
expect "builds" exits 0
expect "configures the preset" called '^cmake --preset release -DA=B$'
expect "builds the preset" called '^cmake --build build/release -j [1-9]'

new_machine; stub cmake 'case $1 in --version) echo "cmake version 4.0.0" ;; --build) echo "x.cpp:1: error: y"; exit 7 ;; esac'
run_there 'setup_build release; echo went on'
expect "the build fails: exit 1" exits 1
expect "the build fails: the compiler's words are shown" says 'x.cpp:1: error: y'
expect "the build fails: the log is named" says "build/try.log"
expect "the build fails: ends" not says 'went on'

new_machine; stub df 'echo; echo "/dev/x 1 1 2048 1% /"'; run_there 'echo went on'
expect "disk full: exit 3" exits 3
expect "disk full: says how much there is" says '2 MB are free'

[ "$failures" = 0 ] || { echo "$failures failed" >&2; exit 1; }
