/* SPDX-License-Identifier: MIT */
/* A set of Lua functions that connections call, shared by many connections. The
 * garbage collector sees what a set holds, so that it can free a set whose
 * functions refer to the set, or to a closed connection. Only sets in use are
 * also in the registry, where their functions are found fast. */
#pragma once
#include "lua/lua_compat.h"

#include <stdbool.h>

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

/* The userdata of a set. Whoever uses it must also keep it alive. */
typedef struct ws_handlers {
  unsigned uses; /* how many live servers and connections use it */
  bool views;    /* messages are lent as views */
  bool events;   /* messages go to a single listener, see lua_message.h */
  int functions[WS_HANDLER_COUNT]; /* references while used; LUA_NOREF for
                                    * none */
} ws_handlers;

/* core.handlers{open=, message=, ..., views=true, tag=anything,
 * event=metatable} */
int ws_lua_handlers(lua_State *L);

/* Adds a use of the set at `index`; raises TypeError for anything else. */
ws_handlers *ws_handlers_use(lua_State *L, int index);
void ws_handlers_unuse(ws_handlers *handlers, lua_State *L);

/* Pushes the `tag` of the set at `index`. */
void ws_handlers_push_tag(lua_State *L, int index);

/* Pushes the metatable of its events, or nil. */
void ws_handlers_push_event_class(lua_State *L, int index);

void ws_lua_open_handlers(lua_State *L);
