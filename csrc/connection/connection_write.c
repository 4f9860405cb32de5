/* SPDX-License-Identifier: MIT */
/* Writing: frames gather in a cork while a connection is dealt with and leave
 * in one write at the end; what the system does not take waits in the outbox.
 * bufferedAmount is kept here. */
#include "connection/connection_parts.h"

#include "bytes/status.h"
#include "transport/socket.h"

#include <assert.h>

/* A payload this long is not copied if its owner can keep it. */
#define LONG_PAYLOAD ((size_t)16 * 1024)

/* If more than this waits, it is written before the turn ends. */
#define FLUSH_AT ((size_t)1024 * 1024)

static size_t corked(const ws_connection *c) {
  return c->cork ? c->cork->bytes.len : 0;
}

static size_t unwritten(const ws_connection *c) {
  return corked(c) + c->outbox.bytes;
}

static void give_cork_back(ws_connection *c) {
  if (!c->cork) return;
  ws_corks_give_back(&c->hub->corks, c->cork);
  c->cork = NULL;
}

/* Moves the corked bytes to the outbox. */
static int uncork(ws_connection *c) {
  if (!c->cork) return WS_OK;
  int status = WS_OK;
  if (corked(c) > 0) {
    status = ws_outbox_copy(&c->outbox, c->cork->bytes.data, corked(c),
                            c->cork->payload);
    if (c->cork->begun) ws_outbox_begun(&c->outbox);
  }
  give_cork_back(c);
  return status;
}

ws_buffer *ws_connection_take_cork(ws_connection *c) {
  ws_corks *corks = &c->hub->corks;
  assert(c->phase != WS_PHASE_DEAD); /* or the cork would outlive it */
  while (!(c->cork = ws_corks_take(corks, c))) {
    ws_connection *other = ws_corks_victim(corks);
    if (uncork(other) != WS_OK)
      ws_connection_fail(other, WS_ENOMEM, NULL);
  }
  return &c->cork->bytes;
}

void ws_connection_drop_output(ws_connection *c) {
  give_cork_back(c);
  c->discarded = c->visible;
  ws_outbox_clear(&c->outbox);
}

/* -------------------------------------------------------------- flush */

/* The first bytes of what waits, outbox before cork. */
static size_t gather(ws_connection *c, ws_slice *slices) {
  size_t count = ws_outbox_gather(&c->outbox, slices, WS_SOCKET_GATHER - 1);
  bool all = c->outbox.bytes == 0 || count < WS_SOCKET_GATHER - 1;
  if (all && corked(c) > 0) {
    slices[count].data = (const char *)c->cork->bytes.data;
    slices[count].len = c->cork->bytes.len;
    count++;
  }
  return count;
}

static void advance(ws_connection *c, size_t len) {
  size_t queued = c->outbox.bytes < len ? c->outbox.bytes : len;
  ws_outbox_advance(&c->outbox, queued);
  if (len - queued == corked(c)) give_cork_back(c);
  else if (len > queued) ws_cork_advance(c->cork, len - queued);
}

/* What arrived before the peer was gone is still read, as its Close may be
 * there; but nothing of interest follows a plain request. */
static bool write_failed(ws_connection *c, int status) {
  if (c->phase == WS_PHASE_LINGERING) {
    ws_connection_kill(c);
    return false;
  }
  if (c->read_ended) { /* its Close has come, and it has gone since */
    ws_connection_end_clean(c);
    return false;
  }
  if (c->write_failed == WS_OK) c->write_failed = status;
  bool gone = status == WS_EPIPE || status == WS_ECONNRESET;
  if (!gone || c->phase != WS_PHASE_LIVE || c->answering) {
    ws_connection_fail(c, status, ws_stream_why(c->stream));
    return false;
  }
  ws_connection_drop_output(c);
  return true;
}

