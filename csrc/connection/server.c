/* SPDX-License-Identifier: MIT */
/* Listening and the list of connections. Requests are judged by protocol/
 * and answered by the connections' owner. */
#include "connection/server.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "connection/connection_open.h"
#include "transport/socket.h"
#include "transport/stream_tcp.h"

#include <stdio.h>

/* Connections accepted in a row before others get their turn. */
#define ACCEPT_BUDGET 64

/* Without descriptors or memory: how long accepting pauses, in
 * milliseconds. */
#define ACCEPT_PAUSE 100

struct ws_server {
  ws_hub *hub; /* NULL once abandoned */
  ws_server *next, *previous; /* in the hub */
  ws_connection_config *config;
  const ws_connection_events *connection_events;
  const ws_server_events *events;
  void *owner; /* NULL once released */
  ws_watch watch;
  ws_timer pause;
  ws_task closed_task;
  ws_task burial;
  ws_fd listener;
  ws_address address;
  ws_tls *tls;
  ws_topics topics;
  ws_connection *first;
  size_t count; /* of all, including those still in their handshake */
  size_t max_connections;
  bool on_path; /* a Unix socket */
  bool closing;
  bool buried;
};

/* ---------------------------------------------------------------- end */

static void leave_hub(ws_server *server) {
  if (server->previous) server->previous->next = server->next;
  else server->hub->servers = server->next;
  if (server->next) server->next->previous = server->previous;
}

static void bury(void *owner) {
  ws_server *server = owner;
  if (server->hub) leave_hub(server);
  ws_topics_deinit(&server->topics);
  ws_tls_unref(server->tls);
  ws_connection_config_unref(server->config);
  ws_memory_free(server);
}

/* Frees the server once it does not listen, has no connections and no owner. */
static void bury_if_done(ws_server *server) {
  if (server->owner || server->count > 0 || server->buried) return;
  bool tells = ws_task_waits(&server->closed_task);
  if (server->listener != WS_FD_NONE || tells) return;
  server->buried = true;
  ws_loop_dispose(server->hub->loop, &server->burial);
}

static void end_listener(ws_server *server) {
  ws_socket_close(server->listener);
  server->listener = WS_FD_NONE;
  ws_socket_unlink(&server->address);
}

static void stop_listening(ws_server *server) {
  if (server->listener == WS_FD_NONE) return;
  ws_loop_unwatch(server->hub->loop, &server->watch);
  ws_loop_stop_timer(server->hub->loop, &server->pause);
  end_listener(server);
  ws_loop_release(server->hub->loop);
}

static void tell_closed(void *owner) {
  ws_server *server = owner;
  if (server->owner && server->events->on_closed)
    server->events->on_closed(server->owner);
  bury_if_done(server);
}

static void closed_if_done(ws_server *server) {
  if (server->closing && server->count == 0)
    ws_loop_post(server->hub->loop, &server->closed_task);
  bury_if_done(server);
}

/* --------------------------------------------------------------- list */

/* If the system has no memory for that, it is tried again after a pause. The
 * timer runs or has just fired: starting it needs no memory. */
static void resume_accepting(void *owner) {
  ws_server *server = owner;
  if (server->listener == WS_FD_NONE) return;
  ws_loop *loop = server->hub->loop;
  if (ws_loop_want(loop, &server->watch, WS_READABLE) == WS_OK)
    ws_loop_stop_timer(loop, &server->pause);
  else (void)ws_loop_start_timer(loop, &server->pause, ACCEPT_PAUSE);
}

static void on_died(void *keeper, ws_connection *connection) {
  ws_server *server = keeper;
  ws_connection_links *links = ws_connection_links_of(connection);
  ws_topics_leave(&server->topics, connection);
  if (links->previous)
    ws_connection_links_of(links->previous)->next = links->next;
  else
    server->first = links->next;
  if (links->next)
    ws_connection_links_of(links->next)->previous = links->previous;
  links->next = links->previous = NULL;
  server->count--;
  if (ws_timer_running(&server->pause)) resume_accepting(server);
  closed_if_done(server);
}

static const ws_keeping keeping = {.died = on_died};

static void add(ws_server *server, ws_connection *connection) {
  ws_connection_links *links = ws_connection_links_of(connection);
  links->next = server->first;
  if (server->first)
    ws_connection_links_of(server->first)->previous = connection;
  server->first = connection;
  server->count++;
  ws_connection_set_keeper(connection, server, &keeping);
}

/* ---------------------------------------------------------- accepting */

