/* SPDX-License-Identifier: MIT */
/* The differences between Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4, in one place. The
 * rest of csrc/lua/ is written for the API of 5.4. */
#pragma once
#include <lauxlib.h>
#include <lua.h>

#ifdef _WIN32
#define WS_EXPORT __declspec(dllexport)
#else
#define WS_EXPORT __attribute__((visibility("default")))
#endif

#ifndef LUA_OK
#define LUA_OK 0
#endif

#if LUA_VERSION_NUM < 504
#if LUA_VERSION_NUM == 501
#define ws_get_values lua_getfenv
#define ws_set_values lua_setfenv
#else
#define ws_get_values lua_getuservalue
#define ws_set_values lua_setuservalue
#endif
/* One table holds the user values: it is the only user value of 5.2 and 5.3,
 * or, in 5.1, the environment. In 5.1 an object without values has the caller's
 * environment. */
static inline void *lua_newuserdatauv(lua_State *L, size_t size, int values) {
  void *data = lua_newuserdata(L, size);
  if (values > 0) {
    lua_createtable(L, values, 0);
    (void)ws_set_values(L, -2);
  }
  return data;
}
static inline int lua_getiuservalue(lua_State *L, int index, int n) {
  ws_get_values(L, index);
  lua_rawgeti(L, -1, n);
  lua_remove(L, -2);
  return lua_type(L, -1);
}
static inline int lua_setiuservalue(lua_State *L, int index, int n) {
  ws_get_values(L, index);
  lua_insert(L, -2);
  lua_rawseti(L, -2, n);
  lua_pop(L, 1);
  return 1;
}
#endif

#if LUA_VERSION_NUM < 503
/* These return the type of what they pushed. */
static inline int ws_rawget(lua_State *L, int index) {
  lua_rawget(L, index);
  return lua_type(L, -1);
}
static inline int ws_rawgeti(lua_State *L, int index, int n) {
  lua_rawgeti(L, index, n);
  return lua_type(L, -1);
}
#define lua_rawget ws_rawget
#define lua_rawgeti ws_rawgeti
#endif

#if LUA_VERSION_NUM == 501
#define lua_rawlen lua_objlen
static inline int lua_absindex(lua_State *L, int index) {
  if (index > 0 || index <= LUA_REGISTRYINDEX) return index;
  return lua_gettop(L) + index + 1;
}
static inline void ws_setfuncs(lua_State *L, const luaL_Reg *list) {
  for (; list->name; list++) {
    lua_pushcfunction(L, list->func);
    lua_setfield(L, -2, list->name);
  }
}
#if !defined(LUAJIT_VERSION_NUM) && !defined(luaL_traceback)
/* Plain 5.1 has debug.traceback only. */
static inline void ws_traceback(lua_State *L, lua_State *of, const char *text) {
  (void)of;
  lua_getglobal(L, "debug");
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "traceback");
    lua_remove(L, -2);
  }
  lua_pushstring(L, text ? text : ""); /* nil would give nil */
  if (!lua_isfunction(L, -2)) {
    lua_remove(L, -2);
    return;
  }
  lua_pushinteger(L, 2);
  lua_call(L, 2, 1);
}
#else
#define ws_traceback(L, of, text) luaL_traceback(L, of, text, 1)
#endif
#else
#define ws_setfuncs(L, list) luaL_setfuncs(L, list, 0)
#define ws_traceback(L, of, text) luaL_traceback(L, of, text, 1)
#endif

/* Returns where the copy is, as lua_pushlstring does since 5.2. */
static inline const char *ws_push_copy(lua_State *L, const char *data,
                                       size_t len) {
#if LUA_VERSION_NUM == 501
  lua_pushlstring(L, data, len);
  return lua_tostring(L, -1);
#else
  return lua_pushlstring(L, data, len);
#endif
}

/* Where numbers are doubles, lua_Integer may have 32 bits. */
static inline void ws_push_count(lua_State *L, unsigned long long count) {
#if LUA_VERSION_NUM < 503
  lua_pushnumber(L, (lua_Number)count);
#else
  lua_pushinteger(L, (lua_Integer)count);
#endif
}

/* True for 3 and 3.0 within the limits; false for 3.5 and for what is not a
 * number. */
static inline int ws_is_integral(lua_State *L, int index, double least,
                                 double most) {
  if (lua_type(L, index) != LUA_TNUMBER) return 0;
  double n = (double)lua_tonumber(L, index);
  if (!(n >= least && n <= most)) return 0;
  return (double)(long long)n == n;
}
