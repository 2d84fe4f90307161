# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# From a bare machine to a build, for bench/run, tests/run and .ci/run, which source this file and then call
#
#   setup_begin bench/run          goes to the project's root; from here on Ctrl-C ends the script
#   setup_install build bench      installs what is missing of these groups
#   setup_build release -DX=Y      configures the preset and builds it
#
# Progress goes to stderr, one line a step; a step's own output goes to a log, and is shown where the step fails.
# Exit status 3: something that this script can't do by itself (packages, disk, an old cmake).

# Every package there is, once: group, Debian's name, and what tells that it is there though not as a package.
# A group's name with a `?` at the end: the build does without it, and says so.
setup_packages() {
  cat <<'TABLE'
build   g++                     command:c++
build   cmake                   command:cmake
build   ninja-build             command:ninja
build   pkg-config              command:pkg-config
build   libtbb-dev              header:tbb/task_arena.h
build   libhwy-dev              header:hwy/highway.h
build   libhwloc-dev            header:hwloc.h
build   libeigen3-dev           header:eigen3/Eigen/Core
build   libfmt-dev              header:fmt/format.h
bench   libbenchmark-dev        header:benchmark/benchmark.h
bench   libcli11-dev            header:CLI/CLI.hpp
bench   zlib1g-dev              header:zlib.h
build   nlohmann-json3-dev      header:nlohmann/json.hpp
bench   libasio-dev             header:asio.hpp
bench   libpng-dev              header:png.h
bench   libjpeg-dev             header:jpeglib.h
bench   gnuplot-nox             command:gnuplot
bench   libjs-chart.js          file:/usr/share/javascript/chart.js/chart.min.js
peers?  libopenblas-dev         header:openblas*/cblas.h
peers?  libblis-openmp-dev      header:blis-openmp/blis.h
peers?  libdnnl-dev             header:oneapi/dnnl/dnnl.h
peers?  libopencv-imgproc-dev   header:opencv4/opencv2/imgproc.hpp
tests   libgtest-dev            header:gtest/gtest.h
tests   libgmock-dev            header:gmock/gmock.h
tests   make                    command:make
neon    g++-aarch64-linux-gnu   command:aarch64-linux-gnu-g++
neon    qemu-user               command:qemu-aarch64
ci      clang                   command:clang++
ci      libclang-rt-dev         file:/nowhere
ci      libomp-dev              file:/nowhere
ci      chromium                command:chromium
ci      npm                     command:npm
ci?     clang-format-14         command:clang-format-14
TABLE
}

setup_fail() {  # status message...
  local status=$1
  shift
  printf '%s: %s\n' "$setup_name" "$*" >&2
  exit "$status"
}

setup_begin() {  # name
  setup_name=$1
  cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 3
  setup_log=build/${setup_name//\//-}.log
  { mkdir -p build && : >"$setup_log"; } 2>/dev/null || setup_fail 3 "can't write to $PWD/build; expected a folder of yours"
  # A build takes a third of this, one with debug information nearly all; running out half-way reads worse than this line.
  local free_mb
  free_mb=$(($(df -Pk build | awk 'NR == 2 {print $4}') / 1024))
  [ "$free_mb" -ge 500 ] || setup_fail 3 "$free_mb MB are free in $PWD/build, expected at least 500"
  trap 'printf "\n%s: interrupted\n" "$setup_name" >&2; exit 130' INT
  trap 'exit 143' TERM
}

# Runs a command as one step: its name, then its time. Where it fails, the end of what it said.
setup_step() {  # name command...
  local name=$1 start=$SECONDS status=0 from
  shift
  from=$(($(wc -c <"$setup_log") + 1))
  printf '%s: %-40s ' "$setup_name" "$name" >&2
  "$@" </dev/null >>"$setup_log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    printf 'failed after %d s\n' $((SECONDS - start)) >&2
    tail -c +"$from" "$setup_log" | tail -n 60 >&2
    # Of many tests' output, the end seldom says what failed.
    tail -c +"$from" "$setup_log" |
      grep -E -A 8 ': (Failure|error:|runtime error:)|ERROR: |WARNING: ThreadSanitizer' | head -n 40 >&2 || true
    setup_fail "${setup_status:-1}" "$name failed; all it said is in $PWD/$setup_log"
  fi
  printf '%4d s\n' $((SECONDS - start)) >&2
}

setup_is_there() {  # package probe
  local what=${2#*:} folder
  case $2 in
    command:*) command -v "$what" >/dev/null && return ;;
    file:*) [ -e "$what" ] && return ;;
    header:*)
      local IFS=':;'
      for folder in ${CPATH:-} ${CMAKE_PREFIX_PATH:-} /usr/local /usr; do
        compgen -G "$folder/$what" >/dev/null && return
        compgen -G "$folder/include/$what" >/dev/null && return
        compgen -G "$folder/include/*-linux-gnu/$what" >/dev/null && return
      done
      ;;
  esac
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

