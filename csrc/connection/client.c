/* SPDX-License-Identifier: MIT */
/* Opens a connection as a client, stage by stage. An opening keeps what only it
 * needs, and is freed as soon as the connection is open or gone. */
#include "connection/client.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "connection/connection_open.h"
#include "connection/dial.h"
#include "connection/proxy.h"
#include "protocol/blocked_port.h"
#include "protocol/redirect.h"
#include "transport/socket.h"
#include "transport/stream_tcp.h"

#include <stdio.h>
#include <string.h>

typedef struct opening {
  ws_hub *hub;
  ws_connection *connection;
  ws_connection_config *config;
  ws_dial *dial;
  ws_tls *tls;      /* NULL for ws */
  bool to_path;     /* a Unix socket */
  bool by_proxy;
  bool block_ports;
  bool parallel;
  ws_permit *permit; /* while held, no other opens to this address */
  uint16_t port;
  ws_client_proxy proxy;
  ws_tls *ready;    /* for redirects to wss; NULL: none */
  unsigned redirects; /* how many may still be followed */
  int family;
  ws_task again;    /* follows a redirect, or refuses a blocked port */
  ws_url url;       /* what is asked for; kept for redirects only */
  ws_url next;      /* where the last redirect led */
  ws_buffer text;   /* what the slices below point into */
  ws_handshake_request request;
  ws_slice host;    /* without brackets */
  ws_slice servername;
  ws_slice path;    /* a Unix socket's */
  ws_slice *protocols;
  ws_header *headers;
} opening;

static void free_opening(opening *o) {
  ws_dial_cancel(o->dial);
  ws_permit_free(o->permit);
  ws_loop_cancel(o->hub->loop, &o->again);
  ws_tls_unref(o->tls);
  ws_tls_unref(o->ready);
  ws_url_deinit(&o->url);
  ws_url_deinit(&o->next);
  ws_buffer_deinit(&o->text);
  ws_memory_free(o->protocols);
  ws_memory_free(o->headers);
  ws_memory_free(o);
}

/* The connection is open, or has ended before. */
static void on_done(void *keeper, ws_connection *connection) {
  (void)connection;
  free_opening(keeper);
}

static void fail(opening *o, int status, const char *message) {
  ws_connection_fail(o->connection, status, message);
}

/* ------------------------------------------------------------- stages */

static void on_secured(void *keeper) {
  opening *o = keeper;
  ws_connection *c = o->connection;
  ws_connection_set_stage(c, "http: the opening handshake");
  int status = ws_connection_begin_client(c, &o->request);
  if (status != WS_OK) ws_connection_fail(c, status, NULL);
}

static int add_proxy(const opening *o, ws_stream **stream) {
  ws_tunnel_target target = {.kind = o->proxy.kind,
                             .host = o->host,
                             .port = o->port,
                             .has_user = o->proxy.has_user,
                             .user = o->proxy.user,
                             .password = o->proxy.password};
  return ws_stream_proxy_new(*stream, &target, stream);
}

/* The stack of streams: TCP, above it the tunnel through a proxy, above that
 * TLS, each if needed. */
static ws_stream *make_stream(opening *o, ws_fd fd, int *status) {
  ws_stream *stream = ws_stream_tcp_new(fd);
  if (!stream) {
    *status = WS_ENOMEM;
    ws_socket_close(fd);
    return NULL;
  }
  *status = o->by_proxy ? add_proxy(o, &stream) : WS_OK;
  if (*status == WS_OK && o->tls)
    *status =
        ws_stream_tls_new(stream, o->tls, o->host, o->servername, &stream);
  if (*status == WS_OK) return stream;
  ws_stream_free(stream);
  return NULL;
}

static const char *stage_of(const opening *o) {
  if (o->by_proxy) return "proxy: the way to the host";
  return o->tls ? "tls: the handshake" : "http: the opening handshake";
}

/* The proxy may come from the environment: whoever reads of an address that no
 * line of the program names has to be told whose it is. */
static void fail_dialling(opening *o, const ws_dial_result *result) {
  char message[424];
  const char *text = result->message;
  if (o->by_proxy && text) {
    snprintf(message, sizeof message, "%.400s (the proxy)", text);
    text = message;
  }
  fail(o, result->status, text);
}

