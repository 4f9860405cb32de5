/* SPDX-License-Identifier: MIT */
/* What all files of the Lua floor use: objects with a type, fields of option
 * tables, failures as values, and references. */
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

/* Makes the metatable of a type with its methods and __gc (NULL: none), and
 * leaves it on the stack. `name` is "ws.loop" and so on; __index is the method
 * table. */
void ws_lua_type(lua_State *L, const char *name, const luaL_Reg *methods,
                 lua_CFunction gc);

/* Pushes a zeroed object of the type with so many user values, all nil. */
void *ws_lua_object(lua_State *L, const char *name, size_t size, int values);

/* The object at `index`, or raises "TypeError: ...". */
void *ws_lua_check(lua_State *L, int index, const char *name);

/* Raises "TypeError: ..." (or another name) at the caller's line. */
int ws_lua_raise(lua_State *L, const char *name, const char *format, ...);

/* Pushes nil, message, name of the status; returns 3. `message` NULL: the
 * status's own text. */
int ws_lua_failure(lua_State *L, int status, const char *message);

/* The string at `index` (numbers are converted in place) as a slice; raises
 * TypeError for anything else. */
ws_slice ws_lua_slice(lua_State *L, int index);

/* The same; the error begins with `what`, as "ping: the data". */
ws_slice ws_lua_slice_of(lua_State *L, int index, const char *what);

/* Pushes a field of the table at `table` without its metamethods: what those
 * compute would be anchored nowhere. */
void ws_lua_field(lua_State *L, int table, const char *name);

/* The same as a value; a missing field gives the default. Wrong types raise
 * TypeError naming the field. Strings stay anchored in the table. */
ws_slice ws_lua_field_slice(lua_State *L, int table, const char *name);
uint64_t ws_lua_field_size(lua_State *L, int table, const char *name,
                           uint64_t otherwise);
bool ws_lua_field_bool(lua_State *L, int table, const char *name,
                       bool otherwise);

/* The same for what memory has room for: anything above counts as much as half
 * of the addresses there are. */
size_t ws_lua_field_count(lua_State *L, int table, const char *name,
                          uint64_t otherwise);

/* The list of strings in a field: pushes a userdata that holds the slices (the
 * strings stay anchored in the list, which is pushed below it). */
const ws_slice *ws_lua_field_list(lua_State *L, int table, const char *name,
                                  size_t *count);

/* The same for a flat list name, value, name, value ... at `index` (nil: no
 * headers). */
const ws_header *ws_lua_headers(lua_State *L, int index, size_t *count);

/* "text" or "binary" (nil: text) as an opcode; raises TypeError, which names
 * the function `name`. */
unsigned ws_lua_opcode(lua_State *L, int index, const char *name);

/* The status of a response or the code of a Close; 1, which is neither, for
 * numbers far out; `otherwise` when it is missing; raises for what is no whole
 * number. */
unsigned ws_lua_code(lua_State *L, int index, unsigned otherwise);

void ws_lua_push_slice(lua_State *L, ws_slice slice);

/* The address as text; nil for NULL and for one without a name. */
void ws_lua_push_address(lua_State *L, const ws_address *address);

/* Sets a field of the table on the top to the slice. */
void ws_lua_set_slice(lua_State *L, const char *name, ws_slice slice);

/* luaL_ref of the value at `index`, LUA_NOREF for nil; raises TypeError unless
 * it is a function. */
int ws_lua_ref_function(lua_State *L, int index, const char *name);
