#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the lossy specs behind the link.   run.sh LINK LUA [SEED]
# Where the system does not permit it, this fails in CI (CI=true), and elsewhere
# only says so.
set -eu
link=$1 lua=$2 seed=${3:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}

if ! "$link" "$seed" true; then
  echo "make lossy cannot run here: it needs network namespaces (as root, or with" >&2
  echo "user namespaces), /dev/net/tun and ip of iproute2. Nothing was tested." >&2
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
echo "lossy: seed $seed (again: make lossy SEED=$seed)"

# Runs two halves at the same time, as they mostly wait, each with its own link.
half() {
  lua5.4 spec/tools/tally.lua "$link" "$seed" timeout $((240 + 5 * ${MIB:-0})) \
    "$lua" /usr/bin/busted --pattern="lossy_$1" spec/net
}
log=build/net/log ok=0
half '[hs]' >"$log" 2>&1 & # handshakes, streams
half '[^hs]' || ok=1
wait $! || ok=1
cat "$log"
exit $ok
