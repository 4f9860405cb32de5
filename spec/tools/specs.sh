#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the specs below the given files and folders, each in a process of its own:
# in a single one the collector would walk over what all of them have left, at
# every full collection that a spec asks for.   specs.sh LUA PATH...
lua=$1
shift
ok=0
found=$(find "$@" -name '*_spec.lua') || exit 1
[ "$found" ] || { echo "specs.sh: no spec in $*"; exit 1; }
for spec in $(echo "$found" | sort); do
  echo "-- $spec"
  lua5.4 spec/tools/tally.lua timeout 300 "$lua" /usr/bin/busted "$spec" || ok=1
done
exit $ok