setup_apt() {  # apt-get's arguments
  "${setup_sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@"
}

# Packages among these that apt knows nothing of: its lists are empty, or the release hasn't them.
setup_unknown() {
  local package
  for package; do
    apt-cache show "$package" >/dev/null 2>&1 || echo "$package"
  done
}

setup_install() {  # group...
  local group package probe needed=() optional=()
  while read -r group package probe; do
    [[ " $* " == *" ${group%\?} "* ]] || continue
    setup_is_there "$package" "$probe" && continue
    if [[ $group == *\? ]]; then optional+=("$package"); else needed+=("$package"); fi
  done < <(setup_packages)
  [ $((${#needed[@]} + ${#optional[@]})) -gt 0 ] || return 0

  setup_sudo=()
  if ! command -v apt-get >/dev/null; then
    setup_missing "and this system has no apt-get"
  elif [ "$(id -u)" != 0 ]; then
    setup_sudo=(sudo)
    [ -t 0 ] || setup_sudo=(sudo -n)
    "${setup_sudo[@]}" true 2>/dev/null || setup_missing "and installing takes root, or sudo"
  fi
  [ $((${#needed[@]} + ${#optional[@]})) -gt 0 ] || return 0

  local setup_status=3
  # Every release has g++: where apt doesn't know it, apt's lists are empty.
  [ -z "$(setup_unknown g++ "${needed[@]}")" ] || setup_step "fetching the package lists" setup_apt update
  [ ${#needed[@]} = 0 ] || setup_step "installing ${#needed[@]} packages" setup_apt_install "${needed[@]}"
  for package in "${optional[@]}"; do
    # In a shell of its own, so that failing ends that shell only.
    (setup_step "installing $package, a peer" setup_apt_install "$package") || echo "$setup_name: going on without it" >&2
  done
}

# Once more with fresh lists if a version that the old ones name is gone from the server.
setup_apt_install() {  # package...
  setup_apt install --no-install-recommends "$@" ||
    { setup_apt update && setup_apt install --no-install-recommends "$@"; }
}

# What to do by hand, given the caller's `needed` and `optional`. Only packages that the build can't do without end it.
setup_missing() {  # why
  local all=("${needed[@]}" "${optional[@]}")
  if [ ${#needed[@]} -gt 0 ]; then
    printf '%s: not found: %s; %s\n' "$setup_name" "${all[*]}" "$1" >&2
    printf 'By their names on Debian 12 and 13:\n  apt-get install --no-install-recommends %s\n' "${all[*]}" >&2
    exit 3
  fi
  printf '%s: going on without %s, to compare with (%s)\n' "$setup_name" "${optional[*]}" "$1" >&2
  optional=()
}

setup_jobs() {
  # A tile file takes about 1 GB to compile; more jobs than that end in a killed compiler.
  awk -v cpus="$(nproc)" '/^MemAvailable/ {jobs = int($2 / 1048576)}
                          END {print jobs < 1 ? 1 : jobs < cpus ? jobs : cpus}' /proc/meminfo
}

setup_build() {  # preset cmake-argument...
  local preset=$1 wanted=3.25 version
  shift
  version=$(cmake --version | awk 'NR == 1 {print $3}')
  [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ] ||
    setup_fail 3 "cmake $version is what PATH finds ($(command -v cmake)); expected $wanted or newer"
  setup_step "configuring build/$preset" cmake --preset "$preset" ${CI:+-DSPEEDWELL_WERROR=ON} "$@"
  setup_step "building build/$preset" cmake --build "build/$preset" -j "$(setup_jobs)"
}
