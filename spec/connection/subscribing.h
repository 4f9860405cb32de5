/* SPDX-License-Identifier: MIT */
/* Helpers for the tests of topics and publications. */
#pragma once
#include "connection/raw.h"

static inline ws_topics *topics(party *p) {
  return ws_server_topics(p->server);
}

static inline void subscribe(party *p, side *s, const char *name) {
  CHECK_INT(ws_topics_subscribe(topics(p), s->connection, ws_slice_of(name)),
            WS_OK);
}

static inline ptrdiff_t publish(party *p, const char *name, const char *text,
                                const side *except) {
  return ws_topics_publish(topics(p), ws_slice_of(name), WS_TEXT, text,
                           strlen(text), except ? except->connection : NULL);
}

/* A client and its server's side, open. */
static inline side *join(party *p, side **client) {
  *client = party_open(p);
  return party_other(p);
}
