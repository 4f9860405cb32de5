/* SPDX-License-Identifier: MIT */
/* loop:connect{...}: a client's connection. */
#include "connection/client.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "lua/lua_config.h"
#include "lua/lua_connection_type.h"
#include "lua/lua_events.h"
#include "lua/lua_tls.h"
#include "lua/lua_util.h"

#include <limits.h>
#include <string.h>

/* The field `proxy`, checked in Lua: nil, or a table. */
static void fill_proxy(lua_State *L, ws_client_proxy *proxy) {
  static const char *const kinds[] = {"http", "socks5", "socks4", NULL};
  lua_getfield(L, 2, "proxy");
  if (lua_isnil(L, -1)) return;
  int table = lua_gettop(L);
  luaL_checktype(L, table, LUA_TTABLE);
  lua_getfield(L, table, "kind");
  proxy->kind = (ws_tunnel_kind)luaL_checkoption(L, -1, "http", kinds);
  proxy->host = ws_lua_field_slice(L, table, "host");
  proxy->port = (uint16_t)ws_lua_field_size(L, table, "port", 0);
  proxy->user = ws_lua_field_slice(L, table, "user");
  proxy->password = ws_lua_field_slice(L, table, "password");
  proxy->has_user = proxy->user.data != NULL;
}

/* Reads the table at [2]; what this pushes keeps alive what the options point
 * to. */
static void fill_options(lua_State *L, ws_client_options *options) {
  options->protocols =
      ws_lua_field_list(L, 2, "protocols", &options->protocol_count);
  lua_getfield(L, 2, "headers");
  options->headers =
      ws_lua_headers(L, lua_gettop(L), &options->header_count);
  options->origin = ws_lua_field_slice(L, 2, "origin");
  options->servername = ws_lua_field_slice(L, 2, "servername");
  options->unix_path = ws_lua_field_slice(L, 2, "unixPath");
  options->family = (int)ws_lua_field_size(L, 2, "family", 0);
  options->block_ports = ws_lua_field_bool(L, 2, "blockPorts", false);
  options->parallel = ws_lua_field_bool(L, 2, "parallel", false);
  options->tls = ws_lua_field_tls(L, 2, false);
  uint64_t redirects = ws_lua_field_size(L, 2, "redirects", 0);
  options->redirects = redirects < UINT_MAX ? (unsigned)redirects : UINT_MAX;
  fill_proxy(L, &options->proxy);
}

static int keep_url(ws_link *link, const ws_url *url) {
  link->url = ws_memory_new(url->text.len + 1);
  if (!link->url) return WS_ENOMEM;
  memcpy(link->url, url->text.data, url->text.len);
  return WS_OK;
}

static int start(ws_lua_loop *loop, ws_link *link,
                 const ws_connection_config *settings,
                 ws_client_options *options, ws_slice text,
                 const char **why) {
  ws_url url;
  int status = ws_url_parse(&url, text, ws_memory_resize, why);
  if (status != WS_OK) return status;
  options->url = &url;
  ws_connection_config *config = ws_lua_keep_config(settings);
  status = config ? keep_url(link, &url) : WS_ENOMEM;
  if (status == WS_OK)
    status = ws_client_connect(&loop->hub, config, options, &ws_link_events,
                               link, &link->connection);
  ws_connection_config_unref(config);
  ws_url_deinit(&url);
  options->url = NULL;
  return status;
}

int ws_lua_connect(lua_State *L) {
  ws_lua_loop *loop = ws_lua_check_loop(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "handlers");
  ws_link *link = ws_link_new(L, loop, 3);
  ws_client_options options = {0};
  fill_options(L, &options);
  ws_slice text = ws_lua_field_slice(L, 2, "url");
  ws_connection_config settings = ws_lua_client_config(L, 2, &loop->hub);
  ws_tie_make(L, loop, &link->tie, 4);
  /* Nothing raises from here on until the tie is dropped again. */
  const char *why = NULL;
  int status = start(loop, link, &settings, &options, text, &why);
  if (status == WS_OK) {
    lua_settop(L, 4);
    return 1;
  }
  ws_tie_drop(L, loop, &link->tie);
  if (status == WS_ENOMEM) return luaL_error(L, "not enough memory");
  if (!why && options.unix_path.len > 0)
    why = "the path is too long for a Unix socket";
  return ws_lua_raise(L, "TypeError", "cannot connect: %s",
                      why ? why : ws_status_text(status));
}