static void on_dialled(void *owner, const ws_dial_result *result) {
  opening *o = owner;
  o->dial = NULL;
  if (result->status != WS_OK) {
    fail_dialling(o, result);
    return;
  }
  o->permit = result->permit;
  if (!o->to_path) ws_connection_tune(o->config, result->fd);
  int status;
  ws_stream *stream = make_stream(o, result->fd, &status);
  if (!stream) {
    fail(o, status, status == WS_EINVAL && o->tls
                        ? "tls: the host cannot be checked"
                        : NULL);
    return;
  }
  ws_connection *c = o->connection;
  ws_connection_set_stage(c, stage_of(o));
  status = ws_connection_attach(c, stream);
  if (status == WS_OK) return; /* `o` may be gone */
  ws_stream_free(stream);
  fail(o, status, NULL);
}

static void on_stage(void *owner, const char *stage) {
  opening *o = owner;
  ws_connection_set_stage(o->connection, stage);
}

static const ws_dial_events dial_events = {on_stage, on_dialled};

/* ---------------------------------------------------------- redirects */

static ws_slice bare_host(const ws_url *url) {
  ws_slice host = url->host;
  if (url->host_kind != WS_HOST_IPV6) return host;
  return (ws_slice){host.data + 1, host.len - 2};
}

/* Another origin does not get what was meant for the first: any header may hold
 * a secret. */
static void drop_secrets(opening *o) {
  o->request.header_count = 0;
  o->request.authorization = (ws_slice){NULL, 0};
  o->servername = (ws_slice){NULL, 0};
}

static void refuse_port(void *owner) {
  fail(owner, WS_ECONNREFUSED,
       "tcp: connection refused: another protocol's port, blocked as in "
       "browsers (option anyPort)");
}

/* S45: a blocked port is reported later, as failures of the network are. */
static int dial(opening *o) {
  if (o->block_ports && !o->to_path && ws_port_is_blocked(o->port)) {
    o->again = (ws_task){.run = refuse_port, .owner = o};
    ws_loop_post(o->hub->loop, &o->again);
    return WS_OK;
  }
  ws_dial_target target = {o->by_proxy ? o->proxy.host : o->host,
                           o->by_proxy ? o->proxy.port : o->port, o->family,
                           o->path, o->parallel || o->by_proxy};
  return ws_dial_start(o->hub, &target, &dial_events, o, &o->dial);
}

/* The connection was redirected and waits: dials the next host. */
static void again(void *owner) {
  opening *o = owner;
  ws_connection_detach(o->connection);
  ws_permit_free(o->permit);
  o->permit = NULL;
  if (!ws_redirect_same_origin(&o->url, &o->next)) drop_secrets(o);
  ws_url_deinit(&o->url);
  o->url = o->next;
  memset(&o->next, 0, sizeof o->next);
  o->redirects--;
  o->host = bare_host(&o->url);
  o->port = o->url.port;
  o->request.target = o->url.target;
  o->request.host = o->url.authority;
  ws_tls_unref(o->tls);
  o->tls = o->url.secure ? ws_tls_ref(o->ready) : NULL;
  ws_connection_set_stage(o->connection, "tcp: connecting");
  int status = dial(o);
  if (status != WS_OK) fail(o, status, NULL);
}

/* Some redirects are reported as refusals instead: from wss to ws, to wss
 * without TLS settings, and, with a client certificate, to another origin's
 * wss, for which it was not meant. */
static bool must_not_follow(const opening *o) {
  if (!o->next.secure) return o->url.secure;
  if (!o->ready) return true;
  return ws_tls_has_cert(o->ready) &&
         !ws_redirect_same_origin(&o->url, &o->next);
}

static bool on_answer(void *keeper, const ws_http_head *head) {
  opening *o = keeper;
  const char *why;
  if (!ws_redirect_is(head) || o->redirects == 0) return false;
  ws_url_deinit(&o->next);
  int status =
      ws_redirect_url(head, &o->url, ws_memory_resize, &o->next, &why);
  if (status != WS_OK || must_not_follow(o)) return false;
  ws_loop_post(o->hub->loop, &o->again);
  return true;
}

static int keep_for_redirects(opening *o, const ws_client_options *options) {
  const char *why;
  o->redirects = options->redirects;
  o->again.run = again;
  o->again.owner = o;
  if (o->redirects == 0) return WS_OK;
  if (options->tls) o->ready = ws_tls_ref(options->tls);
  ws_slice text = {(const char *)options->url->text.data,
                   options->url->text.len};
  return ws_url_parse(&o->url, text, ws_memory_resize, &why);
}

/* -------------------------------------------------------------- setup */

/* Copies a slice to the text. Room was reserved, so the text does not move. */
static ws_slice keep(opening *o, ws_slice slice) {
  ws_slice kept = {(const char *)o->text.data + o->text.len, slice.len};
  ws_buffer_append(&o->text, slice.data, slice.len);
  return kept;
}

