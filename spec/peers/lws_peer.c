/* SPDX-License-Identifier: MIT */
/* A peer with libwebsockets that obeys orders.   lws_peer server | client URL
 * A server prints its ports: plain, TLS. Output waits until the library says
 * that there is room. */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
  struct message *next;
  size_t len, room;
  int kind; /* LWS_WRITE_..., or CLOSE */
  unsigned char bytes[]; /* LWS_PRE of them before the payload */
} message;

typedef struct session {
  message *coming, *first, *last;
  bool control, open, dropped;
  int code; /* the Close's */
  char reason[128];
} session;

enum { CLOSE = 1000, NO_CODE = 1005, DROPPED = 1006 };

static struct lws_context *context;
static struct lws_vhost *host; /* the client's */
static struct lws *control;    /* the connection for reports */

/* ------------------------------------------------------------- sending */

static message *grow(message *m, size_t more) {
  size_t len = m ? m->len : 0;
  if (m && m->room - len >= more) return m;
  size_t room = 2 * len + more;
  message *grown = realloc(m, sizeof *grown + LWS_PRE + room);
  if (!grown) abort();
  if (!m) memset(grown, 0, sizeof *grown);
  grown->room = room;
  return grown;
}

static void push(struct lws *wsi, message *m, int kind) {
  session *s = lws_wsi_user(wsi);
  m->kind = kind;
  m->next = NULL;
  if (s->first) s->last->next = m;
  else s->first = m;
  s->last = m;
  lws_callback_on_writable(wsi);
}

static void send_bytes(struct lws *wsi, int kind, const void *bytes,
                       size_t len) {
  message *m = grow(NULL, len);
  memcpy(m->bytes + LWS_PRE, bytes, len);
  m->len = len;
  push(wsi, m, kind);
}

static void report(const char *what, int code, const char *reason) {
  char text[256];
  int len = snprintf(text, sizeof text, "%s %d %s", what, code, reason);
  send_bytes(control, LWS_WRITE_TEXT, text, (size_t)len);
}

/* -1 ends the connection. */
static int send_first(struct lws *wsi, session *s) {
  message *m = s->first;
  if (s->dropped) return -1;
  if (!m) return 0;
  if (m->kind == CLOSE) {
    lws_close_reason(wsi, (enum lws_close_status)s->code,
                     (unsigned char *)s->reason, strlen(s->reason));
    return -1;
  }
  int sent = lws_write(wsi, m->bytes + LWS_PRE, m->len,
                       (enum lws_write_protocol)m->kind);
  if (sent < (int)m->len) return -1;
  s->first = m->next;
  free(m);
  if (s->first) lws_callback_on_writable(wsi);
  return 0;
}

static void forget(session *s) {
  free(s->coming);
  while (s->first) {
    message *m = s->first;
    s->first = m->next;
    free(m);
  }
}

/* -------------------------------------------------------------- orders */

static void send_fragments(struct lws *wsi, bool binary) {
  int first = binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
  send_bytes(wsi, first | LWS_WRITE_NO_FIN, binary ? "\0" : "frag ",
             binary ? 1 : 5);
  send_bytes(wsi, LWS_WRITE_CONTINUATION | LWS_WRITE_NO_FIN,
             binary ? "\1\376" : "ment ", binary ? 2 : 5);
  send_bytes(wsi, LWS_WRITE_CONTINUATION, binary ? "\377" : "ed",
             binary ? 1 : 2);
}

/* The three bytes of one character. */
static void send_split(struct lws *wsi) {
  send_bytes(wsi, LWS_WRITE_TEXT | LWS_WRITE_NO_FIN, "\342", 1);
  send_bytes(wsi, LWS_WRITE_PING, "between", 7);
  send_bytes(wsi, LWS_WRITE_CONTINUATION, "\202\254", 2);
}

static void order(struct lws *wsi, session *s, const char *text) {
  char name[16] = "";
  int used = 0;
  sscanf(text, "!%15[a-z]%n", name, &used);
  const char *rest = text + used + (text[used] == ' ');
  if (!strcmp(name, "ping"))
    send_bytes(wsi, LWS_WRITE_PING, rest, strlen(rest));
  else if (!strcmp(name, "fragments"))
    send_fragments(wsi, !strcmp(rest, "binary"));
  else if (!strcmp(name, "split")) send_split(wsi);
  else if (!strcmp(name, "close")) {
    sscanf(rest, "%d %127[^\n]", &s->code, s->reason);
    send_bytes(wsi, CLOSE, "", 0);
  } else if (!strcmp(name, "terminate")) {
    s->dropped = true;
    lws_callback_on_writable(wsi);
  }
}

