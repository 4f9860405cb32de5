/* SPDX-License-Identifier: MIT */
/* The Lua type ws.tls. */
#include "lua/lua_tls.h"

#include "bytes/status.h"
#include "lua/lua_util.h"

#define TYPE "ws.tls"

typedef struct box {
  ws_tls *tls;
  bool server;
} box;

ws_tls *ws_lua_check_tls(lua_State *L, int index, bool server) {
  box *b = ws_lua_check(L, index, TYPE);
  if (!b->tls) luaL_error(L, "the TLS context is gone");
  if (b->server != server)
    ws_lua_raise(L, "TypeError", "a %s's TLS context expected",
                 server ? "server" : "client");
  return b->tls;
}

ws_tls *ws_lua_field_tls(lua_State *L, int table, bool server) {
  ws_lua_field(L, table, "tls");
  ws_tls *tls = lua_isnil(L, -1) ? NULL : ws_lua_check_tls(L, -1, server);
  lua_pop(L, 1);
  return tls;
}

int ws_lua_new_tls(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  ws_tls_options options = {0};
  options.server = ws_lua_field_bool(L, 1, "server", false);
  options.no_verify = !ws_lua_field_bool(L, 1, "verify", true);
  options.request_cert = ws_lua_field_bool(L, 1, "requestCert", false);
  options.require_cert = ws_lua_field_bool(L, 1, "requireCert", false);
  options.ca = ws_lua_field_slice(L, 1, "ca");
  options.cert = ws_lua_field_slice(L, 1, "cert");
  options.key = ws_lua_field_slice(L, 1, "key");
  options.password = ws_lua_field_slice(L, 1, "password");
  options.ciphers = ws_lua_field_slice(L, 1, "ciphers");
  options.min_version = ws_lua_field_slice(L, 1, "minVersion");
  options.pins = ws_lua_field_list(L, 1, "pins", &options.pin_count);
  box *b = ws_lua_object(L, TYPE, sizeof *b, 0);
  b->server = options.server;
  char why[512] = "";
  int status = ws_tls_new(&options, &b->tls, why, sizeof why);
  if (status != WS_OK)
    return ws_lua_failure(L, status, why[0] ? why : NULL);
  return 1;
}

static int l_add_name(lua_State *L) {
  ws_tls *tls = ws_lua_check_tls(L, 1, true);
  ws_slice name = ws_lua_slice(L, 2);
  int status = ws_tls_add_name(tls, name, ws_lua_check_tls(L, 3, true));
  if (status != WS_OK) return ws_lua_failure(L, status, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_collect(lua_State *L) {
  box *b = ws_lua_check(L, 1, TYPE);
  ws_tls_unref(b->tls);
  b->tls = NULL;
  return 0;
}

void ws_lua_open_tls(lua_State *L) {
  static const luaL_Reg methods[] = {{"addName", l_add_name}, {NULL, NULL}};
  ws_lua_type(L, TYPE, methods, l_collect);
  lua_pop(L, 1);
}
