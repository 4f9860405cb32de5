/* SPDX-License-Identifier: MIT */
/* The Lua API, in a Lua state that lives as long as the process: the input is
 * a program for lua_api.lua. To be run from the top of the tree. */
#include "fuzz.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_ws_core(lua_State *L);

/* Leaves the function that runs programs at [1]. */
static lua_State *start(void) {
  lua_State *L = luaL_newstate();
  if (!L) abort();
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_ws_core);
  lua_setfield(L, -2, "ws.core");
  lua_settop(L, 0);
  if (luaL_dofile(L, "spec/fuzz/lua_api.lua") != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(2);
  }
  lua_settop(L, 1);
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static lua_State *L;
  if (!L) L = start();
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, len);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "broken promise: %s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  PROMISE(lua_gettop(L) == 1);
  return 0;
}
