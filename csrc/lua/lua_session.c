/* SPDX-License-Identifier: MIT */
/* The Lua type ws.session: bytes in, events and bytes out. */
#include "lua/lua_session.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "bytes/utf8.h"
#include "lua/lua_config.h"
#include "lua/lua_request.h"
#include "lua/lua_util.h"
#include "protocol/session.h"
#include "protocol/url.h"

#include <string.h>

#define TYPE "ws.session"
#define MAGIC 0x77735f32u

typedef struct ws_lua_session {
  uint32_t magic; /* MAGIC: guards against forged objects */
  ws_session session;
  ws_session_config config;
  ws_deflate_pool pool;
  ws_buffer in;    /* fed, not yet told */
  ws_buffer out;   /* written, not yet taken */
  ws_buffer taken; /* out's bytes, on their way to Lua */
  ws_event event;  /* the last; its bytes lie in `in` and in the session */
  size_t used;     /* bytes of `in` up to the event's end */
  bool untold;     /* pushing it failed: the next call returns it */
  bool begun;
  bool ended;      /* endInput was called */
  bool end_told;
  bool telling;    /* the event is being pushed */
  bool giving;     /* `taken` is being pushed */
} ws_lua_session;

/* Checks the magic number, as the type's name would take longer to look up. */
static ws_lua_session *check_type(lua_State *L) {
  ws_lua_session *self = lua_touserdata(L, 1);
  if (!self || lua_rawlen(L, 1) != sizeof *self || self->magic != MAGIC)
    ws_lua_raise(L, "TypeError", TYPE " expected, got %s",
                 luaL_typename(L, 1));
  return self;
}

static ws_lua_session *check(lua_State *L) {
  ws_lua_session *self = check_type(L);
  if (!self->begun) luaL_error(L, "the session is gone");
  return self;
}

/* For functions that move the bytes an event lies in: a finalizer that calls
 * them may run while the event is pushed. */
static ws_lua_session *check_told(lua_State *L) {
  ws_lua_session *self = check(L);
  if (self->telling) luaL_error(L, "the session has not told its last event");
  return self;
}

/* Calls a function with one argument, both on the top of the stack, with *flag
 * set meanwhile. Pushing these two may itself run finalizers: do it before
 * anything else. */
static int call_under(lua_State *L, bool *flag) {
  int below = lua_gettop(L) - 2;
  *flag = true;
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  *flag = false;
  return status == LUA_OK ? lua_gettop(L) - below : lua_error(L);
}

