/* SPDX-License-Identifier: MIT */
/* From a link to its object and its handlers, and back from the stack. */
#include "lua/lua_link.h"

#include "lua/lua_util.h"

void ws_link_push(lua_State *L, const ws_link *link) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, link->tie.anchor);
}

ws_state ws_link_state(const ws_link *link) {
  return link->handlers ? ws_connection_state(link->connection) : WS_CLOSED;
}

ws_link *ws_link_at(lua_State *L, int index) {
  ws_link *link = lua_touserdata(L, index);
  bool ours = link && lua_rawlen(L, index) == sizeof *link &&
              link->magic == WS_LINK_MAGIC && link->connection;
  return ours ? link : NULL;
}

ws_link *ws_link_check(lua_State *L, int index) {
  ws_link *link = ws_link_at(L, index);
  if (!link)
    ws_lua_raise(L, "TypeError", "a WebSocket expected, got %s",
                 luaL_typename(L, index));
  return link;
}

ws_link *ws_link_self(lua_State *L, const char *method) {
  ws_link *link = ws_link_at(L, 1);
  if (!link)
    ws_lua_raise(L, "TypeError",
                 "%s: a WebSocket expected, got %s (call it as sock:%s)",
                 method, luaL_typename(L, 1), method);
  return link;
}

bool ws_link_push_handler(lua_State *L, const ws_link *link,
                          ws_handler handler) {
  int function = link->handlers->functions[handler];
  if (function == LUA_NOREF) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function);
  ws_link_push(L, link);
  return true;
}
