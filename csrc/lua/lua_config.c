/* SPDX-License-Identifier: MIT */
/* Option tables -> the settings of connections. Types and ranges have been
 * checked in Lua; what is missing gets its default here. */
#include "lua/lua_config.h"

#include "bytes/memory.h"
#include "lua/lua_util.h"
#include "transport/entropy.h"

#define CLIENT_MAX_PAYLOAD ((uint64_t)64 * 1024 * 1024)
#define SERVER_MAX_PAYLOAD ((uint64_t)1024 * 1024)
#define HIGH_WATER ((uint64_t)1024 * 1024)
#define DEFLATE_LEVEL 6
#define DEFLATE_THRESHOLD 1024
#define MAX_BACKPRESSURE ((uint64_t)16 * 1024 * 1024)

void ws_lua_field_deflate(lua_State *L, int t, ws_deflate_options *options) {
  lua_getfield(L, t, "deflate");
  if (!lua_isnil(L, -1)) {
    int d = lua_gettop(L);
    luaL_checktype(L, d, LUA_TTABLE);
    options->enabled = ws_deflate_built_in;
    options->server_no_context =
        ws_lua_field_bool(L, d, "serverNoContextTakeover", false);
    options->client_no_context =
        ws_lua_field_bool(L, d, "clientNoContextTakeover", false);
    options->server_bits =
        (uint8_t)ws_lua_field_size(L, d, "serverMaxWindowBits", 0);
    options->client_bits =
        (uint8_t)ws_lua_field_size(L, d, "clientMaxWindowBits", 0);
    options->level = (int)ws_lua_field_size(L, d, "level", DEFLATE_LEVEL);
    options->threshold =
        (size_t)ws_lua_field_size(L, d, "threshold", DEFLATE_THRESHOLD);
  }
  lua_pop(L, 1);
}

static void fill_common(lua_State *L, int t, ws_connection_config *c,
                        ws_hub *hub) {
  ws_lua_field_deflate(L, t, &c->session.deflate);
  c->session.pool = &hub->deflate;
  c->session.resize = ws_memory_resize;
  c->session.random = ws_entropy;
  c->close_timeout = ws_lua_field_size(L, t, "closeTimeout", 5000);
  c->ping_interval = ws_lua_field_size(L, t, "pingInterval", 0);
  c->ping_timeout = ws_lua_field_size(L, t, "pingTimeout", 0);
  c->high_water =
      (size_t)ws_lua_field_size(L, t, "highWaterMark", HIGH_WATER);
  c->low_water =
      (size_t)ws_lua_field_size(L, t, "lowWaterMark", c->high_water / 2);
  c->no_delay = ws_lua_field_bool(L, t, "noDelay", true);
}

ws_connection_config *ws_lua_keep_config(const ws_connection_config *filled) {
  ws_connection_config *config = ws_connection_config_new();
  if (!config) return NULL;
  *config = *filled;
  config->references = 1;
  return config;
}

ws_connection_config ws_lua_client_config(lua_State *L, int t, ws_hub *hub) {
  ws_connection_config c = {0};
  fill_common(L, t, &c, hub);
  c.open_timeout = ws_lua_field_size(L, t, "timeout", 30000);
  c.session.limits.max_payload =
      ws_lua_field_size(L, t, "maxPayload", CLIENT_MAX_PAYLOAD);
  return c;
}

ws_connection_config ws_lua_server_config(lua_State *L, int t, ws_hub *hub) {
  ws_connection_config c = {0};
  fill_common(L, t, &c, hub);
  c.session.limits.masked = true;
  c.open_timeout = ws_lua_field_size(L, t, "handshakeTimeout", 10000);
  c.session.limits.max_payload =
      ws_lua_field_size(L, t, "maxPayload", SERVER_MAX_PAYLOAD);
  /* 0 is no limit for the one, and no body for the other. */
  c.session.max_body =
      c.session.limits.max_payload ? c.session.limits.max_payload : UINT64_MAX;
  c.idle_timeout = ws_lua_field_size(L, t, "idleTimeout", 120000);
  c.max_backpressure = (size_t)ws_lua_field_size(L, t, "maxBackpressure",
                                                 MAX_BACKPRESSURE);
  c.drop_publishes = ws_lua_field_bool(L, t, "dropPublishes", false);
  return c;
}
