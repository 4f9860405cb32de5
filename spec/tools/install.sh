#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what groups of make's targets need on Debian and its derivatives:
# "build" for building, "test" for testing, and so on. On other systems it says
# what to install. Does nothing when all is there.   install.sh GROUP...
set -eu

build="gcc make pkg-config lua5.4 liblua5.4-dev libssl-dev zlib1g-dev openssl
ca-certificates"
# nginx's Lua module is built for luajit2, which is OpenResty's LuaJIT (see `names`).
test="lua-busted lua-check lua-socket lua-copas lua-cqueues lua-luaossl lua-luv neovim
luarocks curl nodejs npm python3 python3-websockets tinyproxy microsocks nginx
libnginx-mod-http-lua lua-nginx-websocket chromium faketime libasan8 libubsan1 luajit2
libluajit2-5.1-dev python3-aiohttp python3-tornado libmojolicious-perl
libio-socket-ssl-perl golang-go golang-github-gorilla-websocket-dev
golang-nhooyr-websocket-dev g++ libboost-dev libwebsockets-dev love"
luas="$test lua5.1 liblua5.1-0-dev lua-coxpcall lua5.2 liblua5.2-dev lua5.3
liblua5.3-dev"
bench="nodejs npm python3 python3-websockets libwebsockets-dev lua-http luajit2
libluajit2-5.1-dev"
musl="musl-tools"
docs="lua-ldoc lua-busted lua-socket"
windows="gcc-mingw-w64-x86-64 libz-mingw-w64-dev wine64 npm lua-luassert"
instructions="valgrind"
analysis="clang clang-tidy cppcheck valgrind lua-dkjson"
lossy="lua-busted lua-socket nodejs npm python3 python3-websockets iproute2"
fuzz="clang libclang-rt-dev" # these hold libFuzzer on Debian 12

groups=" build test luas bench docs fuzz lossy musl windows analysis instructions "
wanted=$build
for group in "${@:-}"; do
  case "$groups" in
    *" $group "*) eval "wanted=\"\$wanted \$$group\"" ;;
    *) echo "usage: install.sh GROUP... of$groups" >&2; exit 2 ;;
  esac
done

# From Debian 13 on, luajit2 has taken the place of luajit.
plain_name() { echo "$*" | sed 's/luajit2/luajit/g'; }

# A tool that works counts as installed, wherever it came from.
have() {
  case "$1" in
    gcc) command -v cc >/dev/null && command -v gcc >/dev/null ;;
    make | openssl | luarocks | nginx | chromium | curl) command -v "$1" >/dev/null ;;
    neovim) command -v nvim >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    npm) command -v npm >/dev/null ;;
    *luajit2*) dpkg-query -W -f '${Version}' "$(plain_name "$1")" 2>/dev/null \
      | grep -q openresty ;;
    *) return 1 ;;
  esac
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This system has no apt-get. Please install the equivalents of:" >&2
  echo "  $(echo "$wanted" | tr '\n' ' ')" >&2
  echo "Fedora: gcc make pkgconf lua lua-devel openssl-devel zlib-devel" >&2
  echo "Alpine: build-base pkgconf lua5.4 lua5.4-dev openssl-dev zlib-dev" >&2
  echo "macOS:  brew install lua openssl@3 pkg-config" >&2
  command -v "${LUA:-lua5.4}" >/dev/null && command -v pkg-config >/dev/null \
    && exit 0 # perhaps all is there: let the build say so
  exit 1
fi

missing=
for package in $wanted; do
  case " $missing " in *" $package "*) continue ;; esac
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
  [ "$state" = installed ] || have "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

# What is missing, as this system calls it.
names() {
  if LC_ALL=C apt-cache policy luajit2 | grep -q 'Candidate: [0-9]'; then echo "$missing"
  else plain_name "$missing"; fi
}

if [ "$(id -u)" = 0 ]; then sudo=
elif command -v sudo >/dev/null; then sudo=sudo
else
  echo "Please install, as root:" >&2
  echo "  apt-get install --no-install-recommends$(names)" >&2
  exit 1
fi

# A fresh machine may still be installing updates, so this waits for their lock.
apt() {
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 \
    -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1
}

# shellcheck disable=SC2046 # the words are package names
get_all() { apt -y --no-install-recommends install $(names); }

echo "Installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
get_all && exit 0
for pause in 0 10 30; do # the lists are old, or not there, or the network stumbles
  sleep "$pause"
  apt update && get_all && exit 0
done
cat "$log" >&2
exit 1
