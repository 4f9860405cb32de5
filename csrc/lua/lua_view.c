/* SPDX-License-Identifier: MIT */
/* Views of messages: length, text, parts. Sending them is lua_send's. */
#include "lua/lua_view.h"

#include "lua/lua_util.h"

#define TYPE "ws.view"
#define MAGIC 0x77735f76u

static ws_view *view_or_null(lua_State *L, int index) {
  ws_view *view = lua_touserdata(L, index);
  bool ours = view && lua_rawlen(L, index) == sizeof *view &&
              view->magic == MAGIC;
  return ours ? view : NULL;
}

const ws_view *ws_view_at(lua_State *L, int index) {
  const ws_view *view = view_or_null(L, index);
  if (view && !view->data)
    ws_lua_raise(L, "TypeError",
                 "a view is valid only in its handler (keep tostring(view))");
  return view;
}

static const ws_view *check(lua_State *L) {
  const ws_view *view = ws_view_at(L, 1);
  if (!view)
    ws_lua_raise(L, "TypeError", "a view expected, got %s",
                 luaL_typename(L, 1));
  return view;
}

/* A position as in string.sub, where 1 is the first byte and -1 the last, as an
 * offset from 0 to len. */
static size_t offset_of(lua_Integer position, size_t len) {
  if ((lua_Number)position > (lua_Number)len) return len;
  if (position > 0) return (size_t)position - 1;
  if (position == 0 || -(lua_Number)position > (lua_Number)len) return 0;
  return len - (size_t)-position;
}

/* One past the last byte of position `last`, at most len. */
static size_t end_of(lua_Integer last, size_t len) {
  if (last >= 0) return (lua_Number)last > (lua_Number)len ? len : (size_t)last;
  return -(lua_Number)last > (lua_Number)len ? 0 : len - (size_t)-last + 1;
}

static int l_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check(L)->len);
  return 1;
}

static int l_text(lua_State *L) {
  const ws_view *view = check(L);
  lua_pushlstring(L, view->data, view->len);
  return 1;
}

static int l_sub(lua_State *L) {
  const ws_view *view = check(L);
  size_t from = offset_of(luaL_checkinteger(L, 2), view->len);
  size_t end = end_of(luaL_optinteger(L, 3, -1), view->len);
  if (from < end) lua_pushlstring(L, view->data + from, end - from);
  else lua_pushliteral(L, "");
  return 1;
}

static int l_byte(lua_State *L) {
  const ws_view *view = check(L);
  lua_Integer first = luaL_optinteger(L, 2, 1);
  size_t from = offset_of(first, view->len);
  size_t end = end_of(luaL_optinteger(L, 3, first), view->len);
  if (from >= end) return 0;
  if (end - from > 8000) return luaL_error(L, "byte: too many results");
  luaL_checkstack(L, (int)(end - from), "byte: too many results");
  for (size_t i = from; i < end; i++)
    lua_pushinteger(L, (unsigned char)view->data[i]);
  return (int)(end - from);
}

void ws_view_push_type(lua_State *L) { luaL_getmetatable(L, TYPE); }

ws_view *ws_view_push(lua_State *L, int type, unsigned opcode,
                      const char *data, size_t len) {
  ws_view *view = lua_newuserdatauv(L, sizeof *view, 0);
  *view = (ws_view){MAGIC, opcode, data, len};
  lua_pushvalue(L, type);
  lua_setmetatable(L, -2);
  return view;
}

void ws_lua_open_view(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"sub", l_sub}, {"byte", l_byte}, {NULL, NULL}};
  ws_lua_type(L, TYPE, methods, NULL);
  lua_pushcfunction(L, l_len);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, l_text);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
