#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/build.sh PRESET [TARGET...]: installs what is missing and builds a preset of CMakePresets.json. Quiet unless
# something goes wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?preset}; shift
tools/install.sh build
dir=build; [ "$preset" = release ] || dir=build-$preset
[ -f "$dir/build.ninja" ] || { echo "configuring $dir"; cmake --preset "$preset" -G Ninja >"/tmp/firstframe-configure.$$" || { cat "/tmp/firstframe-configure.$$" >&2; exit 1; }; rm -f "/tmp/firstframe-configure.$$"; }
echo "building $dir"
ninja -C "$dir" --quiet "$@"
