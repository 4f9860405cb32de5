/* SPDX-License-Identifier: MIT */
/* Shows what Lua costs on this machine: an echo in C with a handler in Lua,
 * and nothing else. It has no limits and no timers, and checks nothing: it
 * assumes valid frames, valid UTF-8, a request in one piece, and a handler
 * that answers only the client it was called for.   bare echo */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp_server.h"

#define INPUT_SIZE ((size_t)512 * 1024)
#define TYPE "bare.client"

static const char handler[] =
    "return function(sock, data, opcode) sock:send(data, opcode) end";

enum { HANDLER = 1, TEXT, BINARY }; /* where they are on Lua's stack */

typedef struct bytes {
  uint8_t *all;
  size_t from, len, room; /* in use: `len` bytes from `from` on */
} bytes;

typedef struct client {
  int fd, self; /* a reference to its userdata */
  bool opened;
  bytes unfinished; /* frame */
  bytes unsent;
} client;

static lua_State *L;
static bytes input, output; /* of the client that is being served */

/* ------------------------------------------------------------------- bytes */

static void make_room(bytes *b, size_t more) {
  if (b->from > 0 && b->len > 0) memmove(b->all, b->all + b->from, b->len);
  b->from = 0;
  if (b->room - b->len >= more) return;
  b->room = 2 * b->len + more;
  b->all = realloc(b->all, b->room);
  if (!b->all) tcp_server_die();
}

static void append(bytes *b, const void *from, size_t len) {
  if (len == 0) return;
  if (b->room - b->from - b->len < len) make_room(b, len);
  memcpy(b->all + b->from + b->len, from, len);
  b->len += len;
}

static void take(bytes *b, size_t len) {
  b->len -= len;
  b->from = b->len > 0 ? b->from + len : 0;
}

/* ------------------------------------------------------------------ frames */

/* The lengths of header and payload; false until the header is whole. */
static bool decode(const uint8_t *at, size_t len, size_t *head, size_t *size) {
  if (len < 2) return false;
  size_t wide = (at[1] & 127) < 126 ? 0 : (at[1] & 127) == 126 ? 2 : 8;
  *head = 2 + wide + 4;
  *size = wide > 0 ? 0 : at[1] & 127;
  if (len < *head) return false;
  for (size_t i = 0; i < wide; i++) *size = *size << 8 | at[2 + i];
  return true;
}

static void unmask(uint8_t *payload, size_t size, const uint8_t *key) {
  uint64_t word, keys;
  memcpy(&keys, key, 4);
  memcpy((uint8_t *)&keys + 4, key, 4);
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    memcpy(&word, payload + i, 8);
    word ^= keys;
    memcpy(payload + i, &word, 8);
  }
  for (; i < size; i++) payload[i] ^= key[i & 3];
}

static size_t encode(uint8_t *head, uint8_t opcode, size_t size) {
  size_t wide = size < 126 ? 0 : size < 65536 ? 2 : 8;
  head[0] = 0x80 | opcode;
  head[1] = (uint8_t)(wide == 0 ? size : wide == 2 ? 126 : 127);
  for (size_t i = 0; i < wide; i++)
    head[2 + i] = (uint8_t)(size >> 8 * (wide - 1 - i));
  return 2 + wide;
}

/* --------------------------------------------------------------------- Lua */

static int l_send(lua_State *S) {
  uint8_t head[10];
  size_t size;
  luaL_checkudata(S, 1, TYPE);
  const char *data = luaL_checklstring(S, 2, &size);
  uint8_t opcode = luaL_checkstring(S, 3)[0] == 't' ? 1 : 2;
  append(&output, head, encode(head, opcode, size));
  append(&output, data, size);
  lua_pushboolean(S, 1);
  return 1;
}

