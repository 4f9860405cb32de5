/* SPDX-License-Identifier: MIT */
/* Shared by the files of a connection: connection.c (life and end),
 * connection_open.c, connection_answer.c, connection_read.c,
 * connection_write.c, connection_together.c, connection_time.c. For nobody
 * else. */
#pragma once
#include "connection/connection.h"
#include "connection/connection_open.h"

typedef enum ws_phase {
  WS_PHASE_DIALLING,  /* no stream yet */
  WS_PHASE_SECURING,  /* the stream opens: TCP, TLS */
  WS_PHASE_LIVE,      /* the session runs */
  WS_PHASE_LINGERING, /* our last bytes are sent, what comes in is dropped */
  WS_PHASE_DEAD       /* no stream any more */
} ws_phase;

/* An IP address as the system wrote it, in little space: each connection has
 * one. */
typedef struct ws_end {
  uint8_t bytes[28];
  uint8_t len;
} ws_end;

struct ws_connection {
  /* What a message touches is kept together, for the CPU caches. */
  ws_hub *hub;
  ws_connection_config *config;
  const ws_connection_events *events; /* NULL once released */
  void *owner;
  ws_stream *stream;
  ws_cork *cork;    /* one of the hub's, or NULL: nothing is corked */
  int write_failed; /* the status of a write that failed, or WS_OK */
  uint8_t phase;
  uint8_t state;
  uint8_t paused;
  bool client;
  bool has_session;
  bool waiting;     /* a request waits for its answer */
  bool ended;       /* how it ends is settled; the owner will be told */
  bool finishing;   /* end TCP once everything is written */
  bool blocked;     /* the stream takes no more for now */
  bool hung_up;     /* a hang-up was reported while it may not read */
  bool read_ended;  /* the peer has ended its side, and may still read: it is
                     * lingering, or the last bytes are still to be sent */
  bool want_drain;
  bool awaiting_pong;
  bool answering;   /* plain HTTP: the answer has begun */
  bool open_ended;  /* plain HTTP: only the end of TCP marks the answer's */
  bool upgraded;    /* it became a WebSocket (or is a client's) */
  bool clean;
  bool told;        /* the owner was told of its end, or is being told */
  bool telling;     /* the owner is being told of its end */
  bool hurried;     /* the short deadline of a refusal's body runs */
  uint64_t visible;   /* bufferedAmount as the user sees it */
  uint64_t discarded; /* payload counted after closing began, or lost */
  uint64_t last_seen; /* loop time of its last sign of life */
  ws_outbox outbox;
  ws_buffer pending; /* input that could not be fed yet */
  ws_watch watch;
  ws_task flush;   /* at the end of a turn: write what was corked */
  ws_session session;

  ws_connection *next, *previous; /* in the hub */
  void *keeper;
  const ws_keeping *keeping; /* NULL once `died` was called */
  ws_connection_links links;
  ws_timer timer;
  ws_task attend;  /* later: go on reading, tell the owner of drain and end */
  ws_task burial;  /* after the turn: free */
  uint64_t ping_at;   /* loop time of the last automatic ping */
  uint64_t open_until; /* loop time by which it has to be OPEN */
  double ping_sent;   /* its payload: when it was sent; 0: none */
  double ping_before; /* the one before, whose pong may be late */
  double latency;     /* -1: unknown */
  const char *stage;
  ws_end peer;

  char *agreed;    /* protocol and extensions once the session is gone */
  uint32_t protocol_len, extensions_len;
  char *message;   /* why it failed, or NULL for the status's text */
  uint8_t *reason; /* of the peer's Close */
  int status;      /* why it failed, WS_OK when it did not */
  uint16_t code;   /* of the close event */
  uint8_t reason_len;
  bool buried;
};

/* ------------------------------------------------------ connection.c */

/* Settles how it ends. A later task calls on_error if status is not WS_OK, then
 * on_close. Only the first call counts. */
void ws_connection_settle(ws_connection *c, int status, const char *message,
                          unsigned code, bool clean);

/* Drops the stream and everything that waits, at once. */
void ws_connection_kill(ws_connection *c);

