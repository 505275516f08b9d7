#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rules that a machine can check: sizes of functions and files, banned words and calls, the layers.
set -uo pipefail
cd "$(dirname "$0")/.."
bad=0
say() { echo "$1"; bad=1; }
sources=$(find src engine -name '*.[ch]' -o -name '*.cc' | sort)
for file in $sources; do
  lines=$(wc -l < "$file")
  [[ $file = *.h && $lines -gt 250 ]] && say "$file: $lines lines in a header (250)"
  [[ $lines -gt 1000 ]] && say "$file: $lines lines (1000)"
  grep -q 'SPDX-License-Identifier: Apache-2.0' "$file" || say "$file: no SPDX line"
  awk -v f="$file" 'length($0) > 120 { print f ":" NR ": " length($0) " columns"; n++ } END { exit n > 0 }' "$file" || bad=1
done
# A function begins at a line with only "{" and ends at one with only "}".
for file in $(find src engine -name '*.c' | sort); do
  awk -v f="$file" '/^\{$/ { start = NR } /^\}$/ && start { if (NR - start - 1 > 70) { print f ":" start ": function of " NR - start - 1 " lines"; n++ } start = 0 }
    END { exit n > 0 }' "$file" || bad=1
done
grep -rnE '\b(strcpy|strcat|sprintf|gets|strtok|rand)\(' src engine --include='*.[ch]' && say "banned calls above"
grep -rnE '\b(TODO|FIXME|XXX|HACK)\b' src engine web/src tools tests --exclude-dir=node_modules --include='*.[ch]' --include='*.ts' --include='*.tsx' --include='*.mjs' --include='*.sh' | grep -v tools/tidy.sh && say "unfinished work above"
grep -rnE '\b(exit|printf|puts)\(' src --include='*.c' | grep -vE '^src/(cli/|main.c)|snprintf|vsnprintf|_exit|fprintf\(stderr, "bug' && say "exit or print outside cli above"
for page in docs/decisions/0*.md; do grep -q "($(basename "$page"))" docs/decisions/README.md || say "$page is not in docs/decisions/README.md"; done
# Every relative link of a document leads to a file.
for page in *.md docs/*.md docs/decisions/*.md; do
  for link in $(grep -oE '\]\([^)#:]+[)#]' "$page" | sed -E 's/^\]\(//; s/[)#]$//'); do
    [ -e "$(dirname "$page")/$link" ] || say "$page: there is no $link"
  done
done
tools/layers.sh || bad=1
tools/pages.sh --check || bad=1
exit $bad
