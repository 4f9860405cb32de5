/* SPDX-License-Identifier: MIT */
/* luaopen_ws_core: the C module behind `ws`. Users require "ws". */
#include "loop/clock.h"
#include "lua/lua_bytes.h"
#include "lua/lua_compat.h"
#include "lua/lua_connection_type.h"
#include "lua/lua_handlers.h"
#include "lua/lua_loop.h"
#include "lua/lua_message.h"
#include "lua/lua_server.h"
#include "lua/lua_session.h"
#include "lua/lua_tls.h"
#include "lua/lua_view.h"

#define VERSION "0.1.0"

static int l_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ws_clock_precise());
  return 1;
}

WS_EXPORT int luaopen_ws_core(lua_State *L);

WS_EXPORT int luaopen_ws_core(lua_State *L) {
  static const luaL_Reg functions[] = {{"now", l_now},
                                       {"loop", ws_lua_new_loop},
                                       {"handlers", ws_lua_handlers},
                                       {"isTold", ws_lua_is_told},
                                       {"tls", ws_lua_new_tls},
                                       {"session", ws_lua_new_session},
                                       {NULL, NULL}};
  ws_lua_open_loop(L);
  ws_lua_open_timer(L);
  ws_lua_open_handlers(L);
  ws_lua_open_view(L);
  ws_lua_open_tls(L);
  ws_lua_open_server(L);
  ws_lua_open_session(L);
  lua_newtable(L);
  ws_setfuncs(L, functions);
  ws_lua_open_bytes(L);
  lua_pushliteral(L, VERSION);
  lua_setfield(L, -2, "VERSION");
  ws_lua_open_connection(L);
  lua_setfield(L, -2, "connection");
  return 1;
}
