#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench/race_matmul's cases and its answers to wrong use; it measures nothing here.
set -euo pipefail

race=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/bench/race_matmul
failures=0
check() {  # what command...
  local what=$1
  shift
  "$@" || { echo "failed: $what"; failures=$((failures + 1)); }
}
refuses() {  # message arguments...
  local message=$1 status=0 said
  shift
  said=$("$race" "$@" 2>&1 >/dev/null) || status=$?
  check "status of $*: $status" [ "$status" = 2 ]
  check "'$said' has '$message'" grep -qF -- "$message" <<<"$said"
}

one=$("$race" --list --seed 1)
check "the same seed draws the same" [ "$one" = "$("$race" --list --seed 1)" ]
check "another seed draws others" [ "$one" != "$("$race" --list --seed 2)" ]
check "44 shapes and 4 layouts of 3, in two types" [ "$(wc -l <<<"$one")" = 112 ]
check "no case stands twice" [ "$(sort -u <<<"$one" | wc -l)" = 112 ]
many=$("$race" --list --seed 3 --random 200 --types f64 --no-layouts)
check "as many as asked for" [ "$(wc -l <<<"$many")" = 218 ]
check "within bounds" awk -F'[/x]' '
  { m = $3; n = $4; k = $5; if (m < 1 || n < 1 || k < 1 || m > 4096 || n > 4096 || k > 4096 || m * n * k > 1e10) bad = 1 }
  m == 1 || n == 1 || k == 1 { ++ones }
  m <= 64 && n <= 64 && k <= 64 { ++small }
  m > 500 && n > 500 && k > 500 { ++large }
  END { exit bad || ones < 20 || small < 30 || large < 2 }' <<<"$many"
check "the drawn numbers" [ "$("$race" --list --seed 3 --random 2 --types f32 --no-layouts | tail -n 2 | paste -sd' ')" = \
  "matmul/f32/3x5x2 matmul/f32/71x1x13" ]
check "named cases alone" [ "$("$race" --list --seed 1 matmul/f32/5x6x7)" = matmul/f32/5x6x7 ]

parts=$(for part in 1/3 2/3 3/3; do "$race" --list --seed 1 --part $part; done)
check "the parts are the whole" [ "$(sort <<<"$parts")" = "$(sort <<<"$one")" ]
check "and none of them is all" [ "$("$race" --list --seed 1 --part 3/3 | wc -l)" = 37 ]

refuses "--part 3/2, expected" --part 3/2
refuses "is none, expected fewer parts" --seed 1 --part 2/2 matmul/f32/5x6x7
refuses "unknown option '--fast'" --fast
refuses "--seed needs a value" --seed
refuses "--seed -1, expected a number" --seed -1
refuses "--random many, expected a number" --random many
refuses "--rounds 0, expected a number" --rounds 0
refuses "--types f16, expected" --types f16
status=0
"$race" --seed 1 --build /nowhere 2>/dev/null || status=$?
check "no build: status $status" [ "$status" = 3 ]

[ "$failures" = 0 ]
