/* SPDX-License-Identifier: MIT */
/* The least that an echo can cost on this machine: its system calls and
 * nothing else. All frames of a connection are as long as its first. After
 * that one it only counts bytes and returns as many prepared frames: nothing
 * is unmasked, and payloads are not the peer's.   floor echo|broadcast */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp_server.h"

#define INPUT_SIZE ((size_t)512 * 1024)
#define REPLIES_SIZE ((size_t)2 * 1024 * 1024)
#define REQUEST_MOST 2048

typedef struct client {
  struct client *next, *previous;
  int fd;
  bool opened, blocked;
  size_t request, reply; /* bytes of a frame; 0 before the first has come */
  size_t had;            /* bytes received of an unfinished frame */
  size_t owed;           /* bytes to be sent */
  size_t at;             /* where in `replies` they begin */
} client;

static bool broadcast;
static uint8_t *input, *replies;
static size_t reply_size, replies_len; /* a frame in `replies`, all of them */
static client clients = {.next = &clients, .previous = &clients};

static void drop(void *gone) {
  client *c = gone;
  c->next->previous = c->previous;
  c->previous->next = c->next;
  close(c->fd);
  free(c);
}

static void watch(client *c, bool blocked) {
  if (c->blocked == blocked) return;
  c->blocked = blocked;
  tcp_server_watch_writes(c->fd, c, blocked);
}

/* False when the connection is gone. */
static bool pay(client *c) {
  while (c->owed > 0) {
    size_t len = replies_len - c->at;
    if (len > c->owed) len = c->owed;
    ssize_t sent = send(c->fd, replies + c->at, len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    c->owed -= (size_t)sent;
    c->at = (c->at + (size_t)sent) % replies_len;
  }
  watch(c, c->owed > 0);
  return true;
}

/* Fills `replies` with frames that carry `size` bytes. */
static void prepare(size_t size) {
  size_t wide = size < 126 ? 0 : size < 65536 ? 2 : 8;
  size_t frame = 2 + wide + size;
  if (frame == reply_size) return;
  size_t count = frame < REPLIES_SIZE ? REPLIES_SIZE / frame : 1;
  reply_size = frame;
  replies_len = count * frame;
  free(replies);
  replies = calloc(count, frame);
  if (!replies) tcp_server_die();
  for (size_t i = 0; i < count; i++) {
    uint8_t *head = replies + i * frame;
    head[0] = 0x82;
    head[1] = (uint8_t)(wide == 0 ? size : wide == 2 ? 126 : 127);
    for (size_t j = 0; j < wide; j++)
      head[2 + j] = (uint8_t)(size >> 8 * (wide - 1 - j));
  }
}

/* Reads the first frame's header, which the load generator sends in one
 * piece. False when it is a Close. */
static bool measure(client *c, const uint8_t *head) {
  if ((head[0] & 15) == 8) return false;
  size_t size = head[1] & 127u;
  size_t wide = size < 126 ? 0 : size == 126 ? 2 : 8;
  if (wide > 0) size = 0;
  for (size_t i = 0; i < wide; i++) size = size << 8 | head[2 + i];
  prepare(size);
  c->request = 2 + wide + 4 + size;
  c->reply = reply_size;
  return true;
}

/* A client that is gone is dropped when its own event comes. */
static void publish(size_t count) {
  for (client *c = clients.next; c != &clients; c = c->next) {
    if (!c->opened) continue;
    c->owed += count * reply_size;
    if (!c->blocked) (void)pay(c);
  }
}

static bool on_frames(client *c, size_t len) {
  static const uint8_t close_frame[] = {0x88, 2, 3, 0xe8};
  if (c->request == 0 && !measure(c, input)) {
    send(c->fd, close_frame, sizeof close_frame, MSG_NOSIGNAL);
    return false;
  }
  size_t count = (c->had + len) / c->request;
  c->had = (c->had + len) % c->request;
  if (broadcast) {
    if (count > 0) publish(count);
    return true;
  }
  c->owed += count * c->reply;
  return pay(c);
}

static bool on_request(client *c, size_t len) {
  c->had += len;
  if (c->had > REQUEST_MOST) return false;
  if (len < 4 || memcmp(input + len - 4, "\r\n\r\n", 4) != 0) return true;
  c->had = 0;
  c->opened = true;
  return tcp_server_welcome(c->fd);
}

static bool on_readable(void *readable) {
  client *c = readable;
  ssize_t got = recv(c->fd, input, INPUT_SIZE, 0);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  return c->opened ? on_frames(c, (size_t)got) : on_request(c, (size_t)got);
}

static bool on_writable(void *writable) { return pay(writable); }

static void *on_accepted(int fd) {
  client *c = calloc(1, sizeof *c);
  if (!c) tcp_server_die();
  c->fd = fd;
  c->next = &clients;
  c->previous = clients.previous;
  c->previous->next = clients.previous = c;
  return c;
}

int main(int argc, char **argv) {
  static const tcp_server echo = {on_accepted, on_readable, on_writable, drop};
  broadcast = argc > 1 && strcmp(argv[1], "broadcast") == 0;
  input = malloc(INPUT_SIZE);
  if (!input) tcp_server_die();
  tcp_server_run(&echo);
}