/* One connection too many: gets a 503, unless it speaks TLS, and is closed. */
static void turn_away(const ws_server *server, ws_fd fd) {
  static const char busy[] =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
      "Content-Length: 0\r\n\r\n";
  ws_slice answer = {busy, sizeof busy - 1};
  if (!server->tls) ws_socket_write(fd, &answer, 1);
  ws_socket_shutdown(fd);
  ws_socket_close(fd);
}

static ws_stream *make_stream(const ws_server *server, ws_fd fd) {
  ws_stream *stream = ws_stream_tcp_new(fd);
  if (!stream) {
    ws_socket_close(fd);
    return NULL;
  }
  if (!server->tls) return stream;
  ws_stream *tls = NULL;
  ws_slice none = {NULL, 0};
  if (ws_stream_tls_new(stream, server->tls, none, none, &tls) == WS_OK)
    return tls;
  ws_stream_free(stream);
  return NULL;
}

static void welcome(ws_server *server, ws_fd fd, const ws_address *peer) {
  if (!server->on_path) ws_connection_tune(server->config, fd);
  ws_stream *stream = make_stream(server, fd);
  if (!stream) return;
  ws_connection *connection = ws_connection_new(
      server->hub, server->config, server->connection_events, NULL);
  if (!connection) {
    ws_stream_free(stream);
    return;
  }
  add(server, connection);
  void *owner = server->events->on_accept(server->owner, connection);
  if (owner) ws_connection_set_owner(connection, owner);
  else ws_connection_release(connection);
  if (ws_connection_state(connection) != WS_CONNECTING) { /* ended already */
    ws_stream_free(stream);
    return;
  }
  ws_connection_set_stage(connection, server->tls ? "tls: the handshake"
                                                  : "http: the request");
  if (ws_connection_start_deadline(connection) != WS_OK ||
      ws_connection_attach_from(connection, stream, peer) != WS_OK) {
    ws_stream_free(stream);
    ws_connection_fail(connection, WS_ENOMEM, NULL);
  }
}

static void pause_accepting(ws_server *server) {
  ws_loop *loop = server->hub->loop;
  if (ws_loop_start_timer(loop, &server->pause, ACCEPT_PAUSE) == WS_OK)
    ws_loop_want(loop, &server->watch, 0);
}

static void on_ready(void *owner, unsigned events) {
  ws_server *server = owner;
  (void)events;
  if (server->tls && ws_hub_is_crowded(server->hub)) return;
  for (int i = 0; i < ACCEPT_BUDGET; i++) {
    if (server->listener == WS_FD_NONE) return;
    ws_fd fd;
    ws_address peer;
    int status = ws_socket_accept(server->listener, &fd, &peer);
    if (status == WS_ECONNABORTED) continue;
    if (status == WS_EAGAIN) return;
    if (status != WS_OK) {
      pause_accepting(server);
      return;
    }
    if (server->max_connections && server->count >= server->max_connections)
      turn_away(server, fd);
    else
      welcome(server, fd, &peer);
  }
}

/* ---------------------------------------------------------- listening */

static int choose_address(const ws_server_options *options,
                          ws_address *address) {
  if (options->path.len > 0) return ws_address_unix(address, options->path);
  ws_slice host = options->host;
  if (host.len == 0 || ws_slice_equal(host, ws_slice_of("localhost")))
    host = ws_slice_of("127.0.0.1");
  if (ws_slice_equal(host, ws_slice_of("*"))) host = ws_slice_of("0.0.0.0");
  return ws_address_parse(address, host, options->port) ? WS_OK : WS_EINVAL;
}

static void say_no_address(const ws_server_options *options, char *why,
                           size_t why_size) {
  if (options->path.len > 0)
    snprintf(why, why_size,
             "cannot listen: the path is too long for a Unix socket");
  else
    snprintf(why, why_size, "cannot listen: '%.*s' is not an address",
             (int)options->host.len, options->host.data);
}

static void say_refused(const ws_server *server, uint16_t port, int status,
                        char *why, size_t why_size) {
  char text[WS_ADDRESS_TEXT];
  const char *reason = ws_status_text(status);
  ws_address_text(&server->address, text);
  if (server->on_path)
    snprintf(why, why_size, "cannot listen on %s: %s", text, reason);
  else
    snprintf(why, why_size, "cannot listen on %s port %u: %s", text, port,
             reason);
}

