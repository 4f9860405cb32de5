/* SPDX-License-Identifier: MIT */
/* How an object of ws.connection is made, indexed and collected. */
#include "lua/lua_connection_type.h"

#include "bytes/memory.h"
#include "lua/lua_connection.h"
#include "lua/lua_events.h"
#include "lua/lua_util.h"

#define TYPE "ws.connection"

static void cut(ws_tie *tie, lua_State *L) { ws_link_let_go(tie->owner, L); }

ws_link *ws_link_new(lua_State *L, ws_lua_loop *loop, int handlers) {
  lua_pushvalue(L, handlers);
  ws_link *link = ws_lua_object(L, TYPE, sizeof *link, 2);
  link->magic = WS_LINK_MAGIC;
  link->loop = loop;
  ws_tie_init(&link->tie, link, cut);
  link->handlers = ws_handlers_use(L, lua_gettop(L) - 1);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 2);
  return link;
}

static int collect(lua_State *L) {
  ws_link *link = lua_touserdata(L, 1);
  if (!link || lua_rawlen(L, 1) != sizeof *link || link->magic != WS_LINK_MAGIC)
    return 0;
  ws_connection *connection = link->connection;
  link->connection = NULL;
  if (connection) {
    /* If it still lives, this is the end of the Lua state, S185: no turn will
     * flush any more. */
    ws_connection_close(connection, 1001, NULL, 0);
    ws_connection_flush(connection);
    ws_connection_release(connection);
  }
  ws_link_let_go(link, L);
  ws_memory_free(link->url);
  link->url = NULL;
  link->magic = 0;
  return 0;
}

/* Upvalues: methods, getters. */
static int index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL) return 1;
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* Upvalue: setters. */
static int new_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) {
    const char *name =
        lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2);
    return ws_lua_raise(L, "TypeError", "cannot assign to '%s'", name);
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_call(L, 2, 0);
  return 0;
}

static int to_string(lua_State *L) {
  static const char *const states[] = {"CONNECTING", "OPEN", "CLOSING",
                                       "CLOSED"};
  ws_link *link = ws_link_check(L, 1);
  const char *state = states[ws_link_state(link)];
  lua_pushfstring(L, "WebSocket (%s) %s", state,
                  link->url ? link->url : "of a server");
  return 1;
}

/* Lua 5.4, `local sock <close>`: as close() without a code. */
static int close_variable(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  if (ws_link_state(link) < WS_CLOSING)
    ws_connection_close(link->connection, 0, "", 0);
  return 0;
}

void ws_lua_open_connection(lua_State *L) {
  lua_newtable(L); /* the one that is returned */
  lua_newtable(L);
  ws_lua_fill_methods(L);
  lua_setfield(L, -2, "methods");
  lua_newtable(L);
  ws_lua_fill_getters(L);
  lua_setfield(L, -2, "getters");
  lua_newtable(L);
  lua_setfield(L, -2, "setters");
  lua_newtable(L);
  ws_lua_fill_internals(L);
  lua_setfield(L, -2, "internals");
  static const luaL_Reg none[] = {{NULL, NULL}};
  ws_lua_type(L, TYPE, none, collect);
  lua_getfield(L, -2, "methods");
  lua_getfield(L, -3, "getters");
  lua_pushcclosure(L, index, 2);
  lua_setfield(L, -2, "__index");
  lua_getfield(L, -2, "setters");
  lua_pushcclosure(L, new_index, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushcfunction(L, to_string);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, close_variable);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
