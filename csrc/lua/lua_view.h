/* SPDX-License-Identifier: MIT */
/* The Lua type ws.view: a message lent to its handler instead of a string made
 * of it. It is good until the handler returns; then it raises, whoever kept
 * it, and never reads what has been freed. */
#pragma once
#include "lua/lua_compat.h"

#include <stddef.h>

typedef struct ws_view {
  unsigned magic; /* proof against forged objects */
  unsigned opcode;
  const char *data; /* borrowed; NULL: its time is over */
  size_t len;
} ws_view;

/* Pushes the type's metatable, which ws_view_push wants on the stack: found
 * once, not for every message. */
void ws_view_push_type(lua_State *L);

/* Pushes a view of data (not NULL); the metatable is at `type`. */
ws_view *ws_view_push(lua_State *L, int type, unsigned opcode,
                      const char *data, size_t len);

/* The view at `index`, NULL when there is something else. Raises TypeError
 * when its time is over. */
const ws_view *ws_view_at(lua_State *L, int index);

/* Makes the type; leaves nothing on the stack. */
void ws_lua_open_view(lua_State *L);
