#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh build|check|dev: runs the dashboard's tools on the Node that npm installed here, since Debian's is too old
# for them. build: generated catalogue, type check, bundle in dist/. dev: a server that proxies to FIRSTFRAME_URL.
set -eu
cd "$(dirname "$0")"
case "$(uname -m)" in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
node=node_modules/node-linux-$arch/bin/node
[ -x "$node" ] || node=node
"$node" generate.mjs
case "${1:-build}" in
  check) "$node" node_modules/typescript/bin/tsc --noEmit ;;
  dev) exec "$node" node_modules/vite/bin/vite.js ;;
  *)
    "$node" node_modules/typescript/bin/tsc --noEmit
    exec "$node" node_modules/vite/bin/vite.js build --logLevel warn
    ;;
esac
