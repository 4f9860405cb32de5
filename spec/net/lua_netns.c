/* SPDX-License-Identifier: MIT */
/* A Lua module for specs, with one function: enter(descriptor) puts this thread
 * and the sockets that it makes afterwards into a network namespace. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <sched.h>
#include <string.h>

static int enter(lua_State *L) {
  int space = (int)luaL_checkinteger(L, 1);
  if (setns(space, CLONE_NEWNET) != 0)
    return luaL_error(L, "no such namespace: %s", strerror(errno));
  return 0;
}

int luaopen_net_netns(lua_State *L);

int luaopen_net_netns(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, enter);
  lua_setfield(L, -2, "enter");
  return 1;
}
