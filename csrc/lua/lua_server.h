/* SPDX-License-Identifier: MIT */
/* The Lua type ws.server. */
#pragma once
#include "connection/server.h"
#include "lua/lua_link.h"

typedef struct ws_lua_server {
  ws_server *server;  /* NULL before it listens */
  ws_lua_loop *loop;
  ws_tie tie;         /* until it is closed and its connections are gone */
  ws_handlers *handlers; /* in use until then; the user value has the set */
  int judge;          /* functions in the registry, or LUA_NOREF */
  int http_closed;
  int closed;
  bool plain;         /* plain HTTP goes to `judge` too */
} ws_lua_server;

void ws_lua_open_server(lua_State *L);
