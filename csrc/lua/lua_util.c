/* SPDX-License-Identifier: MIT */
/* What all files of the Lua floor use. Nothing here knows of connections. */
#include "lua/lua_util.h"

#include "bytes/status.h"

#include <stdarg.h>
#include <string.h>

void ws_lua_type(lua_State *L, const char *name, const luaL_Reg *methods,
                 lua_CFunction gc) {
  luaL_newmetatable(L, name);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  ws_setfuncs(L, methods);
  lua_setfield(L, -2, "__index");
  if (gc) {
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

void *ws_lua_object(lua_State *L, const char *name, size_t size, int values) {
  void *object = lua_newuserdatauv(L, size, values);
  memset(object, 0, size);
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
  return object;
}

void *ws_lua_check(lua_State *L, int index, const char *name) {
  void *object = lua_touserdata(L, index);
  if (object && lua_getmetatable(L, index)) {
    luaL_getmetatable(L, name);
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (same) return object;
  }
  ws_lua_raise(L, "TypeError", "%s expected, got %s", name,
               luaL_typename(L, index));
  return NULL;
}

/* Pushes "file:line: " of the nearest caller that has a line: the direct one is
 * in C when pcall itself calls a method, and gone after a tail call. */
static void push_position(lua_State *L) {
  lua_Debug frame;
  int level = 1;
  while (lua_getstack(L, level, &frame)) {
    lua_getinfo(L, "l", &frame);
    if (frame.currentline > 0) break;
    level++;
  }
  luaL_where(L, level);
}

int ws_lua_raise(lua_State *L, const char *name, const char *format, ...) {
  va_list arguments;
  push_position(L);
  lua_pushfstring(L, "%s: ", name);
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_concat(L, 3);
  return lua_error(L);
}

int ws_lua_failure(lua_State *L, int status, const char *message) {
  lua_pushnil(L);
  lua_pushstring(L, message ? message : ws_status_text(status));
  lua_pushstring(L, ws_status_name(status));
  return 3;
}

static ws_slice slice_or_raise(lua_State *L, int index, const char *what,
                               const char *between) {
  ws_slice slice;
  slice.data = lua_tolstring(L, index, &slice.len); /* of numbers, too */
  if (!slice.data)
    ws_lua_raise(L, "TypeError", "%s%sa string expected, got %s", what,
                 between, luaL_typename(L, index));
  return slice;
}

ws_slice ws_lua_slice(lua_State *L, int index) {
  return slice_or_raise(L, index, "", "");
}

ws_slice ws_lua_slice_of(lua_State *L, int index, const char *what) {
  return slice_or_raise(L, index, what, ": ");
}

static int wrong_field(lua_State *L, const char *name, const char *expected) {
  return ws_lua_raise(L, "TypeError", "option '%s': %s expected, got %s",
                      name, expected, luaL_typename(L, -1));
}

void ws_lua_field(lua_State *L, int table, const char *name) {
  table = lua_absindex(L, table);
  lua_pushstring(L, name);
  lua_rawget(L, table);
}

ws_slice ws_lua_field_slice(lua_State *L, int table, const char *name) {
  ws_slice slice = {NULL, 0};
  ws_lua_field(L, table, name);
  if (lua_type(L, -1) == LUA_TSTRING)
    slice.data = lua_tolstring(L, -1, &slice.len);
  else if (!lua_isnil(L, -1))
    wrong_field(L, name, "a string");
  lua_pop(L, 1);
  return slice;
}

uint64_t ws_lua_field_size(lua_State *L, int table, const char *name,
                           uint64_t otherwise) {
  ws_lua_field(L, table, name);
  if (!lua_isnil(L, -1)) {
    if (!ws_is_integral(L, -1, 0, 9007199254740992.0))
      wrong_field(L, name, "a whole number, not negative");
    otherwise = (uint64_t)lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return otherwise;
}

bool ws_lua_field_bool(lua_State *L, int table, const char *name,
                       bool otherwise) {
  ws_lua_field(L, table, name);
  if (lua_isboolean(L, -1)) otherwise = lua_toboolean(L, -1);
  else if (!lua_isnil(L, -1)) wrong_field(L, name, "a boolean");
  lua_pop(L, 1);
  return otherwise;
}

size_t ws_lua_field_count(lua_State *L, int table, const char *name,
                          uint64_t otherwise) {
  uint64_t count = ws_lua_field_size(L, table, name, otherwise);
  return count > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)count;
}

static ws_slice list_item(lua_State *L, int list, size_t n) {
  ws_slice slice;
  lua_rawgeti(L, list, (int)n);
  if (lua_type(L, -1) != LUA_TSTRING)
    ws_lua_raise(L, "TypeError", "a list of strings expected, got %s in it",
                 luaL_typename(L, -1));
  slice.data = lua_tolstring(L, -1, &slice.len);
  lua_pop(L, 1);
  return slice;
}

const ws_slice *ws_lua_field_list(lua_State *L, int table, const char *name,
                                  size_t *count) {
  ws_lua_field(L, table, name);
  *count = lua_istable(L, -1) ? (size_t)lua_rawlen(L, -1) : 0;
  if (!lua_istable(L, -1) && !lua_isnil(L, -1))
    wrong_field(L, name, "a list of strings");
  int list = lua_gettop(L);
  ws_slice *slices = lua_newuserdatauv(L, (*count + 1) * sizeof *slices, 0);
  for (size_t i = 0; i < *count; i++) slices[i] = list_item(L, list, i + 1);
  return slices;
}

const ws_header *ws_lua_headers(lua_State *L, int index, size_t *count) {
  *count = 0;
  if (lua_isnoneornil(L, index)) return NULL;
  if (!lua_istable(L, index))
    ws_lua_raise(L, "TypeError", "a list of headers expected, got %s",
                 luaL_typename(L, index));
  *count = (size_t)lua_rawlen(L, index) / 2;
  ws_header *headers =
      lua_newuserdatauv(L, (*count + 1) * sizeof *headers, 0);
  for (size_t i = 0; i < *count; i++) {
    headers[i].name = list_item(L, index, 2 * i + 1);
    headers[i].value = list_item(L, index, 2 * i + 2);
  }
  return headers;
}

unsigned ws_lua_opcode(lua_State *L, int index, const char *name) {
  size_t len = 0;
  const char *word = lua_tolstring(L, index, &len);
  if (len == 6 && memcmp(word, "binary", 6) == 0) return WS_BINARY;
  if (len == 4 && memcmp(word, "text", 4) == 0) return WS_TEXT;
  if (lua_isnoneornil(L, index)) return WS_TEXT;
  ws_lua_raise(L, "TypeError", "%s: \"text\" or \"binary\" expected, got %s",
               name, word ? word : luaL_typename(L, index));
  return 0;
}

unsigned ws_lua_code(lua_State *L, int index, unsigned otherwise) {
  if (lua_isnoneornil(L, index)) return otherwise;
  if (!ws_is_integral(L, index, -9007199254740992.0, 9007199254740992.0))
    ws_lua_raise(L, "TypeError", "a whole number expected, got %s",
                 luaL_typename(L, index));
  lua_Number code = lua_tonumber(L, index);
  return code >= 0 && code <= 0xffff ? (unsigned)code : 1;
}

void ws_lua_push_slice(lua_State *L, ws_slice slice) {
  lua_pushlstring(L, slice.data ? slice.data : "", slice.len);
}

void ws_lua_push_address(lua_State *L, const ws_address *address) {
  char text[WS_ADDRESS_TEXT] = "";
  if (address) ws_address_text(address, text);
  if (text[0]) lua_pushstring(L, text);
  else lua_pushnil(L);
}

void ws_lua_set_slice(lua_State *L, const char *name, ws_slice slice) {
  ws_lua_push_slice(L, slice);
  lua_setfield(L, -2, name);
}

int ws_lua_ref_function(lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index)) return LUA_NOREF;
  if (!lua_isfunction(L, index))
    ws_lua_raise(L, "TypeError", "'%s': a function expected, got %s", name,
                 luaL_typename(L, index));
  lua_pushvalue(L, index);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}