static bool write_all(ws_connection *c) {
  while (!c->blocked && unwritten(c) > 0) {
    ws_slice slices[WS_SOCKET_GATHER];
    size_t count = gather(c, slices);
    ptrdiff_t wrote = ws_stream_write(c->stream, slices, count);
    if (wrote == WS_EAGAIN) c->blocked = true;
    else if (wrote < 0) return write_failed(c, (int)wrote);
    else advance(c, (size_t)wrote);
    /* An answer may take any time, as long as the peer takes some of it. */
    bool answers = c->answering || c->phase == WS_PHASE_LINGERING;
    if (wrote > 0 && answers && c->status == WS_OK)
      ws_connection_schedule(c);
    if (c->phase == WS_PHASE_DEAD) return false; /* no memory for a timer */
  }
  ws_outbox_settle(&c->outbox);
  if (ws_stream_may_hold(c->stream)) {
    int status = ws_stream_flush(c->stream);
    if (status < 0 && status != WS_EAGAIN) return write_failed(c, status);
  }
  return true;
}

/* What the system has not taken waits in the outbox from here on. */
static bool keep_rest(ws_connection *c) {
  if (uncork(c) == WS_OK) return true;
  ws_connection_fail(c, WS_ENOMEM, NULL);
  return false;
}

/* A peer that pings and does not read gets only one pong, the latest. */
static bool hold_pong(ws_connection *c) {
  bool hold = c->outbox.bytes > 0;
  if (!c->has_session || ws_session_holds_pong(&c->session) == hold)
    return true;
  int status =
      ws_session_hold_pong(&c->session, hold, ws_connection_out(c));
  if (status != WS_OK) ws_connection_fail(c, status, NULL);
  if (c->phase == WS_PHASE_DEAD) return false;
  if (corked(c) > 0 && !write_all(c)) return false;
  return keep_rest(c);
}

/* Nothing of ours waits. */
static bool is_flushed(const ws_connection *c) {
  return unwritten(c) == 0 &&
         (!c->stream || !(ws_stream_wants(c->stream) & WS_WRITABLE));
}

/* Everything was written, and no more will be: ends our direction. */
static void finish(ws_connection *c) {
  if (ws_stream_close(c->stream) == WS_EAGAIN) return;
  c->finishing = false;
  ws_connection_settle(c, WS_OK, NULL, c->code, true);
  if (c->read_ended) ws_connection_kill(c);
  else if (c->phase == WS_PHASE_LINGERING) ws_connection_schedule(c);
  else ws_connection_linger(c);
}

/* False if writing failed, which has been handled. */
static bool write_out(ws_connection *c) {
  if (c->write_failed != WS_OK) {
    ws_connection_drop_output(c);
    return true;
  }
  if (!write_all(c)) return false;
  if (c->write_failed != WS_OK) return true;
  if (!keep_rest(c) || !hold_pong(c)) return false;
  if (c->finishing && is_flushed(c)) finish(c);
  return true;
}

bool ws_connection_flush(ws_connection *c) {
  if (!c->stream || c->phase == WS_PHASE_DEAD ||
      c->phase == WS_PHASE_SECURING)
    return false;
  bool good = write_out(c);
  if (c->phase == WS_PHASE_DEAD) return false;
  ws_connection_rewatch(c);
  return good && c->phase != WS_PHASE_DEAD;
}

bool ws_connection_write_on(ws_connection *c) {
  size_t waited = c->blocked ? unwritten(c) : 0;
  c->blocked = false;
  if (!ws_connection_flush(c)) return false;
  if (unwritten(c) < waited) ws_connection_moved(c);
  return true;
}

void ws_connection_flush_task(void *owner) {
  ws_connection *c = owner;
  ws_connection_flush(c);
  ws_connection_tell_buffered(c);
  if (c->want_drain && c->visible <= c->config->low_water)
    ws_connection_attend_later(c);
}

/* ----------------------------------------------------- bufferedAmount */

