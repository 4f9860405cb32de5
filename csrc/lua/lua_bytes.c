/* SPDX-License-Identifier: MIT */
/* Functions of the pure floors, for the Lua floor and for tests. */
#include "lua/lua_bytes.h"

#include "bytes/base64.h"
#include "bytes/mask.h"
#include "bytes/memory.h"
#include "bytes/sha1.h"
#include "bytes/utf8.h"
#include "lua/lua_util.h"
#include "protocol/url.h"

static int l_valid_utf8(lua_State *L) {
  ws_slice text = ws_lua_slice(L, 1);
  lua_pushboolean(L, ws_utf8_valid((const uint8_t *)text.data, text.len));
  return 1;
}

static int l_is_token(lua_State *L) {
  lua_pushboolean(L, ws_slice_is_token(ws_lua_slice(L, 1)));
  return 1;
}

static int l_header_value_ok(lua_State *L) {
  lua_pushboolean(L, ws_http_value_ok(ws_lua_slice(L, 1)));
  return 1;
}

static int l_owns_header(lua_State *L) {
  lua_pushboolean(L, ws_handshake_owns(ws_lua_slice(L, 1)));
  return 1;
}

static int l_reason_phrase(lua_State *L) {
  lua_pushstring(L, ws_http_reason((unsigned)luaL_checkinteger(L, 1)));
  return 1;
}

static int l_sha1(lua_State *L) {
  ws_slice text = ws_lua_slice(L, 1);
  uint8_t digest[WS_SHA1_SIZE];
  ws_sha1(text.data, text.len, digest);
  lua_pushlstring(L, (const char *)digest, sizeof digest);
  return 1;
}

static int l_base64(lua_State *L) {
  ws_slice text = ws_lua_slice(L, 1);
  size_t size = WS_BASE64_LENGTH(text.len);
  char *into = lua_newuserdatauv(L, size + 1, 0);
  ws_base64_encode(text.data, text.len, into);
  lua_pushlstring(L, into, size);
  return 1;
}

static int l_mask(lua_State *L) {
  ws_slice text = ws_lua_slice(L, 1);
  ws_slice key = ws_lua_slice(L, 2);
  if (key.len != 4)
    return ws_lua_raise(L, "TypeError", "a key of 4 bytes expected");
  uint8_t *into = lua_newuserdatauv(L, text.len + 1, 0);
  ws_mask_copy(into, (const uint8_t *)text.data, text.len,
               (const uint8_t *)key.data, 0);
  lua_pushlstring(L, (const char *)into, text.len);
  return 1;
}

/* ---------------------------------------------------------------- url */

static int push_url(lua_State *L) {
  static const char *const kinds[] = {"name", "ipv4", "ipv6"};
  const ws_url *url = lua_touserdata(L, 1);
  lua_createtable(L, 0, 10);
  ws_slice href = {(const char *)url->text.data, url->text.len};
  ws_lua_set_slice(L, "href", href);
  ws_lua_set_slice(L, "host", url->host);
  ws_lua_set_slice(L, "authority", url->authority);
  ws_lua_set_slice(L, "target", url->target);
  ws_lua_set_slice(L, "username", url->username);
  ws_lua_set_slice(L, "password", url->password);
  lua_pushfstring(L, "%s://", url->secure ? "wss" : "ws");
  ws_lua_push_slice(L, url->authority);
  lua_concat(L, 2);
  lua_setfield(L, -2, "origin");
  lua_pushstring(L, kinds[url->host_kind]);
  lua_setfield(L, -2, "hostKind");
  lua_pushboolean(L, url->secure);
  lua_setfield(L, -2, "secure");
  lua_pushinteger(L, url->port);
  lua_setfield(L, -2, "port");
  return 1;
}

static int l_url(lua_State *L) {
  ws_slice text = ws_lua_slice(L, 1);
  lua_pushcfunction(L, push_url); /* may raise: so before the URL is made */
  ws_url url;
  const char *why = NULL;
  int status = ws_url_parse(&url, text, ws_memory_resize, &why);
  if (status != 0) {
    lua_pushnil(L);
    lua_pushstring(L, why ? why : "not enough memory");
    return 2;
  }
  lua_pushlightuserdata(L, &url);
  int failed = lua_pcall(L, 1, 1, 0);
  ws_url_deinit(&url);
  return failed ? lua_error(L) : 1;
}

/* -------------------------------------------------------------- memory */

static int l_live(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ws_memory_live());
  return 1;
}

static int l_fail_allocation(lua_State *L) {
  if (!ws_is_integral(L, 1, 0, 9007199254740992.0))
    return ws_lua_raise(L, "TypeError", "a whole number expected");
  uint64_t left =
      ws_memory_fail((uint64_t)lua_tonumber(L, 1), lua_toboolean(L, 2));
  lua_pushnumber(L, (lua_Number)left);
  return 1;
}

void ws_lua_open_bytes(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"url", l_url},
      {"validUtf8", l_valid_utf8},
      {"isToken", l_is_token},
      {"headerValueOk", l_header_value_ok},
      {"ownsHeader", l_owns_header},
      {"reasonPhrase", l_reason_phrase},
      {"sha1", l_sha1},
      {"base64", l_base64},
      {"mask", l_mask},
      {"live", l_live},
      {"failAllocation", l_fail_allocation},
      {NULL, NULL}};
  ws_setfuncs(L, functions);
}
