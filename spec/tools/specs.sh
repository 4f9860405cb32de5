#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the specs in the given files and folders, each in a process of its own: in a
# single process, every full collection that a spec asks for would walk over what
# the specs before it have left. Shows what failed once more at the end, where one
# looks for it.   specs.sh LUA PATH...
lua=$1
shift
ok=0
found=$(find "$@" -name '*_spec.lua') || exit 1
[ "$found" ] || { echo "specs.sh: no spec in $*"; exit 1; }
WS_FAILURES=$(mktemp)
export WS_FAILURES
trap 'rm -f "$WS_FAILURES"' EXIT
for spec in $(echo "$found" | sort); do
  echo "-- $spec"
  lua5.4 spec/tools/tally.lua timeout 300 "$lua" /usr/bin/busted "$spec" || ok=1
done
[ $ok = 0 ] || cat "$WS_FAILURES"
exit $ok