void ws_connection_tell_buffered(ws_connection *c) {
  size_t waiting = c->outbox.payload;
  if (c->cork) waiting += c->cork->payload;
  c->visible = waiting + c->discarded;
}

uint64_t ws_connection_buffered(const ws_connection *c) { return c->visible; }

bool ws_connection_writable(ws_connection *c) {
  if (c->visible <= c->config->high_water) return true;
  if (!c->ended) c->want_drain = true;
  return false;
}

/* ------------------------------------------------------- backpressure */

/* The peer reads too slowly. Drops every frame that was not begun yet; a Close
 * says why, in case the peer ever reads again. */
static void give_up(ws_connection *c) {
  uncork(c);
  size_t had = c->outbox.payload;
  ws_outbox_trim(&c->outbox);
  c->discarded += had - c->outbox.payload;
  ws_session_close(&c->session, 1013, "too slow", 8, ws_connection_out(c));
  uncork(c);
  ws_connection_fail(c, WS_EBACKPRESSURE, NULL);
}

static bool over_limit(const ws_connection *c, size_t more) {
  size_t most = c->config->max_backpressure;
  return most > 0 && unwritten(c) + more > most;
}

bool ws_connection_overflows(ws_connection *c) {
  return over_limit(c, 0) && ws_connection_flush(c) && over_limit(c, 0);
}

/* What was sent in this turn may just not have been written yet. */
static bool must_skip(ws_connection *c, size_t len) {
  if (!c->config->drop_publishes || !over_limit(c, len)) return false;
  if (!c->blocked) ws_connection_flush(c);
  return over_limit(c, len);
}

/* Sees to it that what was corked is sent; the limit is for others to check. */
static void send_soon(ws_connection *c) {
  if (c->ended && c->phase != WS_PHASE_LINGERING) return;
  ws_loop_post_end(c->hub->loop, &c->flush);
  bool full = corked(c) >= WS_CORK_FULL;
  bool much = full || c->outbox.bytes >= FLUSH_AT;
  if ((much && !c->blocked) || !ws_loop_turning(c->hub->loop))
    ws_connection_flush(c);
  else if (full && uncork(c) != WS_OK)
    ws_connection_fail(c, WS_ENOMEM, NULL);
}

void ws_connection_wrote(ws_connection *c) {
  send_soon(c);
  if (!c->ended && c->state == WS_OPEN && ws_connection_overflows(c))
    give_up(c);
}

/* ------------------------------------------------------------ sending */

static bool may_send(const ws_connection *c) {
  return c->state == WS_OPEN && !c->ended && c->write_failed == WS_OK;
}

/* A server's long payload is not copied but kept, after its header. Keeping it
 * can run any code of the owner's, which may end the connection. */
static int send_kept(ws_connection *c, unsigned opcode, const void *data,
                     size_t len, const ws_send_how *how) {
  uint8_t head[WS_FRAME_HEAD_MAX];
  size_t head_len = ws_sender_head(opcode, 0, len, head);
  void *keeper = how->keep(how->lender);
  if (!keeper) return WS_ENOMEM;
  if (!may_send(c)) {
    how->release(keeper);
    c->discarded += len;
    return WS_OK;
  }
  ws_kept kept = {data, len, how->release, keeper, false};
  int status = ws_outbox_copy_head(&c->outbox, head, head_len);
  if (status == WS_OK) status = ws_outbox_keep(&c->outbox, &kept, len, true);
  if (status != WS_OK) how->release(keeper);
  return status;
}

/* A long payload is encoded once into a block of its own. */
static int send_copied(ws_connection *c, unsigned opcode, const void *data,
                       size_t len) {
  ws_buffer room;
  struct ws_chunk *chunk = ws_outbox_room(len + WS_FRAME_HEAD_MAX, &room);
  if (!chunk) return WS_ENOMEM;
  int status = ws_session_send_plain(&c->session, opcode, data, len, &room);
  if (status != WS_OK) {
    ws_outbox_discard(chunk);
    return status;
  }
  ws_outbox_commit(&c->outbox, chunk, &room, len);
  return WS_OK;
}

