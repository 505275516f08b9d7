#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks LAYERS: every #include "folder/..." of src/ is of the own folder or of one that its line allows.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
declare -A allowed
while IFS=: read -r folder list; do
  [[ $folder = \#* || -z $folder ]] && continue
  allowed[$folder]=" $folder $list "
done < LAYERS
while IFS=: read -r file line text; do
  from=${file#src/}; from=${from%%/*}
  [[ $from = main.c ]] && continue
  to=$(sed -E 's/.*#include "([^/"]+)\/.*/\1/' <<<"$text")
  if [[ -z ${allowed[$from]:-} ]]; then echo "$file: folder $from is not in LAYERS"; bad=1
  elif [[ ${allowed[$from]} != *" $to "* ]]; then echo "$file:$line: $from may not include $to"; bad=1
  fi
done < <(grep -rnE '^ *#include "[^"]+/' src --include='*.[ch]' --include='*.cc' --include='*.def')
exit $bad
