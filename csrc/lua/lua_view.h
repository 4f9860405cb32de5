/* SPDX-License-Identifier: MIT */
/* The Lua type ws.view: a message lent to its handler, without making a string
 * of it. It is valid until the handler returns; using it later raises, and does
 * not read freed memory. */
#pragma once
#include "lua/lua_compat.h"

#include <stddef.h>

typedef struct ws_view {
  unsigned magic; /* guards against forged objects */
  unsigned opcode;
  const char *data; /* borrowed; NULL: no longer valid */
  size_t len;
} ws_view;

/* Pushes the type's metatable for ws_view_push, so that it is looked up once,
 * not for every message. */
void ws_view_push_type(lua_State *L);

/* Pushes a view of data (not NULL); the metatable is at `type`. */
ws_view *ws_view_push(lua_State *L, int type, unsigned opcode,
                      const char *data, size_t len);

/* The view at `index`; NULL if there is something else. Raises TypeError if it
 * is no longer valid. */
const ws_view *ws_view_at(lua_State *L, int index);

/* Makes the type; leaves nothing on the stack. */
void ws_lua_open_view(lua_State *L);
