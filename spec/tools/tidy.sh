#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs clang-tidy (with the checks of .clang-tidy) and cppcheck over the files.
#   tidy.sh FLAGS FILE...     Ends with "N passed, N failed", which count files.
set -u
flags=$1
shift
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# shellcheck disable=SC2016 # the inner shell's words
printf '%s\n' "$@" | FLAGS=$flags xargs -P2 -n1 sh -c \
  'clang-tidy --quiet "$1" -- $FLAGS 2>"/dev/null" || echo "clang-tidy: $1"' x >"$found"
cppcheck -q -j2 --std=c11 -D_GNU_SOURCE -D__linux__ -Icsrc --inline-suppr \
  --suppress=normalCheckLevelMaxBranches --enable=warning,performance,portability \
  --template='cppcheck: {file}:{line}: {message} [{id}]' \
  "$@" >>"$found" 2>&1

cat "$found"
failed=$(grep -c '^c[lp][a-z-]*: ' "$found")
echo "$((2 * $# - failed)) passed, $failed failed"
[ "$failed" = 0 ]
