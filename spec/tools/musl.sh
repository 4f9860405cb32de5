#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles, and no more, with musl's headers: on Debian there is no OpenSSL for
# musl to link with, but nothing of glibc's alone may be used.
#   musl.sh FOLDER LUA_CFLAGS SOURCE...
set -u
folder=$1 lua_cflags=$2
shift 2

# musl-gcc looks nowhere but in musl's own folder: what else is needed is lent.
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
