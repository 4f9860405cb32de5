#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles with musl's headers, to show that nothing is used that only glibc has.
# Does not link, as Debian has no OpenSSL built for musl.
#   musl.sh FOLDER LUA_CFLAGS SOURCE...
set -u
folder=$1 lua_cflags=$2
shift 2

# musl-gcc looks only in musl's own folder: the other headers are linked in here.
rm -rf "$folder"
mkdir -p "$folder/openssl"
ln -s /usr/include/zlib.h /usr/include/zconf.h /usr/include/linux \
  /usr/include/asm-generic "$folder/"
machine=/usr/include/$(cc -dumpmachine)
[ -d "$machine" ] || machine=/usr/include/$(cc -print-multiarch)
ln -s "$machine/asm" "$folder/"
for header in "$machine"/lua*.h "$machine"/zconf.h; do
  [ ! -e "$header" ] || ln -sf "$header" "$folder/"
done
ln -s /usr/include/openssl/*.h "$machine"/openssl/*.h "$folder/openssl/"

passed=0 failed=0
for source; do
  # shellcheck disable=SC2086 # several flags
  if musl-gcc -std=c11 -D_GNU_SOURCE -Icsrc -isystem "$folder" $lua_cflags -O2 \
    -Wall -Wextra -Wshadow -Wconversion -Werror -fPIC -fsyntax-only "$source"
  then passed=$((passed + 1))
  else failed=$((failed + 1)); echo "FAILED  $source"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