/* Our side is done: the last bytes are flushed; for a short while the peer's
 * are read and dropped, so that the system does not answer them with a reset;
 * then it dies. If its end is not settled yet, it is when the last byte has
 * left. */
void ws_connection_linger(ws_connection *c);

/* The closing handshake is complete: end TCP as the role requires. */
void ws_connection_closed(ws_connection *c);

/* The same, once TCP has ended or is no longer waited for. */
void ws_connection_end_clean(ws_connection *c);

/* Leaves what is to be done (on_open, reading, on_drain, the end) to a later
 * task. */
void ws_connection_attend_later(ws_connection *c);

/* Tells the owner that the opening handshake is done. */
void ws_connection_opened(ws_connection *c);

/* ------------------------------------------------ connection_answer.c */

/* To be called before the stream is freed: an answer that only the end of TCP
 * would mark as complete ends with a reset if it was cut short. */
void ws_connection_mark_cut(const ws_connection *c);

/* -------------------------------------------------- connection_read.c */

/* Input on its way through the session, while its events are delivered; lies on
 * the stack of whoever feeds. */
typedef struct ws_feeding {
  ws_connection *connection;
  uint8_t *data;
  size_t len, used;
  size_t told; /* bytes of delivered messages */
  int events;
  bool dry;       /* neither it nor the session has anything more */
  bool more;      /* it stopped so that others have their turn */
  bool kept;      /* `event` is still to be delivered */
  ws_event event;
} ws_feeding;

void ws_connection_ready(void *owner, unsigned events);

/* Fails it; the message begins with the stage, such as "http: ", or "". */
void ws_connection_fail_at(ws_connection *c, const char *stage, int status,
                           const char *why);

/* Goes on with the opening of the stream: TCP, TLS. */
void ws_connection_secure(ws_connection *c);

/* Feeds pending input, as far as that is allowed now. */
void ws_connection_resume(ws_connection *c);

/* Updates what the descriptor is watched for. */
void ws_connection_rewatch(ws_connection *c);

/* ------------------------------------------------- connection_write.c */

/* Gives a connection that has none a free cork, or takes another's away. */
ws_buffer *ws_connection_take_cork(ws_connection *c);

/* Where the session's bytes go: the connection's cork. */
static inline ws_buffer *ws_connection_out(ws_connection *c) {
  return c->cork ? &c->cork->bytes : ws_connection_take_cork(c);
}

/* The session wrote to the cork: makes sure that this is sent. */
void ws_connection_wrote(ws_connection *c);

/* True if more waits than max_backpressure allows, even after an attempt to
 * write it. */
bool ws_connection_overflows(ws_connection *c);

/* Sends an automatic ping of an OPEN connection, whatever waits: the program is
 * not to blame for it. */
void ws_connection_probe(ws_connection *c, const void *data, size_t len);

/* Flushes when the stream may take more again; returns what flush does. */
bool ws_connection_write_on(ws_connection *c);

/* Brings bufferedAmount up to date. Not to be called while a user's code runs:
 * bufferedAmount only falls between tasks (WebSockets Standard). */
void ws_connection_tell_buffered(ws_connection *c);

/* Drops what waits; bufferedAmount keeps counting it. */
void ws_connection_drop_output(ws_connection *c);

void ws_connection_flush_task(void *owner);

/* ---------------------------------------------- connection_together.c */

/* Flushes, but lets a little output wait for that of the connections which are
 * served next: the system's code for sending stays in the caches, and a peer on
 * another core is woken less often. Only in a turn, outside a user's code. */
void ws_connection_flush_together(ws_connection *c);

/* -------------------------------------------------- connection_time.c */

void ws_connection_timeout(void *owner);

/* Starts the timer for the phase and state it is in now. Without memory for it
 * the connection fails; it may be dead afterwards. */
void ws_connection_schedule(ws_connection *c);

/* Bytes came: the peer is alive. */
void ws_connection_seen(ws_connection *c);

/* The system took more of our bytes because the peer took some: it is alive and
 * reads. */
void ws_connection_moved(ws_connection *c);

/* True if this is the answer to an automatic ping. */
bool ws_connection_pong(ws_connection *c, const uint8_t *data, size_t len);
