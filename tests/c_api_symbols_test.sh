#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the C library exports is what its header declares: no function is missing, and nothing else is to be seen.
#
#   c_api_symbols_test.sh LIBRARY HEADER NM
set -euo pipefail

exported=$("$3" -D --defined-only "$1" | awk '{print $NF}' | sort)
# A declaration begins at a line's start; the helpers that the header defines are static.
declared=$(grep -E '^(speedwell_status|speedwell_run|const char ?\*) ?\*?speedwell_[a-z0-9_]+\(' "$2" |
  grep -oE 'speedwell_[a-z0-9_]+\(' | tr -d '(' | sort)

[ "$(wc -w <<<"$declared")" -ge 20 ] || { printf 'FAILED: few declarations found in %s:\n%s\n' "$2" "$declared"; exit 1; }
if ! difference=$(diff <(echo "$declared") <(echo "$exported")); then
  printf 'FAILED: %s declares (<) what %s does not export (>)\n%s\n' "$2" "$1" "$difference"
  exit 1
fi
