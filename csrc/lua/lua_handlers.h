/* SPDX-License-Identifier: MIT */
/* A set of Lua functions that connections call, shared by many of them. */
#pragma once
#include "lua/lua_compat.h"

typedef enum ws_handler {
  WS_HANDLER_OPEN,
  WS_HANDLER_MESSAGE,
  WS_HANDLER_CLOSE,
  WS_HANDLER_ERROR,
  WS_HANDLER_DRAIN,
  WS_HANDLER_PING,
  WS_HANDLER_PONG,
  WS_HANDLER_COUNT
} ws_handler;

/* Counted: by its userdata and by each connection that uses it. */
typedef struct ws_handlers {
  unsigned references;
  int functions[WS_HANDLER_COUNT]; /* in the registry, LUA_NOREF for none */
  int tag; /* whatever the set's maker wants to find again: conn:tag() */
} ws_handlers;

/* core.handlers{...} */
int ws_lua_handlers(lua_State *L);

/* The set at `index`, or raises TypeError. Not referenced. */
ws_handlers *ws_lua_check_handlers(lua_State *L, int index);

ws_handlers *ws_handlers_ref(ws_handlers *handlers);
void ws_handlers_unref(ws_handlers *handlers, lua_State *L);

void ws_lua_open_handlers(lua_State *L);
