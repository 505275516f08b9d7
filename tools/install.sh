#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian 12: tools/install.sh build | test. Says what it installs, asks for nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:?build or test}

build_packages="gcc g++ make cmake ninja-build pkg-config ca-certificates libuv1-dev libhttp-parser-dev libsimdjson-dev
 libcmocka-dev libcurl4-openssl-dev libsqlite3-dev libsodium-dev libmaxminddb-dev libyaml-dev libpcre2-dev libssl-dev zlib1g-dev libzstd-dev"
run_packages="curl jq"
test_packages="chromium clang-14 libclang-rt-14-dev clickhouse-server clickhouse-client procps uap-core"
packages="$build_packages $run_packages"
[ "$what" = test ] && packages="$packages $test_packages"
# Node.js only bootstraps npm; anything from 18 on will do.
command -v npm >/dev/null || packages="$packages nodejs npm"

missing=""
for package in $packages; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "installing Debian packages:$missing"
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  log=$(mktemp)
  # Services of the packages (ClickHouse) are not started: tests start their own.
  if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
         apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "could not install the packages above" >&2
    exit 1
  fi
  rm -f "$log"
fi

# npm ci where the lock file is newer than what is installed. Debian's Node.js is too old for the engines that some
# packages ask for, and npm then leaves out their binaries; so npm runs on the Node.js that the first step installs.
arch=x64; [ "$(uname -m)" = aarch64 ] && arch=arm64
node=$PWD/node_modules/node-linux-$arch/bin/node
npm_cli=$(readlink -f "$(command -v npm)")
npm_install() {
  local dir=$1 why=$2
  [ -f "$dir/package-lock.json" ] || return 0
  [ "$dir/node_modules/.installed" -nt "$dir/package-lock.json" ] && return 0
  echo "installing npm packages: $why"
  local npm=npm
  [ -x "$node" ] && npm="$node $npm_cli"
  (cd "$dir" && $npm ci --no-audit --no-fund --loglevel=error >/dev/null && touch node_modules/.installed)
}
npm_install . "embedded ClickHouse, geography, user-agent rules, SDK, Node.js (about 300 MB to download)"
npm_install web "the dashboard's build"
[ "$what" = test ] && npm_install tests "players, API clients, browser driver"
exit 0
