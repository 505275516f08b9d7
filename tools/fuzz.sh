#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make fuzz SECONDS=60: every fuzz target for that long, from its committed corpus. Findings stay in build-fuzz/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
tools/install.sh test
tools/build.sh fuzz
status=0
for target in build-fuzz/fuzz/fuzz_*; do
  [ -x "$target" ] || continue
  name=$(basename "$target")
  corpus=$(echo tests/fuzz/*/corpus/"$name")
  work=build-fuzz/corpus/$name; mkdir -p "$work"
  echo "== $name, $seconds s"
  "$target" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="build-fuzz/$name-" "$work" $corpus 2>&1 |
    grep -E 'stat::number_of_executed_units|SUMMARY|ERROR' || status=1
done
exit $status
