/* SPDX-License-Identifier: MIT */
/* libwebsockets in the bench: prints its port and serves an echo. Messages are
 * queued, and sent back when the library says that there is room. */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct message {
  struct message *next;
  size_t len, room;
  bool binary;
  unsigned char bytes[]; /* LWS_PRE of them before the payload */
} message;

typedef struct session {
  message *coming, *first, *last;
} session;

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

static void receive(struct lws *wsi, session *s, const void *data,
                    size_t len) {
  message *m = grow(s->coming, len + lws_remaining_packet_payload(wsi));
  s->coming = m;
  memcpy(m->bytes + LWS_PRE + m->len, data, len);
  m->len += len;
  if (lws_remaining_packet_payload(wsi) > 0 || !lws_is_final_fragment(wsi))
    return;
  m->binary = lws_frame_is_binary(wsi);
  m->next = NULL;
  if (s->first) s->last->next = m;
  else s->first = m;
  s->last = m;
  s->coming = NULL;
  lws_callback_on_writable(wsi);
}

/* -1 ends the connection. */
static int send_waiting(struct lws *wsi, session *s) {
  while (s->first && !lws_send_pipe_choked(wsi)) {
    message *m = s->first;
    int sent = lws_write(wsi, m->bytes + LWS_PRE, m->len,
                         m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    if (sent < (int)m->len) return -1;
    s->first = m->next;
    free(m);
  }
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

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *data, size_t len) {
  if (reason == LWS_CALLBACK_RECEIVE) receive(wsi, user, data, len);
  else if (reason == LWS_CALLBACK_CLOSED) forget(user);
  else if (reason == LWS_CALLBACK_SERVER_WRITEABLE)
    return send_waiting(wsi, user);
  return 0;
}

int main(void) {
  static const struct lws_protocols protocols[] = {
      {"echo", on_event, sizeof(session), 128 * 1024, 0, NULL, 0},
      {NULL, NULL, 0, 0, 0, NULL, 0}};
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  lws_set_log_level(LLL_ERR, NULL);
  info.port = 0;
  info.iface = "127.0.0.1";
  info.protocols = protocols;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  struct lws_context *context = lws_create_context(&info);
  struct lws_vhost *host = context ? lws_create_vhost(context, &info) : NULL;
  if (!host) return 1;
  printf("%d\n", lws_get_vhost_listen_port(host));
  fflush(stdout);
  while (lws_service(context, 0) >= 0) continue;
  return 0;
}
