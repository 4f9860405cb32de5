#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows where our echo server's CPU time goes:   profile.sh LUA [options of load]
# Uses perf where it works; otherwise counts instructions with valgrind's callgrind.
# The caller sets Lua's paths. Results are left in build/bench.
set -eu

lua=$1
shift
[ $# -gt 0 ] || set -- echo -c 50 -k 16 -s 125
out=build/bench
port=$out/profile.port
rm -f "$port"

wait_for_port() {
  tries=0
  until [ -s "$port" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "profile: the server does not start" >&2; exit 1; }
    sleep 0.1
  done
}

if command -v perf >/dev/null && perf record -o $out/perf.data -e cpu-clock true >/dev/null 2>&1
then
  perf record -q -F 5000 -g -e cpu-clock -o $out/perf.data \
    "$lua" spec/bench/echo.lua >"$port" &
  profiler=$!
  trap 'kill $profiler 2>/dev/null' EXIT
  wait_for_port
  $out/load "$@" -d 5 -p "$(cat "$port")"
  kill -INT $profiler
  wait $profiler 2>/dev/null || :
  trap - EXIT
  for columns in dso dso,symbol; do
    perf report -i $out/perf.data --no-children -g none --stdio --sort $columns \
      --percent-limit 0.4 2>/dev/null | grep -v '^#' | grep -v '^$'
  done
elif command -v valgrind >/dev/null; then
  rm -f $out/callgrind.out
  valgrind --tool=callgrind --callgrind-out-file=$out/callgrind.out \
    "$lua" spec/bench/echo.lua >"$port" 2>/dev/null &
  profiler=$!
  trap 'kill $profiler 2>/dev/null' EXIT
  wait_for_port
  $out/load "$@" -d 5 -p "$(cat "$port")"
  kill $profiler
  wait $profiler 2>/dev/null || :
  trap - EXIT
  callgrind_annotate $out/callgrind.out | head -60
else
  echo "profile: it needs perf (Debian: linux-perf) or valgrind" >&2
  exit 1
fi
