/* SPDX-License-Identifier: MIT */
/* Option tables -> the settings of sessions and connections. Types and ranges
 * have been checked in Lua; what is missing gets its default here. */
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

/* The field `deflate`: nil (off), or a table of checked options. */
static void field_deflate(lua_State *L, int t, ws_deflate_options *options) {
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
        ws_lua_field_count(L, d, "threshold", DEFLATE_THRESHOLD);
  }
  lua_pop(L, 1);
}

ws_session_config ws_lua_session_config(lua_State *L, int t, bool server,
                                        ws_deflate_pool *pool) {
  ws_session_config s = {0};
  s.limits.masked = server;
  s.limits.max_payload =
      ws_lua_field_size(L, t, "maxPayload",
                        server ? SERVER_MAX_PAYLOAD : CLIENT_MAX_PAYLOAD);
  /* As max_payload 0 means no limit, but as max_body it means no body. */
  if (server)
    s.max_body = s.limits.max_payload ? s.limits.max_payload : UINT64_MAX;
  s.resize = ws_memory_resize;
  s.random = ws_entropy;
  field_deflate(L, t, &s.deflate);
  s.pool = pool;
  return s;
}

static void fill_common(lua_State *L, int t, ws_connection_config *c) {
  c->close_timeout = ws_lua_field_size(L, t, "closeTimeout", 5000);
  c->ping_interval = ws_lua_field_size(L, t, "pingInterval", 0);
  c->ping_timeout = ws_lua_field_size(L, t, "pingTimeout", 0);
  c->high_water = ws_lua_field_count(L, t, "highWaterMark", HIGH_WATER);
  c->low_water = ws_lua_field_count(L, t, "lowWaterMark", c->high_water / 2);
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
  c.session = ws_lua_session_config(L, t, false, &hub->deflate);
  fill_common(L, t, &c);
  c.open_timeout = ws_lua_field_size(L, t, "timeout", 30000);
  return c;
}

ws_connection_config ws_lua_server_config(lua_State *L, int t, ws_hub *hub) {
  ws_connection_config c = {0};
  c.session = ws_lua_session_config(L, t, true, &hub->deflate);
  fill_common(L, t, &c);
  c.open_timeout = ws_lua_field_size(L, t, "handshakeTimeout", 10000);
  c.idle_timeout = ws_lua_field_size(L, t, "idleTimeout", 120000);
  c.max_backpressure =
      ws_lua_field_count(L, t, "maxBackpressure", MAX_BACKPRESSURE);
  c.drop_publishes = ws_lua_field_bool(L, t, "dropPublishes", false);
  return c;
}
