/* SPDX-License-Identifier: MIT */
/* Sets of handler functions. */
#include "lua/lua_handlers.h"

#include "bytes/memory.h"
#include "lua/lua_util.h"

#define TYPE "ws.handlers"

static const char *const names[WS_HANDLER_COUNT] = {
    "open", "message", "close", "error", "drain", "ping", "pong"};

typedef struct box {
  ws_handlers *handlers;
} box;

int ws_lua_handlers(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  box *b = ws_lua_object(L, TYPE, sizeof *b);
  b->handlers = ws_memory_new(sizeof *b->handlers);
  if (!b->handlers) return luaL_error(L, "not enough memory");
  b->handlers->references = 1;
  for (int i = 0; i < WS_HANDLER_COUNT; i++)
    b->handlers->functions[i] = LUA_NOREF;
  b->handlers->tag = LUA_NOREF;
  for (int i = 0; i < WS_HANDLER_COUNT; i++) {
    lua_getfield(L, 1, names[i]);
    b->handlers->functions[i] = ws_lua_ref_function(L, -1, names[i]);
    lua_pop(L, 1);
  }
  lua_getfield(L, 1, "tag");
  b->handlers->tag = luaL_ref(L, LUA_REGISTRYINDEX);
  return 1;
}

static int collect(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  if (b->handlers) ws_handlers_unref(b->handlers, L);
  b->handlers = NULL;
  return 0;
}

ws_handlers *ws_lua_check_handlers(lua_State *L, int index) {
  box *b = ws_lua_check(L, index, TYPE);
  return b->handlers;
}

ws_handlers *ws_handlers_ref(ws_handlers *handlers) {
  handlers->references++;
  return handlers;
}

void ws_handlers_unref(ws_handlers *handlers, lua_State *L) {
  if (--handlers->references > 0) return;
  for (int i = 0; i < WS_HANDLER_COUNT; i++)
    luaL_unref(L, LUA_REGISTRYINDEX, handlers->functions[i]);
  luaL_unref(L, LUA_REGISTRYINDEX, handlers->tag);
  ws_memory_free(handlers);
}

void ws_lua_open_handlers(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  ws_lua_type(L, TYPE, none, collect);
  lua_pop(L, 1);
}
