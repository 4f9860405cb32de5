/* SPDX-License-Identifier: MIT */
/* A set of Lua functions that connections call, shared by many of them. The
 * collector sees what a set holds, so that a set whose functions know it, or
 * know a connection that is closed, can go. Only what is in use is kept in the
 * registry, where the functions are found fast. */
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

/* Lies in the set's userdata: whoever uses it must hold that, too. */
typedef struct ws_handlers {
  unsigned uses; /* by servers and connections that live */
  bool views;    /* messages are lent as views */
  bool events;   /* messages go to an only listener, lua_message.h */
  int functions[WS_HANDLER_COUNT]; /* while used, in the registry; LUA_NOREF
                                    * for none */
} ws_handlers;

/* core.handlers{open=, message=, ..., views=true, tag=anything,
 * event=metatable} */
int ws_lua_handlers(lua_State *L);

/* One more uses the set at `index`; raises TypeError for anything else. */
ws_handlers *ws_handlers_use(lua_State *L, int index);
void ws_handlers_unuse(ws_handlers *handlers, lua_State *L);

/* Pushes what the maker of the set at `index` wants to find again. */
void ws_handlers_push_tag(lua_State *L, int index);

/* Pushes the metatable of its events; nil without one. */
void ws_handlers_push_event_class(lua_State *L, int index);

void ws_lua_open_handlers(lua_State *L);