static int enqueue(ws_connection *c, unsigned opcode, const void *data,
                   size_t len, const ws_send_how *how) {
  bool compress = !how->plain && ws_session_compresses(&c->session, len);
  bool stays = !c->client && how->keep;
  if (len >= (stays ? LONG_PAYLOAD : WS_CORK_FULL) && !compress) {
    int status = uncork(c);
    if (status != WS_OK) return status;
    if (stays) return send_kept(c, opcode, data, len, how);
    return send_copied(c, opcode, data, len);
  }
  ws_buffer *out = ws_connection_out(c);
  int status =
      compress ? ws_session_send(&c->session, opcode, data, len, out)
               : ws_session_send_plain(&c->session, opcode, data, len, out);
  if (status == WS_OK) c->cork->payload += len;
  return status;
}

int ws_connection_send(ws_connection *c, unsigned opcode, const void *data,
                       size_t len, const ws_send_how *how) {
  static const ws_send_how anyhow = {0};
  if (c->state == WS_CONNECTING) return WS_EINVAL;
  if (!may_send(c)) {
    c->visible += len;
    c->discarded += len;
    return WS_OK;
  }
  int status = enqueue(c, opcode, data, len, how ? how : &anyhow);
  c->visible += len;
  if (status != WS_OK) ws_connection_fail(c, status, NULL);
  else ws_connection_wrote(c);
  return WS_OK;
}

/* Lent bytes are kept if they are likely to leave soon, else copied: so a slow
 * reader does not keep alive what all subscribers share. */
static int take_kept(ws_connection *c, const ws_kept *frame, size_t payload) {
  bool soon = !c->blocked && c->outbox.bytes == 0;
  int status = WS_OK;
  if (frame->lent && ws_outbox_extend(&c->outbox, frame, payload)) {
    frame->release(frame->keeper);
  } else if (frame->lent && !soon) {
    status = ws_outbox_copy(&c->outbox, frame->data, frame->len, payload);
    frame->release(frame->keeper);
  } else {
    status = ws_outbox_keep(&c->outbox, frame, payload, false);
    if (status != WS_OK) frame->release(frame->keeper);
  }
  return status;
}

int ws_connection_push(ws_connection *c, const ws_kept *frame,
                       size_t payload) {
  bool skip = may_send(c) && must_skip(c, frame->len);
  if (!may_send(c)) { /* perhaps writing has failed just now */
    frame->release(frame->keeper);
    return WS_OK;
  }
  int status = skip ? WS_EBACKPRESSURE : uncork(c);
  if (status == WS_OK) status = take_kept(c, frame, payload);
  else frame->release(frame->keeper);
  if (status != WS_OK) {
    if (!skip) ws_connection_fail(c, status, NULL);
    return status;
  }
  c->visible += payload;
  ws_connection_wrote(c);
  return WS_OK;
}

int ws_connection_ping(ws_connection *c, unsigned opcode, const void *data,
                       size_t len) {
  if (c->state == WS_CONNECTING || len > WS_CONTROL_MAX) return WS_EINVAL;
  if (c->state != WS_OPEN || c->ended) return WS_OK;
  int status = ws_session_control(&c->session, opcode, data, len,
                                  ws_connection_out(c));
  if (status != WS_OK) ws_connection_fail(c, status, NULL);
  else ws_connection_wrote(c);
  return WS_OK;
}

void ws_connection_probe(ws_connection *c, const void *data, size_t len) {
  int status = ws_session_control(&c->session, WS_PING, data, len,
                                  ws_connection_out(c));
  if (status != WS_OK) ws_connection_fail(c, status, NULL);
  else send_soon(c);
}
