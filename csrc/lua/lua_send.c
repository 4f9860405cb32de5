/* SPDX-License-Identifier: MIT */
/* The methods of ws.connection that send: send, ping, pong. */
#include "bytes/memory.h"
#include "bytes/status.h"
#include "bytes/utf8.h"
#include "lua/lua_link.h"
#include "lua/lua_util.h"

static int invalid_state(lua_State *L) {
  return ws_lua_raise(L, "InvalidStateError", "still in CONNECTING state");
}

/* A Lua string kept in the registry until it has been written. */
typedef struct lender {
  lua_State *L; /* of the caller, for the call */
  int index;
  ws_gate *gate;
} lender;

typedef struct kept_string {
  ws_gate *gate;
  int reference;
} kept_string;

static void release_string(void *keeper) {
  kept_string *kept = keeper;
  if (kept->gate->L)
    luaL_unref(kept->gate->L, LUA_REGISTRYINDEX, kept->reference);
  ws_memory_free(kept);
}

static int make_reference(lua_State *L) {
  lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
  return 1;
}

/* luaL_ref may raise: not from inside the core. */
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
  kept->gate = l->gate;
  kept->reference = (int)lua_tointeger(l->L, -1);
  lua_pop(l->L, 1);
  return kept;
}

static int no_message(lua_State *L) {
  if (lua_type(L, 2) == LUA_TNONE)
    return ws_lua_raise(L, "TypeError", "send: the data is missing");
  return ws_lua_raise(L, "TypeError", "send: a string expected, got %s",
                      luaL_typename(L, 2));
}

/* The text being told to a handler, known to be UTF-8. NULL after the
 * connection's last event: its loop may be gone. */
static const char *told_text(const ws_link *link) {
  return link->handlers ? link->loop->gate.told : NULL;
}

/* The message at [2], its opcode at [3], checked: S96, S97, S100. */
static ws_slice check_message(lua_State *L, const ws_link *link,
                              unsigned *opcode) {
  ws_slice data = {NULL, 0};
  data.data = lua_tolstring(L, 2, &data.len); /* of numbers, too */
  if (!data.data) no_message(L);
  *opcode = ws_lua_opcode(L, 3);
  if (*opcode == WS_TEXT && data.data != told_text(link) &&
      !ws_utf8_valid((const uint8_t *)data.data, data.len))
    ws_lua_raise(L, "TypeError",
                 "send: text is not UTF-8 (send it as \"binary\"?)");
  return data;
}

/* send(data, opcode, {compress = false}) */
static bool check_plain(lua_State *L) {
  if (lua_gettop(L) < 4 || lua_isnil(L, 4)) return false;
  if (!lua_istable(L, 4))
    ws_lua_raise(L, "TypeError", "send: a table of options expected, got %s",
                 luaL_typename(L, 4));
  return !ws_lua_field_bool(L, 4, "compress", true);
}

static int l_send(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  unsigned opcode;
  ws_slice data = check_message(L, link, &opcode);
  lender source = {L, 2, &link->loop->gate};
  ws_send_how how = {check_plain(L), keep_string, release_string, &source};
  if (ws_connection_send(link->connection, opcode, data.data, data.len,
                         &how) == WS_EINVAL)
    return invalid_state(L);
  lua_pushboolean(L, ws_connection_writable(link->connection));
  return 1;
}

static int control(lua_State *L, unsigned opcode, const char *name) {
  ws_link *link = ws_link_check(L, 1);
  ws_slice data = {"", 0};
  if (!lua_isnoneornil(L, 2)) data = ws_lua_slice(L, 2);
  if (data.len > WS_CONTROL_MAX)
    return ws_lua_raise(L, "TypeError", "%s: at most 125 bytes, got %d", name,
                        (int)data.len);
  if (ws_connection_ping(link->connection, opcode, data.data, data.len) ==
      WS_EINVAL)
    return invalid_state(L);
  return 0;
}

static int l_ping(lua_State *L) { return control(L, WS_PING, "ping"); }
static int l_pong(lua_State *L) { return control(L, WS_PONG, "pong"); }

void ws_lua_fill_senders(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"ping", l_ping}, {"pong", l_pong}, {NULL, NULL}};
  ws_setfuncs(L, methods);
  lua_pushcfunction(L, make_reference);
  lua_pushcclosure(L, l_send, 1);
  lua_setfield(L, -2, "send");
}
