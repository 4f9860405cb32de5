#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds a small host program with build/ws.c in it, linked by a C++ compiler,
# once for each way to leave something out, and runs an echo in it. Of the tree,
# Lua's paths hold only build/ws.lua. Ends with "N passed, N failed".
set -u
cc=${CC:-cc}
lua=${LUA_PC:-lua5.4}
out=build/amalgamation
flags="-std=c11 -O1 -Wall -Wextra -Wshadow -Wconversion -Werror -Ibuild"
flags="$flags $(pkg-config --cflags "$lua")"
passed=0 failed=0

try() {
  name=$1 switches=$2 libs=$3
  # shellcheck disable=SC2086 # these are words
  if $cc $flags $switches -c build/ws.c -o "$out/ws-$name.o" &&
    $cc $flags -c spec/tools/amalgamation_host.c -o "$out/host.o" &&
    g++ "$out/host.o" "$out/ws-$name.o" -o "$out/host-$name" \
      $(pkg-config --libs "$lua") $libs -lpthread &&
    LUA_PATH="$PWD/build/?.lua" LUA_CPATH=/nowhere timeout 60 \
      "$out/host-$name" spec/tools/amalgamation_echo.lua "$switches"
  then passed=$((passed + 1))
  else failed=$((failed + 1)); echo "amalgamation: $name failed"
  fi
}

mkdir -p "$out"
tls="$(pkg-config --libs openssl)" zlib="$(pkg-config --libs zlib)"
try whole "" "$tls $zlib"
try no-tls "-DWS_NO_TLS" "$zlib"
try no-deflate "-DWS_NO_DEFLATE" "$tls"
try neither "-DWS_NO_TLS -DWS_NO_DEFLATE" ""
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