/* S48. Room in the text was reserved for this, too. */
static int authorize(opening *o, const ws_url *url) {
  ws_slice *value = &o->request.authorization;
  size_t before = o->text.len;
  int status = ws_handshake_authorization(url, ws_memory_resize, &o->text);
  *value = (ws_slice){(const char *)o->text.data + before,
                      o->text.len - before};
  return status;
}

static size_t text_size(const ws_client_options *options) {
  const ws_url *url = options->url;
  size_t size = url->target.len + url->authority.len + url->host.len +
                options->origin.len + options->servername.len +
                options->proxy.host.len + options->proxy.user.len +
                options->proxy.password.len + options->unix_path.len;
  size += 16 + 2 * (url->username.len + url->password.len + 4);
  for (size_t i = 0; i < options->protocol_count; i++)
    size += options->protocols[i].len;
  for (size_t i = 0; i < options->header_count; i++)
    size += options->headers[i].name.len + options->headers[i].value.len;
  return size;
}

static void keep_lists(opening *o, const ws_client_options *options) {
  for (size_t i = 0; i < options->protocol_count; i++)
    o->protocols[i] = keep(o, options->protocols[i]);
  for (size_t i = 0; i < options->header_count; i++) {
    o->headers[i].name = keep(o, options->headers[i].name);
    o->headers[i].value = keep(o, options->headers[i].value);
  }
  o->request.protocols = o->protocols;
  o->request.protocol_count = options->protocol_count;
  o->request.headers = o->headers;
  o->request.header_count = options->header_count;
}

static int fill(opening *o, const ws_client_options *options) {
  const ws_url *url = options->url;
  ws_buffer_init(&o->text, ws_memory_resize, 0);
  o->protocols =
      ws_memory_new((options->protocol_count + 1) * sizeof *o->protocols);
  o->headers =
      ws_memory_new((options->header_count + 1) * sizeof *o->headers);
  if (!o->protocols || !o->headers ||
      ws_buffer_reserve(&o->text, text_size(options)) != WS_OK)
    return WS_ENOMEM;
  o->request.target = keep(o, url->target);
  o->request.host = keep(o, url->authority);
  o->request.origin = keep(o, options->origin);
  o->host = keep(o, bare_host(url));
  o->servername = keep(o, options->servername);
  o->path = keep(o, options->unix_path);
  o->to_path = options->unix_path.len > 0;
  o->port = url->port;
  o->family = options->family;
  o->block_ports = options->block_ports;
  o->parallel = options->parallel;
  o->by_proxy = options->proxy.host.len > 0;
  o->proxy = options->proxy;
  o->proxy.host = keep(o, options->proxy.host);
  o->proxy.user = keep(o, options->proxy.user);
  o->proxy.password = keep(o, options->proxy.password);
  keep_lists(o, options);
  return authorize(o, url);
}

static int check(const ws_client_options *options) {
  if (options->url->secure && !options->tls) return WS_EINVAL;
  if (!ws_http_value_ok(options->origin)) return WS_EINVAL;
  for (size_t i = 0; i < options->header_count; i++) {
    const ws_header *header = &options->headers[i];
    if (!ws_slice_is_token(header->name) || ws_handshake_owns(header->name) ||
        !ws_http_value_ok(header->value))
      return WS_EINVAL;
  }
  return WS_OK;
}

static int begin(opening *o, ws_connection_config *config,
                 const ws_client_options *options) {
  int status = fill(o, options);
  if (status == WS_OK) status = keep_for_redirects(o, options);
  if (status != WS_OK) return status;
  if (options->url->secure) o->tls = ws_tls_ref(options->tls);
  o->config = config;
  status = ws_connection_start_deadline(o->connection);
  if (status != WS_OK) return status;
  ws_connection_set_stage(o->connection, "tcp: connecting");
  return dial(o);
}

int ws_client_connect(ws_hub *hub, ws_connection_config *config,
                      const ws_client_options *options,
                      const ws_connection_events *events, void *owner,
                      ws_connection **connection) {
  int status = check(options);
  if (status != WS_OK) return status;
  opening *o = ws_memory_new(sizeof *o);
  if (!o) return WS_ENOMEM;
  ws_connection *c = ws_connection_new_client(hub, config, events, owner);
  if (!c) {
    ws_memory_free(o);
    return WS_ENOMEM;
  }
  o->connection = c;
  o->hub = hub;
  status = begin(o, config, options);
  if (status != WS_OK) {
    free_opening(o);
    ws_connection_release(c);
    return status;
  }
  static const ws_keeping keeping = {on_done, on_secured, on_answer};
  ws_connection_set_keeper(c, o, &keeping);
  *connection = c;
  return WS_OK;
}
