/* SPDX-License-Identifier: MIT */
/* From a request's head to the table that handlers get, and then its answer. */
#include "lua/lua_request.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "lua/lua_server.h"
#include "lua/lua_util.h"

#include <string.h>

/* While a request waits for its answer (and until on_open). */
typedef struct ws_lua_request {
  int table;      /* in the registry */
  ws_buffer body; /* of a plain request */
  bool plain;
} ws_lua_request;

/* ---------------------------------------------------------- the table */

/* Pushes the name in lower case. */
static void push_name(lua_State *L, ws_slice name) {
  char lower[128];
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (size_t done = 0; done < name.len; done += sizeof lower) {
    size_t len = name.len - done;
    if (len > sizeof lower) len = sizeof lower;
    for (size_t i = 0; i < len; i++) {
      char c = name.data[done + i];
      lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    luaL_addlstring(&text, lower, len);
  }
  luaL_pushresult(&text);
}

/* Repeated headers are joined by ", " (RFC 9110 section 5.3), cookies by
 * "; ". */
static void add_header(lua_State *L, const ws_http_header *header) {
  push_name(L, header->name);
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    ws_lua_push_slice(L, header->value);
  } else {
    bool cookie =
        ws_slice_equal_nocase(header->name, ws_slice_of("cookie"));
    lua_pushstring(L, cookie ? "; " : ", ");
    ws_lua_push_slice(L, header->value);
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

static void set_target(lua_State *L, ws_slice target) {
  const char *mark = target.len ? memchr(target.data, '?', target.len) : NULL;
  ws_slice path = target;
  if (mark) {
    path.len = (size_t)(mark - target.data);
    ws_slice query = {mark + 1, target.len - path.len - 1};
    ws_lua_set_slice(L, "query", query);
  }
  ws_lua_set_slice(L, "path", path);
}

static void set_protocols(lua_State *L, const ws_http_head *head) {
  lua_newtable(L);
  ws_offer_walk walk = {.head = head};
  ws_slice protocol;
  for (int n = 1; ws_handshake_next_offer(&walk, &protocol); n++) {
    ws_lua_push_slice(L, protocol);
    lua_rawseti(L, -2, n);
  }
  lua_setfield(L, -2, "protocols");
}

void ws_lua_push_head(lua_State *L, const ws_http_head *head, bool upgrade) {
  lua_createtable(L, 0, 10);
  ws_lua_set_slice(L, "method", head->method);
  lua_pushstring(L, head->minor > 0 ? "1.1" : "1.0");
  lua_setfield(L, -2, "httpVersion");
  set_target(L, head->target);
  lua_createtable(L, 0, (int)head->header_count);
  for (size_t i = 0; i < head->header_count; i++)
    add_header(L, &head->headers[i]);
  /* Two Origin headers are one list here as well, so that neither is
   * trusted. */
  lua_getfield(L, -1, "origin");
  lua_setfield(L, -3, "origin");
  lua_setfield(L, -2, "headers");
  set_protocols(L, head);
  lua_pushboolean(L, upgrade);
  lua_setfield(L, -2, "upgrade");
  lua_pushboolean(L, ws_handshake_same_origin(head));
  lua_setfield(L, -2, "sameOrigin");
}

/* ------------------------------------------------------------ arriving */

static void set_remote(lua_State *L, const ws_link *link) {
  ws_address address;
  bool known = ws_connection_peer(link->connection, &address);
  ws_lua_push_address(L, known ? &address : NULL);
  lua_setfield(L, -2, "remoteAddress");
}

typedef struct arrival {
  ws_link *link;
  const ws_http_head *head;
  bool upgrade;
  bool done;
} arrival;

static void enter_keep(lua_State *L, void *argument) {
  arrival *a = argument;
  ws_lua_push_head(L, a->head, a->upgrade);
  set_remote(L, a->link);
  a->link->request->table = luaL_ref(L, LUA_REGISTRYINDEX);
  a->done = true;
}

/* judge(conn, request) */
static void enter_judge(lua_State *L, void *argument) {
  ws_link *link = argument;
  lua_rawgeti(L, LUA_REGISTRYINDEX, link->server->judge);
  ws_link_push(L, link);
  ws_request_push_table(L, link);
  ws_lua_request *request = link->request;
  if (request->plain) {
    ws_slice body = {(const char *)request->body.data, request->body.len};
    ws_lua_set_slice(L, "body", body);
    ws_buffer_deinit(&request->body);
  }
  lua_call(L, 2, 0);
}

/* If the judge raises, maybe because memory ran out, it will not answer any
 * more. */
static void judge(ws_link *link) {
  static const char text[] = "The server failed to answer.\n";
  ws_slice body = {text, sizeof text - 1};
  if (!ws_gate_enter(&link->loop->gate, enter_judge, link))
    ws_connection_refuse(link->connection, 500, body, NULL, 0);
}

static const char not_allowed[] =
    "This Origin may not connect: see the server's option `origins`.\n";

/* Decides if the server has no judge. */
static void decide(ws_link *link, const ws_http_head *head) {
  ws_slice none = {NULL, 0};
  if (!ws_handshake_same_origin(head)) {
    ws_slice body = {not_allowed, sizeof not_allowed - 1};
    ws_connection_refuse(link->connection, 403, body, NULL, 0);
  } else {
    ws_connection_accept(link->connection, none, NULL, 0);
  }
}

static bool keep_request(ws_link *link, const ws_http_head *head,
                         bool upgrade) {
  ws_lua_request *request = ws_memory_new(sizeof *request);
  if (!request) return false;
  request->table = LUA_NOREF;
  request->plain = !upgrade;
  ws_buffer_init(&request->body, ws_memory_resize, 0);
  link->request = request;
  arrival a = {link, head, upgrade, false};
  ws_gate_enter(&link->loop->gate, enter_keep, &a);
  return a.done;
}

static void expect_body(ws_link *link, const ws_http_head *head) {
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  if (head->minor > 0 && ws_http_has_token(head, "expect", "100-continue"))
    ws_connection_write(link->connection, go_on, sizeof go_on - 1);
}

void ws_request_arrived(void *owner, const ws_http_head *head,
                        const ws_handshake_verdict *verdict) {
  ws_link *link = owner;
  ws_lua_server *server = link->server;
  bool upgrade = verdict->kind == WS_REQUEST_UPGRADE;
  if (!server) {
    ws_connection_terminate(link->connection);
    return;
  }
  if (!upgrade && !server->plain) return; /* answered once it is complete */
  bool judged = server->judge != LUA_NOREF;
  bool shown = link->handlers->functions[WS_HANDLER_OPEN] != LUA_NOREF;
  if ((judged || shown) && !keep_request(link, head, upgrade)) {
    ws_connection_fail(link->connection, WS_ENOMEM, NULL);
    return;
  }
  if (!upgrade) expect_body(link, head);
  else if (judged) judge(link);
  else decide(link, head);
}

void ws_request_body(void *owner, const uint8_t *data, size_t len) {
  ws_link *link = owner;
  if (!link->request) return;
  if (ws_buffer_append(&link->request->body, data, len) != WS_OK)
    ws_connection_fail(link->connection, WS_ENOMEM, NULL);
}

void ws_request_complete(void *owner) {
  ws_link *link = owner;
  if (link->request && link->server && link->server->judge != LUA_NOREF) {
    judge(link);
    return;
  }
  static const char text[] = "This is a WebSocket server.\n";
  ws_slice body = {text, sizeof text - 1};
  ws_connection_refuse(link->connection, 426, body, NULL, 0);
}

static void enter_gone(lua_State *L, void *argument) {
  ws_link *link = argument;
  lua_rawgeti(L, LUA_REGISTRYINDEX, link->server->http_closed);
  ws_link_push(L, link);
  lua_call(L, 1, 0);
}

void ws_request_gone(ws_link *link) {
  bool known = link->request && link->server;
  if (known && link->server->http_closed != LUA_NOREF)
    ws_gate_enter(&link->loop->gate, enter_gone, link);
}

void ws_request_push_table(lua_State *L, const ws_link *link) {
  if (link->request)
    lua_rawgeti(L, LUA_REGISTRYINDEX, link->request->table);
  else
    lua_pushnil(L);
}

void ws_request_free(ws_link *link, lua_State *L) {
  ws_lua_request *request = link->request;
  link->request = NULL;
  if (!request) return;
  luaL_unref(L, LUA_REGISTRYINDEX, request->table);
  ws_buffer_deinit(&request->body);
  ws_memory_free(request);
}

/* ------------------------------------------------------------- answers */

static int answered(lua_State *L, int status, const char *mistake) {
  if (status == WS_EINVAL) return ws_lua_failure(L, status, mistake);
  if (status != WS_OK) return ws_lua_failure(L, status, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

int ws_lua_accept(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  ws_slice protocol = {NULL, 0};
  if (!lua_isnoneornil(L, 2)) protocol = ws_lua_slice(L, 2);
  size_t count;
  const ws_header *headers = ws_lua_headers(L, 3, &count);
  int status = ws_connection_accept(link->connection, protocol, headers, count);
  return answered(L, status, "the subprotocol was not offered, or a header is "
                             "not allowed in the response");
}

int ws_lua_refuse(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  unsigned code = ws_lua_code(L, 2, 0);
  ws_slice body = {NULL, 0};
  if (!lua_isnoneornil(L, 3)) body = ws_lua_slice(L, 3);
  size_t count;
  const ws_header *headers = ws_lua_headers(L, 4, &count);
  int status =
      ws_connection_refuse(link->connection, code, body, headers, count);
  return answered(L, status, "the status is not one of 200 to 999, or a "
                             "header is not allowed in the response");
}

/* On anything but a plain request, raw bytes would end up among the frames. */
static bool is_plain(const ws_link *link) {
  return link->request && link->request->plain;
}

/* The client has gone: nil, and why. */
static int fail_gone(lua_State *L, const ws_link *link) {
  const char *message;
  int status = ws_connection_failure(link->connection, &message);
  return ws_lua_failure(L, status, message);
}

int ws_lua_write_raw(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  ws_slice data = ws_lua_slice(L, 2);
  int status = WS_ECONNABORTED;
  if (is_plain(link))
    status = ws_connection_write(link->connection, data.data, data.len);
  if (status != WS_OK) return fail_gone(L, link);
  lua_pushboolean(L, ws_connection_writable(link->connection));
  return 1;
}

int ws_lua_open_ended(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  if (is_plain(link)) ws_connection_open_ended(link->connection);
  return 0;
}

int ws_lua_finish_raw(lua_State *L) {
  ws_link *link = ws_link_check(L, 1);
  ws_slice last = {NULL, 0};
  if (!lua_isnoneornil(L, 2)) last = ws_lua_slice(L, 2);
  int status = WS_ECONNABORTED;
  if (is_plain(link))
    status = ws_connection_finish(link->connection, last.data, last.len);
  if (status != WS_OK) return fail_gone(L, link);
  lua_pushboolean(L, 1);
  return 1;
}
