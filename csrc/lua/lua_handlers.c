/* SPDX-License-Identifier: MIT */
/* Sets of handler functions. */
#include "lua/lua_handlers.h"

#include "lua/lua_util.h"

#define TYPE "ws.handlers"
/* In the user value, after the functions. */
#define TAG (WS_HANDLER_COUNT + 1)
#define EVENT_CLASS (WS_HANDLER_COUNT + 2)

static const char *const names[WS_HANDLER_COUNT] = {
    "open", "message", "close", "error", "drain", "ping", "pong"};

/* Its user value is the list of its functions, its tag and the metatable of its
 * events. */
int ws_lua_handlers(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  ws_handlers *handlers = ws_lua_object(L, TYPE, sizeof *handlers, 1);
  for (int i = 0; i < WS_HANDLER_COUNT; i++)
    handlers->functions[i] = LUA_NOREF;
  lua_createtable(L, EVENT_CLASS, 0);
  for (int i = 0; i < WS_HANDLER_COUNT; i++) {
    lua_getfield(L, 1, names[i]);
    if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
      return ws_lua_raise(L, "TypeError", "'%s': a function expected, got %s",
                          names[i], luaL_typename(L, -1));
    lua_rawseti(L, 3, i + 1);
    lua_settop(L, 3);
  }
  handlers->views = ws_lua_field_bool(L, 1, "views", false);
  lua_getfield(L, 1, "tag");
  lua_rawseti(L, 3, TAG);
  lua_getfield(L, 1, "event");
  handlers->events = lua_istable(L, -1);
  lua_rawseti(L, 3, EVENT_CLASS);
  lua_setiuservalue(L, 2, 1);
  return 1;
}

/* If memory runs out, the references made so far stay: the next call goes on
 * from there, or the collector frees them. */
static void pin(lua_State *L, int index, ws_handlers *handlers) {
  lua_getiuservalue(L, index, 1);
  for (int i = 0; i < WS_HANDLER_COUNT; i++) {
    lua_rawgeti(L, -1, i + 1);
    if (lua_isfunction(L, -1) && handlers->functions[i] == LUA_NOREF)
      handlers->functions[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    else
      lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void unpin(ws_handlers *handlers, lua_State *L) {
  for (int i = 0; i < WS_HANDLER_COUNT; i++) {
    luaL_unref(L, LUA_REGISTRYINDEX, handlers->functions[i]);
    handlers->functions[i] = LUA_NOREF;
  }
}

ws_handlers *ws_handlers_use(lua_State *L, int index) {
  ws_handlers *handlers = ws_lua_check(L, index, TYPE);
  if (handlers->uses == 0) pin(L, index, handlers);
  handlers->uses++;
  return handlers;
}

void ws_handlers_unuse(ws_handlers *handlers, lua_State *L) {
  if (--handlers->uses == 0) unpin(handlers, L);
}

/* A set is also unused, and may have references, if not all of its functions
 * could be pinned. */
static int collect(lua_State *L) {
  ws_handlers *handlers = ws_lua_check(L, 1, TYPE);
  if (handlers->uses == 0) unpin(handlers, L);
  return 0;
}

static void push_kept(lua_State *L, int index, int place) {
  lua_getiuservalue(L, index, 1);
  lua_rawgeti(L, -1, place);
  lua_remove(L, -2);
}

void ws_handlers_push_tag(lua_State *L, int index) { push_kept(L, index, TAG); }

void ws_handlers_push_event_class(lua_State *L, int index) {
  push_kept(L, index, EVENT_CLASS);
}

void ws_lua_open_handlers(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  ws_lua_type(L, TYPE, none, collect);
  lua_pop(L, 1);
}