static int succeed(lua_State *L, int status) {
  if (status == WS_ENOMEM) return luaL_error(L, "not enough memory");
  if (status != WS_OK) return ws_lua_failure(L, status, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

/* -------------------------------------------------------------- making */

static int begin_with(ws_lua_session *self, ws_handshake_request *request,
                      const ws_url *url) {
  ws_buffer login;
  ws_buffer_init(&login, ws_memory_resize, 0);
  int status = ws_handshake_authorization(url, ws_memory_resize, &login);
  request->target = url->target;
  request->host = url->authority;
  request->authorization = (ws_slice){(const char *)login.data, login.len};
  if (status == WS_OK)
    status = ws_session_init_client(&self->session, &self->config, request,
                                    &self->out);
  ws_buffer_deinit(&login);
  return status;
}

static int begin_client(lua_State *L, ws_lua_session *self) {
  ws_handshake_request request;
  memset(&request, 0, sizeof request);
  request.protocols =
      ws_lua_field_list(L, 1, "protocols", &request.protocol_count);
  lua_getfield(L, 1, "headers");
  request.headers = ws_lua_headers(L, lua_gettop(L), &request.header_count);
  request.origin = ws_lua_field_slice(L, 1, "origin");
  ws_slice text = ws_lua_field_slice(L, 1, "url");
  ws_url url;
  const char *why = NULL;
  int status = ws_url_parse(&url, text, ws_memory_resize, &why);
  if (status == WS_EURL)
    return ws_lua_raise(L, "SyntaxError", "%s", why);
  if (status == WS_OK) {
    status = begin_with(self, &request, &url);
    ws_url_deinit(&url);
  }
  if (status == WS_ENOMEM) return luaL_error(L, "not enough memory");
  if (status != WS_OK)
    return ws_lua_raise(L, "TypeError", "a header is not allowed in the "
                                        "request");
  return 0;
}

int ws_lua_new_session(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  ws_lua_session *self = ws_lua_object(L, TYPE, sizeof *self, 0);
  self->magic = MAGIC;
  lua_getfield(L, 1, "role");
  const char *role = lua_tostring(L, -1);
  bool client = role && strcmp(role, "client") == 0;
  if (!role || (!client && strcmp(role, "server") != 0))
    return ws_lua_raise(L, "TypeError",
                        "role: \"client\" or \"server\" expected");
  self->config = ws_lua_session_config(L, 1, !client, &self->pool);
  ws_deflate_pool_init(&self->pool, ws_memory_resize);
  ws_buffer_init(&self->in, ws_memory_resize, 0);
  ws_buffer_init(&self->out, ws_memory_resize, 0);
  ws_buffer_init(&self->taken, ws_memory_resize, 0);
  if (client) begin_client(L, self);
  else ws_session_init_server(&self->session, &self->config);
  self->begun = true;
  lua_settop(L, 2);
  return 1;
}

static int l_collect(lua_State *L) {
  ws_lua_session *self = check_type(L);
  if (self->begun) ws_session_deinit(&self->session);
  self->begun = false;
  /* What was never initialized is all zeros, which is fine. */
  ws_deflate_pool_deinit(&self->pool);
  ws_buffer_deinit(&self->in);
  ws_buffer_deinit(&self->out);
  ws_buffer_deinit(&self->taken);
  return 0;
}

/* -------------------------------------------------------------- events */

static int push_open(lua_State *L, const ws_lua_session *self) {
  lua_pushliteral(L, "open");
  ws_lua_push_slice(L, ws_session_protocol(&self->session));
  ws_lua_push_slice(L, ws_session_extensions(&self->session));
  return 3;
}

static int push_data(lua_State *L, const char *type, const ws_event *event) {
  lua_pushstring(L, type);
  lua_pushlstring(L, event->data ? (const char *)event->data : "",
                  event->len);
  return 2;
}

static int push_message(lua_State *L, const ws_event *event) {
  push_data(L, "message", event);
  lua_pushstring(L, event->opcode == WS_TEXT ? "text" : "binary");
  return 3;
}

static int push_close(lua_State *L, const ws_event *event) {
  lua_pushliteral(L, "close");
  lua_pushinteger(L, event->code);
  lua_pushlstring(L, event->data ? (const char *)event->data : "",
                  event->len);
  return 3;
}

static int push_fail(lua_State *L, const ws_event *event) {
  lua_pushliteral(L, "error");
  lua_pushstring(L, event->why ? event->why : ws_status_text(event->status));
  lua_pushstring(L, ws_status_name(event->status));
  return 3;
}

/* A finalizer may end the session meanwhile, but the head stays valid. */
static int push_request(lua_State *L, const ws_lua_session *self) {
  const ws_http_head *head = ws_session_request(&self->session);
  bool upgrade =
      ws_session_verdict(&self->session)->kind == WS_REQUEST_UPGRADE;
  lua_pushliteral(L, "request");
  ws_lua_push_head(L, head, upgrade);
  return 2;
}

static int push_event(lua_State *L) {
  const ws_lua_session *self = lua_touserdata(L, 1);
  const ws_event *event = &self->event;
  switch (event->type) {
    case WS_EVENT_OPEN: return push_open(L, self);
    case WS_EVENT_MESSAGE: return push_message(L, event);
    case WS_EVENT_PING: return push_data(L, "ping", event);
    case WS_EVENT_PONG: return push_data(L, "pong", event);
    case WS_EVENT_CLOSE: return push_close(L, event);
    case WS_EVENT_FAIL: return push_fail(L, event);
    case WS_EVENT_REQUEST: return push_request(L, self);
    case WS_EVENT_BODY: return push_data(L, "body", event);
    case WS_EVENT_BODY_END: lua_pushliteral(L, "bodyEnd"); return 1;
    case WS_EVENT_NONE: break;
  }
  return 0;
}

static void find_event(ws_lua_session *self) {
  memset(&self->event, 0, sizeof self->event);
  self->used = ws_session_feed(&self->session, self->in.data, self->in.len,
                               &self->out, &self->event);
  if (self->event.type == WS_EVENT_NONE && self->ended && !self->end_told) {
    self->end_told = true;
    ws_session_end(&self->session, &self->event);
  }
}

static void forget_event(ws_lua_session *self) {
  ws_buffer_consume(&self->in, self->used);
  self->untold = false;
}

/* True for an untold event after our Close: there are no messages any more, and
 * no request to answer. */
static bool is_outdated(const ws_lua_session *self) {
  const ws_session *session = &self->session;
  ws_event_type type = self->event.type;
  return (type == WS_EVENT_MESSAGE && ws_session_state(session) != WS_OPEN) ||
         (type == WS_EVENT_REQUEST && !ws_session_request(session));
}

/* The next event, or nil when more bytes are needed. */
static int l_next(lua_State *L) {
  ws_lua_session *self = check_told(L);
  lua_pushcfunction(L, push_event);
  lua_pushlightuserdata(L, self);
  if (self->untold && is_outdated(self)) forget_event(self);
  if (!self->untold) find_event(self);
  self->untold = self->event.type != WS_EVENT_NONE;
  int count = 0;
  if (self->untold) count = call_under(L, &self->telling);
  forget_event(self);
  return count;
}

/* An untold event lies in `in`, and moves with it. */
static int l_feed(lua_State *L) {
  ws_lua_session *self = check_told(L);
  ws_slice bytes = ws_lua_slice(L, 2);
  uintptr_t at = (uintptr_t)self->event.data - (uintptr_t)self->in.data;
  bool moves = self->untold && at < self->in.len;
  int status = ws_buffer_append(&self->in, bytes.data, bytes.len);
  if (moves) self->event.data = self->in.data + at;
  return status == WS_OK ? 0 : luaL_error(L, "not enough memory");
}

static int l_end_input(lua_State *L) {
  check(L)->ended = true;
  return 0;
}

static int push_taken(lua_State *L) {
  const ws_lua_session *self = lua_touserdata(L, 1);
  ws_slice bytes = {(const char *)self->taken.data, self->taken.len};
  ws_lua_push_slice(L, bytes);
  return 1;
}

/* A finalizer that runs meanwhile may write to `out`, but is given no bytes. If
 * pushing them fails, the next call returns them. */
static int l_output(lua_State *L) {
  ws_lua_session *self = check(L);
  lua_pushcfunction(L, push_taken);
  lua_pushlightuserdata(L, self);
  if (self->giving) {
    lua_pushliteral(L, "");
    return 1;
  }
  if (!self->taken.base) {
    self->taken = self->out;
    ws_buffer_init(&self->out, ws_memory_resize, 0);
  }
  int count = call_under(L, &self->giving);
  ws_buffer_deinit(&self->taken);
  return count;
}

/* ------------------------------------------------------------- sending */

/* send(data [, opcode [, discard]]): with `discard` data is only checked. */
static int l_send(lua_State *L) {
  ws_lua_session *self = check(L);
  ws_slice data = ws_lua_slice_of(L, 2, "send");
  unsigned opcode = ws_lua_opcode(L, 3, "send");
  if (opcode == WS_TEXT &&
      !ws_utf8_valid((const uint8_t *)data.data, data.len))
    return ws_lua_raise(L, "TypeError", "send: text is not UTF-8");
  if (lua_toboolean(L, 4)) return succeed(L, WS_OK);
  return succeed(L, ws_session_send(&self->session, opcode, data.data,
                                    data.len, &self->out));
}

/* control("ping" or "pong" [, data [, discard]]) */
static int l_control(lua_State *L) {
  ws_lua_session *self = check(L);
  const char *name = luaL_checkstring(L, 2);
  bool pong = strcmp(name, "pong") == 0;
  if (!pong && strcmp(name, "ping") != 0)
    return ws_lua_raise(L, "TypeError", "\"ping\" or \"pong\" expected");
  ws_slice data = {"", 0};
  if (!lua_isnoneornil(L, 3)) data = ws_lua_slice_of(L, 3, name);
  if (data.len > WS_CONTROL_MAX)
    return ws_lua_raise(L, "TypeError", "%s: at most 125 bytes, got %d", name,
                        (int)data.len);
  if (lua_toboolean(L, 4)) return succeed(L, WS_OK);
  unsigned opcode = pong ? WS_PONG : WS_PING;
  return succeed(L, ws_session_control(&self->session, opcode, data.data,
                                       data.len, &self->out));
}

static int l_close(lua_State *L) {
  ws_lua_session *self = check(L);
  unsigned code = ws_lua_code(L, 2, 0);
  ws_slice reason = {"", 0};
  if (!lua_isnoneornil(L, 3)) reason = ws_lua_slice(L, 3);
  if (reason.len > WS_CONTROL_MAX - 2)
    return ws_lua_raise(L, "SyntaxError", "close: at most 123 bytes");
  return succeed(L, ws_session_close(&self->session, code, reason.data,
                                     reason.len, &self->out));
}

/* ----------------------------------------------------------- answering */

static int l_accept(lua_State *L) {
  ws_lua_session *self = check_told(L);
  ws_slice protocol = {NULL, 0};
  if (!lua_isnoneornil(L, 2)) protocol = ws_lua_slice(L, 2);
  size_t count;
  const ws_header *headers = ws_lua_headers(L, 3, &count);
  return succeed(L, ws_session_accept(&self->session, protocol, headers,
                                      count, &self->out));
}

static int l_refuse(lua_State *L) {
  ws_lua_session *self = check(L);
  unsigned status = ws_lua_code(L, 2, 0);
  ws_slice body = {NULL, 0};
  if (!lua_isnoneornil(L, 3)) body = ws_lua_slice(L, 3);
  size_t count;
  const ws_header *headers = ws_lua_headers(L, 4, &count);
  return succeed(L, ws_session_refuse(&self->session, status, body, headers,
                                      count, &self->out));
}

static int l_finish(lua_State *L) {
  ws_session_finish(&check(L)->session);
  return 0;
}

/* The subprotocol and the extensions, "" for none. */
static int l_agreed(lua_State *L) {
  const ws_lua_session *self = check(L);
  ws_lua_push_slice(L, ws_session_protocol(&self->session));
  ws_lua_push_slice(L, ws_session_extensions(&self->session));
  return 2;
}

static int l_state(lua_State *L) {
  lua_pushinteger(L, ws_session_state(&check(L)->session));
  return 1;
}

static int l_clean(lua_State *L) {
  lua_pushboolean(L, ws_session_clean(&check(L)->session));
  return 1;
}

void ws_lua_open_session(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"feed", l_feed},     {"next", l_next},         {"output", l_output},
      {"send", l_send},     {"control", l_control},   {"close", l_close},
      {"accept", l_accept}, {"refuse", l_refuse},     {"finish", l_finish},
      {"state", l_state},   {"endInput", l_end_input}, {"clean", l_clean},
      {"agreed", l_agreed},
      {NULL, NULL}};
  ws_lua_type(L, TYPE, methods, l_collect);
  lua_pop(L, 1);
}
