/* SPDX-License-Identifier: MIT */
/* What all files of the Lua floor use: typed objects, fields of option tables,
 * failures as values, and references. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"
#include "lua/lua_compat.h"
#include "protocol/frame.h"
#include "protocol/handshake.h"
#include "transport/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the metatable of a type, with its methods and __gc (NULL: none), and
 * leaves it on the stack. `name` is "ws.loop" and so on; __index is the table
 * of methods. */
void ws_lua_type(lua_State *L, const char *name, const luaL_Reg *methods,
                 lua_CFunction gc);

/* Pushes a zeroed object of the type, with `values` user values, all nil. */
void *ws_lua_object(lua_State *L, const char *name, size_t size, int values);

/* The object at `index`, or raises "TypeError: ...". */
void *ws_lua_check(lua_State *L, int index, const char *name);

/* Raises "TypeError: ..." (or another name) at the line of the caller, or the
 * nearest one above when that has none. */
int ws_lua_raise(lua_State *L, const char *name, const char *format, ...);

/* Pushes nil, message, and the name of the status; returns 3. If `message` is
 * NULL it is the status's own text. */
int ws_lua_failure(lua_State *L, int status, const char *message);

/* The string at `index` (numbers are converted in place) as a slice; raises
 * TypeError for anything else. */
ws_slice ws_lua_slice(lua_State *L, int index);

/* The same; errors begin with `what`, for example "ping: the data". */
ws_slice ws_lua_slice_of(lua_State *L, int index, const char *what);

/* Pushes a field of the table at `table`, ignoring metamethods: what they
 * compute would not be anchored anywhere. */
void ws_lua_field(lua_State *L, int table, const char *name);

/* The same as a C value; a missing field gives the default. Wrong types raise a
 * TypeError that names the field. Strings stay anchored in the table. */
ws_slice ws_lua_field_slice(lua_State *L, int table, const char *name);
uint64_t ws_lua_field_size(lua_State *L, int table, const char *name,
                           uint64_t otherwise);
bool ws_lua_field_bool(lua_State *L, int table, const char *name,
                       bool otherwise);

/* The same for what is counted in memory: above SIZE_MAX / 2, it is that. */
size_t ws_lua_field_count(lua_State *L, int table, const char *name,
                          uint64_t otherwise);

/* The list of strings in a field: pushes the list, which anchors the strings,
 * and above it a userdata that holds the slices. */
const ws_slice *ws_lua_field_list(lua_State *L, int table, const char *name,
                                  size_t *count);

/* The same for a flat list {name, value, name, value ...} at `index` (nil: no
 * headers). */
const ws_header *ws_lua_headers(lua_State *L, int index, size_t *count);

/* "text" or "binary" (nil: text) as an opcode; raises a TypeError that names
 * the function `name`. */
unsigned ws_lua_opcode(lua_State *L, int index, const char *name);

/* The status of a response, or a close code; 1, which is neither, for numbers
 * far out of range; `otherwise` if it is missing. Raises for anything but a
 * whole number. */
unsigned ws_lua_code(lua_State *L, int index, unsigned otherwise);

void ws_lua_push_slice(lua_State *L, ws_slice slice);

/* Pushes the address as text; nil for NULL and for an unnamed one. */
void ws_lua_push_address(lua_State *L, const ws_address *address);

/* Sets a field of the table on top of the stack to the slice. */
void ws_lua_set_slice(lua_State *L, const char *name, ws_slice slice);

/* luaL_ref of the function at `index`; LUA_NOREF for nil. Raises TypeError for
 * anything else. */
int ws_lua_ref_function(lua_State *L, int index, const char *name);
