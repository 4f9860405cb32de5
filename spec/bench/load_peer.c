/* SPDX-License-Identifier: MIT */
/* A connection of the load generator. It knows only as much of RFC 6455 as an
 * echo needs, and is of no other use as a client. */
#include "load_peer.h"

#include "load_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHECKED 16 /* bytes of each message that are compared */

/* The key of RFC 6455 section 1.3, so that the answer is known beforehand. */
static const char accept_key[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/* ------------------------------------------------------------- sending */

static void watch(load_plan *plan, load_peer *peer, bool out) {
  if (peer->watching_out == out) return;
  peer->watching_out = out;
  load_watch(plan->epoll, peer->fd, peer, EPOLL_CTL_MOD, out);
}

/* Sends all that `credit` allows, each contiguous piece in one call. */
static void send_more(load_plan *plan, load_peer *peer) {
  const load_ring *ring = &plan->ring;
  size_t end = ring->starts[ring->count];
  while (peer->credit > 0) {
    size_t len = end - peer->at;
    if (len > peer->credit) len = peer->credit;
    ssize_t sent = load_write(peer, ring->bytes + peer->at, len);
    if (sent == 0) {
      watch(plan, peer, true);
      return;
    }
    peer->credit -= (size_t)sent;
    peer->at += (size_t)sent;
    if (peer->at == end) peer->at = ring->starts[ring->again];
  }
  watch(plan, peer, false);
}

static void allow(load_plan *plan, load_peer *peer, unsigned count) {
  const load_ring *ring = &plan->ring;
  for (; count > 0; count--) {
    peer->credit += ring->starts[peer->next + 1] - ring->starts[peer->next];
    peer->next = ring_next(ring, peer->next);
  }
}

void peer_go(load_plan *plan, load_peer *peer) {
  if (!peer->sender) return;
  allow(plan, peer, plan->depth);
  send_more(plan, peer);
}

/* ----------------------------------------------------------- receiving */

static void check(load_plan *plan, load_peer *peer, const uint8_t *payload,
                  size_t len) {
  const load_ring *ring = &plan->ring;
  if (len > CHECKED) len = CHECKED;
  if (len > ring->size) len = ring->size;
  if (memcmp(payload, ring->plain + peer->expected * ring->size, len) != 0)
    load_die("a message came back changed");
}

static void end_message(load_plan *plan, load_peer *peer) {
  plan->messages++;
  if (++peer->expected == plan->ring.messages) peer->expected = 0;
}

/* Takes the header in data[0..len): its length, or 0 while it is incomplete.
 * Servers do not mask (5.1). */
static size_t take_head(load_plan *plan, load_peer *peer, const uint8_t *data,
                        size_t len) {
  if (len < 2) return 0;
  unsigned opcode = data[0] & 15u, size = data[1];
  if (opcode > 2 || size > 127) load_die("a frame that is no message");
  size_t wide = size < 126 ? 0 : size == 126 ? 2 : 8;
  if (len < 2 + wide) return 0;
  peer->left = wide == 0 ? size : 0;
  for (size_t i = 0; i < wide; i++)
    peer->left = peer->left << 8 | data[2 + i];
  peer->final = data[0] & 0x80u;
  peer->first = opcode != 0;
  if (data[0] & 0x40u) plan->compressed++;
  if (!plan->deflate && opcode != 0 && peer->final &&
      peer->left != plan->ring.size)
    load_die("a message of another length came back");
  return 2 + wide;
}

/* Takes data[0..len); returns how many messages ended in it. */
static unsigned take(load_plan *plan, load_peer *peer, const uint8_t *data,
                     size_t len) {
  unsigned ended = 0;
  size_t at = 0;
  while (at < len) {
    if (peer->left == 0) {
      const uint8_t *from = data + at;
      size_t before = peer->had, there = len - at;
      if (before > 0) { /* the rest of a header that came in pieces */
        if (there > sizeof peer->head - before)
          there = sizeof peer->head - before;
        memcpy(peer->head + before, from, there);
        from = peer->head;
        there += before;
      }
      size_t head = take_head(plan, peer, from, there);
      if (head == 0) {
        if (before == 0) memcpy(peer->head, from, there);
        peer->had = (unsigned)there;
        return ended;
      }
      at += head - before;
      peer->had = 0;
      if (plan->check && peer->first && len - at >= CHECKED)
        check(plan, peer, data + at, len - at);
    }
    size_t more = peer->left < len - at ? (size_t)peer->left : len - at;
    peer->left -= more;
    at += more;
    if (peer->left > 0 || !peer->final) continue;
    end_message(plan, peer);
    ended++;
  }
  return ended;
}

static void close_now(load_plan *plan, load_peer *peer) {
  load_close(peer);
  peer->state = PEER_CLOSED;
  plan->ended++;
}

static void on_data(load_plan *plan, load_peer *peer) {
  for (;;) {
    ssize_t got = load_read(peer, plan->input, LOAD_INPUT);
    if (got == 0) break;
    if (plan->close_opened) { /* the answer to our Close, then the end */
      if (got < 0) {
        close_now(plan, peer);
        return;
      }
      continue;
    }
    if (got < 0) load_die("a connection ended");
    unsigned ended = take(plan, peer, plan->input, (size_t)got);
    if (peer->sender) allow(plan, peer, ended);
    if (!peer->ssl && got < LOAD_INPUT) break;
  }
  if (peer->credit > 0) send_more(plan, peer);
}

/* ------------------------------------------------------------- opening */

static void ask(load_plan *plan, load_peer *peer) {
  char request[512];
  int len = snprintf(
      request, sizeof request,
      "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
      plan->port,
      plan->deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
  if (load_write(peer, (uint8_t *)request, (size_t)len) != len)
    load_die("the request does not go out");
  peer->state = PEER_SHAKING;
  watch(plan, peer, false);
}

static void judge(load_plan *plan, const char *answer) {
  if (strncmp(answer, "HTTP/1.1 101", 12) != 0)
    load_die("the answer is no 101");
  if (!strstr(answer, accept_key)) load_die("the accept key is wrong");
  if (plan->deflate && !strstr(answer, "permessage-deflate"))
    load_die("no permessage-deflate was agreed");
}

/* No server of the bench speaks first, so nothing follows the answer. */
static void on_answer(load_plan *plan, load_peer *peer) {
  static const uint8_t close_frame[] = {0x88, 0x82, 1, 2, 3, 4, 2, 0xea};
  for (;;) {
    size_t room = sizeof peer->answer - 1 - peer->had;
    if (room == 0) load_die("the answer is too long");
    ssize_t got = load_read(peer, (uint8_t *)peer->answer + peer->had, room);
    if (got < 0) load_die("a connection ended while it opened");
    if (got == 0) return;
    peer->had += (unsigned)got;
    peer->answer[peer->had] = 0;
    if (peer->had < 4) continue;
    if (memcmp(peer->answer + peer->had - 4, "\r\n\r\n", 4) == 0) break;
  }
  judge(plan, peer->answer);
  peer->had = 0;
  peer->state = PEER_OPEN;
  if (plan->close_opened &&
      load_write(peer, close_frame, sizeof close_frame) == 0)
    load_die("the Close does not go out");
}

static void secure(load_plan *plan, load_peer *peer) {
  int wish = load_secure(peer);
  if (wish == 0) ask(plan, peer);
  else watch(plan, peer, wish == EPOLLOUT);
}

void peer_start(load_plan *plan, load_peer *peer, bool sender) {
  memset(peer, 0, sizeof *peer);
  peer->sender = sender;
  peer->watching_out = true;
  peer->fd = load_connect(plan->port);
  load_watch(plan->epoll, peer->fd, peer, EPOLL_CTL_ADD, true);
}

void peer_ready(load_plan *plan, load_peer *peer, unsigned events) {
  if (peer->state == PEER_CONNECTING) {
    load_connected(peer);
    if (plan->tls) {
      load_start_tls(plan->tls, peer);
      peer->state = PEER_SECURING;
    } else {
      ask(plan, peer);
      return;
    }
  }
  if (peer->state == PEER_SECURING) {
    secure(plan, peer);
  } else if (peer->state == PEER_SHAKING) {
    on_answer(plan, peer);
  } else if (peer->state == PEER_OPEN) {
    if (events & EPOLLOUT) send_more(plan, peer);
    if (events & ~(unsigned)EPOLLOUT) on_data(plan, peer);
  }
}