static int listen_at(ws_server *server, const ws_server_options *options,
                     char *why, size_t why_size) {
  int status = choose_address(options, &server->address);
  if (status != WS_OK) {
    say_no_address(options, why, why_size);
    return status;
  }
  ws_listen_options listening = {options->backlog, options->reuse_port};
  status = ws_socket_listen(&server->address, &listening, &server->listener);
  if (status != WS_OK) {
    say_refused(server, options->port, status, why, why_size);
    return status;
  }
  if (!server->on_path &&
      !ws_socket_local(server->listener, &server->address)) {
    snprintf(why, why_size, "cannot listen: the port cannot be determined");
    return WS_ENOBUFS;
  }
  status = ws_loop_watch(server->hub->loop, &server->watch, server->listener,
                         WS_READABLE);
  if (status != WS_OK)
    say_refused(server, options->port, status, why, why_size);
  return status;
}

static ws_server *make(ws_hub *hub, ws_connection_config *config,
                       const ws_server_options *options) {
  ws_server *server = ws_memory_new(sizeof *server);
  if (!server) return NULL;
  server->hub = hub;
  server->next = hub->servers;
  if (server->next) server->next->previous = server;
  hub->servers = server;
  server->config = config;
  config->references++;
  server->listener = WS_FD_NONE;
  server->tls = options->tls ? ws_tls_ref(options->tls) : NULL;
  server->max_connections = options->max_connections;
  server->on_path = options->path.len > 0;
  server->watch.ready = on_ready;
  server->pause.fire = resume_accepting;
  server->closed_task.run = tell_closed;
  server->burial.run = bury;
  server->watch.owner = server->pause.owner = server;
  server->closed_task.owner = server->burial.owner = server;
  return server;
}

int ws_server_listen(ws_hub *hub, ws_connection_config *config,
                     const ws_server_options *options,
                     const ws_connection_events *connection_events,
                     const ws_server_events *events, void *owner,
                     ws_server **result, char *why, size_t why_size) {
  snprintf(why, why_size, "%s", ws_status_text(WS_ENOMEM));
  ws_server *server = make(hub, config, options);
  if (!server) return WS_ENOMEM;
  server->connection_events = connection_events;
  server->events = events;
  int status = listen_at(server, options, why, why_size);
  if (status != WS_OK) {
    if (server->listener != WS_FD_NONE) end_listener(server);
    bury(server);
    return status;
  }
  server->owner = owner;
  ws_loop_hold(hub->loop);
  *result = server;
  return WS_OK;
}

void ws_server_close(ws_server *server, unsigned code) {
  if (server->closing) return;
  server->closing = true; /* an abandoned one is closed already */
  stop_listening(server);
  ws_connection *next;
  for (ws_connection *c = server->first; c; c = next) {
    next = ws_connection_links_of(c)->next;
    if (ws_connection_state(c) == WS_CONNECTING) ws_connection_turn_away(c);
    else ws_connection_close(c, code, NULL, 0);
    /* The next one may fail as well, and leave the list: then start again from
     * the first; closing one twice does no harm. */
    if (next && ws_server_of(next) != server) next = server->first;
  }
  closed_if_done(server);
}

void ws_server_release(ws_server *server) {
  server->owner = NULL;
  if (!server->hub) {
    bury(server);
    return;
  }
  stop_listening(server);
  bury_if_done(server);
}

void ws_server_abandon(ws_server *server) {
  ws_loop *loop = server->hub->loop;
  stop_listening(server);
  ws_loop_cancel(loop, &server->closed_task);
  ws_loop_cancel(loop, &server->burial);
  leave_hub(server);
  server->hub = NULL;
  server->closing = true;
  if (!server->owner) bury(server);
}

void ws_server_set_tls(ws_server *server, ws_tls *tls) {
  ws_tls *before = server->tls;
  server->tls = ws_tls_ref(tls);
  ws_tls_unref(before);
}

const ws_address *ws_server_address(const ws_server *server) {
  return &server->address;
}

size_t ws_server_count(const ws_server *server) {
  size_t count = 0;
  for (ws_connection *c = server->first; c;
       c = ws_connection_links_of(c)->next)
    if (ws_connection_state(c) == WS_OPEN ||
        ws_connection_state(c) == WS_CLOSING)
      count++;
  return count;
}

ws_connection *ws_server_first(const ws_server *server) {
  return server->first;
}

ws_connection *ws_server_next(ws_connection *connection) {
  return ws_connection_links_of(connection)->next;
}

ws_topics *ws_server_topics(ws_server *server) { return &server->topics; }

ws_server *ws_server_of(const ws_connection *connection) {
  return ws_connection_keeper_if(connection, &keeping);
}
