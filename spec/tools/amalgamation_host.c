/* SPDX-License-Identifier: MIT */
/* A program with Lua and ws in it, as a game has them: runs a script. */
#include "ws.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (!L || argc < 3) return 2;
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_ws_core);
  lua_setfield(L, -2, "ws.core");
  lua_settop(L, 0);
  int status = luaL_loadfile(L, argv[1]);
  lua_pushstring(L, argv[2]);
  if (status == 0) status = lua_pcall(L, 1, 0, 0);
  else lua_pop(L, 1);
  if (status != 0) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return status != 0;
}
