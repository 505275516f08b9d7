#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes docs/metrics.md from metrics.def and dimensions.def, and the table of docs/api.md from routes.def; with --check only
# says whether they are current.
set -euo pipefail
cd "$(dirname "$0")/.."
metrics_page() {
  echo "# Metrics and dimensions"
  echo
  echo 'Made by `tools/pages.sh` from `src/query/metrics.def` and `src/query/dimensions.def`, the tables that the server answers from.'
  echo
  echo 'A view counts for a metric when it has a value `v`: a number, a predicate as 1 or 0, or a ratio `a/b` with `b > 0`. `avg` is the mean'
  echo 'of `v`, of a ratio Σa/Σb; `median` and `95th` are exact percentiles, interpolated linearly between the closest ranks; `95th` of a metric'
  echo 'where higher is better is its 5th. Durations are milliseconds, scores and percentages fractions 0..1, bitrates bit/s. The clock says'
  echo 'whether a view belongs to the time it ended or started. The scores are in [scores.md](scores.md).'
  echo
  echo '| metric | v (columns of a view) | population | clock | better | default | unit | meaning |'
  echo '|---|---|---|---|---|---|---|---|'
  awk -F', ' '/^METRIC\(/ {
    line = $0; sub(/^METRIC\(/, "", line); sub(/\)$/, "", line)
    match(line, /^[a-z_0-9]+/); id = substr(line, 1, RLENGTH); rest = substr(line, RLENGTH + 3)
    match(rest, /^[A-Z]+/); kind = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 4)
    n = split(rest, part, /", "?/); a = part[1]; b = part[2]; pop = part[3]; tail = part[4]; match(tail, /"[^"]*/); meaning = substr(tail, RSTART + 1, RLENGTH - 1)
    split(tail, t, ", ")
    v = kind == "RATIO" ? a " / " b : a
    printf "| `%s` | `%s` | %s | %s | %s | %s | %s | %s |\n", id, v, pop == "1" ? "" : "`" pop "`", tolower(t[1]), tolower(t[2]), tolower(t[3]), tolower(t[4]), meaning
  }' src/query/metrics.def
  echo
  echo '## Other names'
  echo
  sed -nE 's/^ALIAS\(([a-z_0-9]+), ([a-z_0-9]+)\)$/- `\1` is `\2`/p' src/query/metrics.def
  echo
  echo '## Dimensions'
  echo
  echo 'For `group_by`, `filters[]` and `GET /data/v1/dimensions/{id}`, in the order of `GET /data/v1/dimensions`.'
  echo
  echo '| dimension | type |'
  echo '|---|---|'
  sed -nE 's/^DIMENSION\(([a-z_0-9]+), [^,]+, ([A-Z]+),.*/| `\1` | \L\2 |/p' src/query/dimensions.def
}
# The page as it is, but for the rows of its table of routes.
api_page() {
  sed '/^|---|---|---|---|$/q' docs/api.md
  awk -F'"' 'FNR == NR { if (/^PERMISSION\(/) { split($1, p, /[(,]/); text[p[2]] = "`" $2 "`" } next }
    BEGIN { text["OPEN"] = "none"; text["ANY"] = "any credential"; text["PERSON"] = "a signed-in person" }
    /^ROUTE\(/ { split($1, method, /[(,]/); split($3, what, /, */); if (!(what[2] in text)) { print "no permission: " $0 > "/dev/stderr"; exit 1 }
      printf "| %s | `%s` | %s | %s |\n", method[2], $2, text[what[2]], $6 }' src/accounts/permissions.def src/api/routes.def
  sed '1,/^|---|---|---|---|$/d; /^|/d' docs/api.md
}
for page in metrics api; do
  text=$("${page}_page"; echo .) && text=${text%.}
  if [ "${1:-}" != --check ]; then printf %s "$text" > "docs/$page.md"
  elif ! printf %s "$text" | cmp -s - "docs/$page.md"; then
    echo "docs/$page.md is not what tools/pages.sh makes"
    exit 1
  fi
done