static void start_lua(void) {
  L = luaL_newstate();
  if (!L) tcp_server_die();
  luaL_openlibs(L);
#ifdef LUA_GCGEN
  lua_gc(L, LUA_GCGEN, 0, 0); /* as the program lua5.4 does */
#endif
  luaL_newmetatable(L, TYPE);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_send);
  lua_setfield(L, -2, "send");
  lua_setfield(L, -2, "__index");
  lua_settop(L, 0);
  if (luaL_loadstring(L, handler) != 0) tcp_server_die();
  lua_call(L, 0, 1);
  lua_pushliteral(L, "text");
  lua_pushliteral(L, "binary");
}

/* The userdata that handlers get as socket is empty: it always means the
 * client that is being served. */
static int new_self(void) {
  lua_newuserdata(L, 0);
  luaL_getmetatable(L, TYPE);
  lua_setmetatable(L, -2);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* Calls the handler. `self` is on top of the stack, and stays there. */
static void tell(uint8_t opcode, const uint8_t *payload, size_t size) {
  lua_pushvalue(L, HANDLER);
  lua_pushvalue(L, -2);
  lua_pushlstring(L, (const char *)payload, size);
  lua_pushvalue(L, opcode == 1 ? TEXT : BINARY);
  if (lua_pcall(L, 3, 0, 0) == 0) return;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  exit(1);
}

/* ----------------------------------------------------------------- clients */

static void drop(void *gone) {
  client *c = gone;
  take(&output, output.len);
  close(c->fd);
  luaL_unref(L, LUA_REGISTRYINDEX, c->self);
  free(c->unfinished.all);
  free(c->unsent.all);
  free(c);
}

static void hold_back(client *c) {
  append(&c->unsent, output.all + output.from, output.len);
  take(&output, output.len);
}

/* Sends what the handler has sent, after what was still unsent. False when
 * the connection is gone. */
static bool flush(client *c) {
  bool was_blocked = c->unsent.len > 0;
  if (was_blocked) hold_back(c);
  bytes *due = was_blocked ? &c->unsent : &output;
  if (due->len == 0) return true;
  ssize_t sent = send(c->fd, due->all + due->from, due->len, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  take(due, sent > 0 ? (size_t)sent : 0);
  hold_back(c);
  bool blocked = c->unsent.len > 0;
  if (blocked != was_blocked) tcp_server_watch_writes(c->fd, c, blocked);
  return true;
}

/* Gives all whole messages to the handler; *done is how many bytes they were.
 * False at a Close. */
static bool tell_all(client *c, uint8_t *at, size_t len, size_t *done) {
  static const uint8_t close_frame[] = {0x88, 2, 3, 0xe8};
  size_t head, size;
  *done = 0;
  lua_rawgeti(L, LUA_REGISTRYINDEX, c->self);
  while (decode(at + *done, len - *done, &head, &size)) {
    uint8_t *frame = at + *done, opcode = frame[0] & 15;
    if (len - *done - head < size) break;
    if (opcode == 8) {
      lua_pop(L, 1);
      send(c->fd, close_frame, sizeof close_frame, MSG_NOSIGNAL);
      return false;
    }
    unmask(frame + head, size, frame + head - 4);
    tell(opcode, frame + head, size);
    *done += head + size;
  }
  lua_pop(L, 1);
  return true;
}

/* False when the connection is gone. */
static bool on_readable(void *readable) {
  client *c = readable;
  size_t done;
  input.len = 0;
  append(&input, c->unfinished.all, c->unfinished.len);
  make_room(&input, INPUT_SIZE);
  ssize_t got = recv(c->fd, input.all + input.len, INPUT_SIZE, 0);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  if (!c->opened) {
    c->opened = true;
    return tcp_server_welcome(c->fd);
  }
  input.len += (size_t)got;
  if (!tell_all(c, input.all, input.len, &done)) return false;
  c->unfinished.len = 0;
  append(&c->unfinished, input.all + done, input.len - done);
  return flush(c);
}

static bool on_writable(void *writable) { return flush(writable); }

static void *on_accepted(int fd) {
  client *c = calloc(1, sizeof *c);
  if (!c) tcp_server_die();
  c->fd = fd;
  c->self = new_self();
  return c;
}

int main(void) {
  static const tcp_server echo = {on_accepted, on_readable, on_writable, drop};
  start_lua();
  tcp_server_run(&echo);
}
