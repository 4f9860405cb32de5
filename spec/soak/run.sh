#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a server and a client in two processes for MINUTES, and judges what they
# exchanged and the server's use of memory.   run.sh LUA MINUTES COUNT SEED
# Ends with "N passed, N failed".
set -eu
lua=$1 minutes=$2 count=$3 seed=$4
folder=$(mktemp -d)
ulimit -n "$(ulimit -H -n)"
files=$(ulimit -n)
[ "$files" = unlimited ] || [ "$files" -ge $((count + 100)) ] || count=$((files - 100))

$lua spec/soak/server.lua build/certs/server.pem build/certs/leaf.key >"$folder/server" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$folder"' EXIT
tries=0
until [ -s "$folder/server" ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] && kill -0 $server || { echo "the server did not start"; exit 1; }
  sleep 0.1
done
read -r plain secure <"$folder/server"
seconds=$(awk "BEGIN { print $minutes * 60 }")
$lua spec/soak/client.lua "$seed" "$seconds" "$count" "ws://localhost:$plain/" \
  "wss://localhost:$secure/" build/certs/root.pem >"$folder/client" || :
sleep 3 # so that the server's last reports are without connections
lua5.4 spec/soak/verdict.lua "$folder/server" "$folder/client"
