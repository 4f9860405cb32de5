/* SPDX-License-Identifier: MIT */
/* The methods of ws.connection that send (send, ping and pong), and publish for
 * servers and their sockets. */
#include "lua/lua_send.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "bytes/utf8.h"
#include "lua/lua_link.h"
#include "lua/lua_util.h"

#include <string.h>

static int invalid_state(lua_State *L, const char *name) {
  return ws_lua_raise(L, "InvalidStateError", "%s: still in CONNECTING state",
                      name);
}

/* A Lua string kept in the registry until it has been written. */
typedef struct lender {
  lua_State *L; /* of the caller, for the call */
  int index;
  const ws_link *link; /* at index 1, which keeps it alive */
} lender;

typedef struct kept_string {
  ws_gate *gate; /* NULL: the reference was dropped at once */
  int reference;
} kept_string;

static void release_string(void *keeper) {
  kept_string *kept = keeper;
  if (kept->gate)
    luaL_unref(kept->gate->L, LUA_REGISTRYINDEX, kept->reference);
  ws_memory_free(kept);
}

static int make_reference(lua_State *L) {
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

/* Called inside the core, which no error may leave: luaL_ref may raise. */
static void *keep_string(void *argument) {
  lender *l = argument;
  kept_string *kept = ws_memory_new(sizeof *kept);
  if (!kept) return NULL;
  lua_pushvalue(l->L, lua_upvalueindex(1)); /* make_reference */
  lua_pushvalue(l->L, l->index);
  if (lua_pcall(l->L, 1, 1, 0) != LUA_OK) {
    lua_pop(l->L, 1);
    ws_memory_free(kept);
    return NULL;
  }
  kept->reference = (int)lua_tointeger(l->L, -1);
  lua_pop(l->L, 1);
  /* A hook may have closed the loop, which so could not drop it later. */
  kept->gate = l->link->handlers ? &l->link->loop->gate : NULL;
  if (!kept->gate) luaL_unref(l->L, LUA_REGISTRYINDEX, kept->reference);
  return kept;
}

/* The arguments of a message: [index] the data, [index + 1] the opcode. */
typedef struct message {
  ws_slice data;
  unsigned opcode;
  bool valid;  /* known to be UTF-8 */
  bool viewed; /* a view: it cannot be pinned */
} message;

static int no_message(lua_State *L, int index, const char *name) {
  if (lua_type(L, index) == LUA_TNONE)
    return ws_lua_raise(L, "TypeError", "%s: the data is missing", name);
  return ws_lua_raise(L, "TypeError", "%s: a string expected, got %s", name,
                      luaL_typename(L, index));
}

/* Fills in a view's message. Its opcode is the one it was received with, unless
 * another is given. */
static void take_view(lua_State *L, int index, const char *name, message *m) {
  const ws_view *view = ws_view_at(L, index);
  if (!view) {
    no_message(L, index, name);
    return;
  }
  bool given = !lua_isnoneornil(L, index + 1);
  m->opcode = given ? ws_lua_opcode(L, index + 1, name) : view->opcode;
  m->data = (ws_slice){view->data, view->len};
  m->valid = view->opcode == WS_TEXT;
  m->viewed = true;
}

/* Checks the arguments: S96, S97, S100. `told` is a text that is known to be
 * UTF-8. */
static inline message check_message(lua_State *L, int index,
                                    const char *name, const char *told) {
  message m = {{NULL, 0}, WS_TEXT, false, false};
  m.data.data = lua_tolstring(L, index, &m.data.len); /* of numbers, too */
  if (m.data.data) {
    m.opcode = ws_lua_opcode(L, index + 1, name);
    m.valid = m.data.data == told;
  } else {
    take_view(L, index, name, &m);
  }
  if (m.opcode == WS_TEXT && !m.valid &&
      !ws_utf8_valid((const uint8_t *)m.data.data, m.data.len))
    ws_lua_raise(L, "TypeError",
                 "%s: text is not UTF-8 (send it as \"binary\"?)", name);
  return m;
}

/* The text that the running handler was called with, known to be UTF-8. NULL
 * after the connection's last event, as its loop may be gone. */
static const char *told_text(const ws_link *link) {
  return link->handlers ? link->loop->gate.told : NULL;
}

/* The key at `index` as a string, without changing it. */
static const char *key_name(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index)
                                           : luaL_typename(L, index);
}

/* send(data, opcode, {compress = false}) */
static bool check_plain(lua_State *L) {
  if (lua_gettop(L) < 4 || lua_isnil(L, 4)) return false;
  if (!lua_istable(L, 4))
    ws_lua_raise(L, "TypeError", "send: a table of options expected, got %s",
                 luaL_typename(L, 4));
  for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1))
    if (strcmp(key_name(L, -2), "compress") != 0)
      ws_lua_raise(L, "TypeError",
                   "send: unknown option '%s' (there is 'compress')",
                   key_name(L, -2));
  return !ws_lua_field_bool(L, 4, "compress", true);
}

static int l_send(lua_State *L) {
  ws_link *link = ws_link_self(L, "send");
  message m = check_message(L, 2, "send", told_text(link));
  lender source = {L, 2, link};
  ws_send_how how = {check_plain(L), m.viewed ? NULL : keep_string,
                     release_string, &source};
  if (ws_connection_send(link->connection, m.opcode, m.data.data, m.data.len,
                         &how) == WS_EINVAL)
    return invalid_state(L, "send");
  lua_pushboolean(L, ws_connection_writable(link->connection));
  return 1;
}

static int control(lua_State *L, unsigned opcode, const char *name) {
  ws_link *link = ws_link_self(L, name);
  ws_slice data = {"", 0};
  if (!lua_isnoneornil(L, 2)) data = ws_lua_slice_of(L, 2, name);
  if (data.len > WS_CONTROL_MAX)
    return ws_lua_raise(L, "TypeError", "%s: at most 125 bytes, got %d", name,
                        (int)data.len);
  if (ws_connection_ping(link->connection, opcode, data.data, data.len) ==
      WS_EINVAL)
    return invalid_state(L, name);
  return 0;
}

static int l_ping(lua_State *L) { return control(L, WS_PING, "ping"); }
static int l_pong(lua_State *L) { return control(L, WS_PONG, "pong"); }

int ws_lua_publish(lua_State *L, ws_topics *(*topics_of)(lua_State *L),
                   const ws_connection *except) {
  ws_slice name = ws_lua_slice_of(L, 2, "publish: the topic");
  message m = check_message(L, 3, "publish", NULL);
  ws_topics *topics = topics_of(L);
  ptrdiff_t sent = 0;
  if (topics)
    sent = ws_topics_publish(topics, name, m.opcode, m.data.data, m.data.len,
                             except);
  if (sent < 0) return luaL_error(L, "not enough memory");
  lua_pushinteger(L, (lua_Integer)sent);
  return 1;
}

void ws_lua_fill_senders(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"ping", l_ping}, {"pong", l_pong}, {NULL, NULL}};
  ws_setfuncs(L, methods);
  lua_pushcfunction(L, make_reference);
  lua_pushcclosure(L, l_send, 1);
  lua_setfield(L, -2, "send");
}
