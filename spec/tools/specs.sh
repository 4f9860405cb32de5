#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the specs below the given files and folders, each in a process of its own:
# in a single one the collector would walk over what all of them have left, at
# every full collection that a spec asks for.   specs.sh LUA PATH...
lua=$1
shift
ok=0
for spec in $(find "$@" -name '*_spec.lua' | sort); do
  echo "-- $spec"
  lua5.4 spec/tools/tally.lua timeout 300 "$lua" /usr/bin/busted "$spec" || ok=1
done
exit $ok
