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
# A dry run cannot tell whether there is something to do (the globs are dirty in it), so the first step says it.
ninja -C "$dir" "$@" | {
  said=""
  while IFS= read -r line; do
    case $line in
      "ninja: Entering directory"* | "ninja: no work to do." | "["*"] Re-checking globbed directories..." | "-- "*) ;;
      "["[0-9]*/[0-9]*"] "*) [ -n "$said" ] || echo "building $dir"; said=yes ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}
[ "$preset" != release ] || tools/share.sh "$dir"