/* "open URL PROTOCOL,PROTOCOL" */
static void open_one(const char *text) {
  struct lws_client_connect_info info;
  char url[256] = "", protocols[128] = "";
  const char *scheme, *name, *path;
  int port;
  sscanf(text, "open %255s %127s", url, protocols);
  if (lws_parse_uri(url, &scheme, &name, &port, &path)) return;
  char full[256];
  snprintf(full, sizeof full, "/%s", path);
  memset(&info, 0, sizeof info);
  info.context = context;
  info.vhost = host;
  info.address = "127.0.0.1";
  info.host = name;
  info.port = port;
  info.path = full;
  info.protocol = protocols[0] ? protocols : NULL;
  info.local_protocol_name = "obey";
  info.ssl_connection = strcmp(scheme, "wss") ? 0 : LCCSCF_USE_SSL;
  struct lws *wsi = lws_client_connect_via_info(&info);
  if (!control) control = wsi;
}

/* -------------------------------------------------------------- events */

static void receive(struct lws *wsi, session *s, const void *data,
                    size_t len) {
  s->coming = grow(s->coming, len + lws_remaining_packet_payload(wsi) + 1);
  message *m = s->coming;
  memcpy(m->bytes + LWS_PRE + m->len, data, len);
  m->len += len;
  if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi))
    return;
  char *text = (char *)m->bytes + LWS_PRE;
  text[m->len] = '\0';
  s->coming = NULL;
  bool binary = lws_frame_is_binary(wsi);
  if (s->control || (!binary && text[0] == '!')) {
    if (s->control) open_one(text);
    else order(wsi, s, text);
    free(m);
    return;
  }
  push(wsi, m, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
}

static void pong(struct lws *wsi, const void *data, size_t len) {
  char text[160];
  int all = snprintf(text, sizeof text, "pong %.*s", (int)len,
                     (const char *)data);
  send_bytes(wsi, LWS_WRITE_TEXT, text, (size_t)all);
}

static void peer_closes(session *s, const unsigned char *data, size_t len) {
  s->code = len < 2 ? NO_CODE : data[0] << 8 | data[1];
  if (len > 2) memcpy(s->reason, data + 2, len - 2);
}

static void start(struct lws *wsi, session *s) {
  char path[32] = "";
  s->open = true;
  s->code = DROPPED;
  lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI);
  if (!strcmp(path, "/control")) control = wsi;
  s->control = wsi == control;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *data, size_t len) {
  session *s = user;
  switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_ESTABLISHED: start(wsi, s); break;
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_CLIENT_RECEIVE: receive(wsi, s, data, len); break;
    case LWS_CALLBACK_RECEIVE_PONG:
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG: pong(wsi, data, len); break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_WRITEABLE: return send_first(wsi, s);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: peer_closes(s, data, len); break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
      report("failed", 0, data ? (const char *)data : "");
      break;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_CLIENT_CLOSED:
      if (s->control) exit(0);
      report("closed", s->code, s->reason);
      forget(s);
      break;
    default: break;
  }
  return 0;
}

/* ---------------------------------------------------------------- main */

static const struct lws_protocols protocols[] = {
    {"obey", on_event, sizeof(session), 4096, 0, NULL, 0},
    {"chat.v1", on_event, sizeof(session), 4096, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0}};

static struct lws_vhost *listen_on(struct lws_context_creation_info *info) {
  info->port = 0;
  info->iface = "127.0.0.1";
  struct lws_vhost *made = lws_create_vhost(context, info);
  if (!made) exit(1);
  return made;
}

static void start_server(struct lws_context_creation_info *info) {
  info->vhost_name = "plain";
  struct lws_vhost *plain = listen_on(info);
  info->vhost_name = "secure";
  info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info->ssl_cert_filepath = "build/certs/server.pem";
  info->ssl_private_key_filepath = "build/certs/leaf.key";
  struct lws_vhost *secure = listen_on(info);
  printf("%d %d\n", lws_get_vhost_listen_port(plain),
         lws_get_vhost_listen_port(secure));
  fflush(stdout);
}

static void start_client(struct lws_context_creation_info *info,
                         const char *url) {
  char text[256];
  info->port = CONTEXT_PORT_NO_LISTEN;
  info->vhost_name = "client";
  info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  info->client_ssl_ca_filepath = "build/certs/root.pem";
  host = lws_create_vhost(context, info);
  if (!host) exit(1);
  snprintf(text, sizeof text, "open %s/control", url);
  open_one(text);
}

int main(int count, char **arguments) {
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
  info.protocols = protocols;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  if (count > 2) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
  context = lws_create_context(&info);
  if (!context) return 1;
  if (count > 2) start_client(&info, arguments[2]);
  else start_server(&info);
  while (lws_service(context, 0) >= 0) continue;
  return 0;
}
