/* SPDX-License-Identifier: MIT */
/* One connection of the load generator: it opens, sends frames of the ring,
 * and counts and checks the messages that come back. For load*.c only. */
#pragma once
#include "load_ring.h"

#include <openssl/types.h>
#include <stdbool.h>

typedef enum peer_state {
  PEER_CONNECTING,
  PEER_SECURING,
  PEER_SHAKING,
  PEER_OPEN,
  PEER_CLOSED
} peer_state;

/* What all connections share. */
typedef struct load_plan {
  int epoll;
  int port;
  unsigned depth;    /* messages in flight per connection; 0: none is sent */
  bool check;        /* compare the first bytes of every message */
  bool deflate;      /* ask for permessage-deflate */
  bool close_opened; /* send a Close as soon as it is open */
  bool publish;      /* only the first connection sends */
  SSL_CTX *tls;      /* or NULL */
  load_ring ring;
  uint8_t *input; /* LOAD_INPUT bytes, shared by all */
  uint64_t messages, compressed; /* how many came back so far */
  uint64_t ended;                /* connections that were closed in order */
} load_plan;

typedef struct load_peer {
  int fd;
  peer_state state;
  bool sender;      /* it sends messages */
  bool watching_out;
  SSL *ssl;
  size_t slot, at;  /* next byte to send: offset `at` in the ring */
  size_t credit;    /* bytes that may be sent */
  size_t next;      /* the first slot not in `credit` yet */
  size_t expected;  /* number of the message that comes next */
  uint64_t left;    /* bytes of the frame's payload still to come */
  unsigned had;     /* bytes of `head`, or of the answer so far */
  bool first, final; /* the frame is its message's first, or last */
  uint8_t head[10]; /* of a frame whose header came in pieces */
  char answer[1024];
} load_peer;

/* Starts connecting; ends the program when that fails. */
void peer_start(load_plan *plan, load_peer *peer, bool sender);

/* Its descriptor is ready. A connection that fails ends the program. */
void peer_ready(load_plan *plan, load_peer *peer, unsigned events);

/* Sends the first `plan->depth` messages. Called once all are open. */
void peer_go(load_plan *plan, load_peer *peer);

void load_die(const char *what);
