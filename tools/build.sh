#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/build.sh PRESET [TARGET...]: installs what is missing and builds a preset of CMakePresets.json. Quiet unless
# something goes wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?preset}; shift
tools/install.sh build
dir=build; [ "$preset" = release ] || dir=build-$preset
# Again when cmocka has come since (make build or make demo first, make test later): unit tests must not be left out.
stale() { ! grep -q '^cmocka_FOUND:INTERNAL=1' "$dir/CMakeCache.txt" && pkg-config --exists cmocka; }
if [ ! -f "$dir/build.ninja" ] || stale; then
  mkdir -p "$dir"
  cmake --preset "$preset" -G Ninja >"$dir/configure.log" 2>&1 || { cat "$dir/configure.log" >&2; exit 1; }
fi
echo "building $dir"
ninja -C "$dir" --quiet "$@"
[ "$preset" != release ] || tools/share.sh "$dir"
