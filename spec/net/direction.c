/* SPDX-License-Identifier: MIT */
/* What happens to packets. Each direction has its own random generator, so its
 * choices depend only on its own packets. */
#include "direction.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGEST_PACKET 2048
#define BURST 64 /* packets, after which the other direction has its turn */
#define LONGEST_QUEUE 1000000000U /* longest wait for `rate`, nanoseconds */

/* ---------------------------------------------------------------- chance */

/* splitmix64 */
static uint64_t draw(direction *d) {
  uint64_t x = d->random += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/* Draws even when the chance is 0, so that one kind of trouble does not change
 * the choices of another. */
static bool happens(direction *d, double chance) {
  return (double)(draw(d) >> 11) * 0x1p-53 < chance;
}

/* ------------------------------------------------------------- the queue */

/* Packets that are due at the same time leave in the order they came in. */
static bool before(const packet *a, const packet *b) {
  return a->due != b->due ? a->due < b->due : a->number < b->number;
}

static void swap(packet *a, packet *b) {
  packet held = *a;
  *a = *b;
  *b = held;
}

static void push(direction *d, packet p) {
  size_t at = d->held++;
  d->heap[at] = p;
  while (at > 0 && before(&d->heap[at], &d->heap[(at - 1) / 2])) {
    swap(&d->heap[at], &d->heap[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
}

static packet pop(direction *d) {
  packet first = d->heap[0];
  d->heap[0] = d->heap[--d->held];
  for (size_t at = 0, next; (next = 2 * at + 1) < d->held; at = next) {
    if (next + 1 < d->held && before(&d->heap[next + 1], &d->heap[next]))
      next++;
    if (!before(&d->heap[next], &d->heap[at])) break;
    swap(&d->heap[next], &d->heap[at]);
  }
  return first;
}

/* --------------------------------------------------------------- its fate */

static void damage(direction *d, uint8_t *bytes, size_t len) {
  uint64_t bit = draw(d) % (len * 8);
  bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ (1U << bit % 8));
}

/* When a packet that comes now leaves the link. */
static uint64_t due(direction *d, size_t len, uint64_t now) {
  const weather *w = &d->weather;
  if (d->free_at < now) d->free_at = now;
  if (w->rate) d->free_at += len * 1000000000U / w->rate;
  uint64_t jitter = w->jitter ? draw(d) % w->jitter : 0;
  return d->free_at + w->delay + jitter;
}

static void hold(direction *d, const uint8_t *bytes, size_t len, uint64_t now) {
  bool full = d->held == PACKETS_HELD || d->free_at > now + LONGEST_QUEUE;
  uint8_t *copy = full ? NULL : malloc(len);
  if (!copy) {
    d->counts.lost++;
    return;
  }
  memcpy(copy, bytes, len);
  push(d, (packet){due(d, len, now), ++d->last_number, len, copy});
}

static unsigned port_at(const uint8_t *bytes) {
  return bytes[0] * 256U + bytes[1];
}

/* Source or destination; the ports follow IP's header (RFC 791, RFC 9293). */
static bool has_port(const uint8_t *bytes, size_t len, unsigned port) {
  size_t head = (bytes[0] & 15U) * 4U;
  if (len < head + 4) return false;
  return port_at(bytes + head) == port || port_at(bytes + head + 2) == port;
}

static bool passes(weather *w, const uint8_t *bytes, size_t len) {
  if (w->pass < 0 || (w->port && !has_port(bytes, len, w->port))) return true;
  if (w->pass == 0) return false;
  w->pass--;
  return true;
}

static void decide(direction *d, uint8_t *bytes, size_t len, uint64_t now) {
  const weather *w = &d->weather;
  d->counts.came++;
  if (!passes(&d->weather, bytes, len)) {
    d->counts.cut++;
    return;
  }
  bool lost = happens(d, w->loss), damaged = happens(d, w->damage);
  bool doubled = happens(d, w->doubling);
  if (lost) {
    d->counts.lost++;
    return;
  }
  if (damaged) {
    d->counts.damaged++;
    damage(d, bytes, len);
  }
  hold(d, bytes, len, now);
  if (!doubled) return;
  d->counts.doubled++;
  hold(d, bytes, len, now);
}

/* --------------------------------------------------------------- exported */

void direction_reset(direction *d, uint64_t seed) {
  d->weather = (weather){.pass = -1};
  d->counts = (counts){0};
  d->random = seed;
  d->free_at = 0;
}

/* Drops IPv6, which here is only what the system sends on its own. */
void direction_take(direction *d, uint64_t now) {
  uint8_t bytes[LARGEST_PACKET];
  for (int i = 0; i < BURST; i++) {
    ssize_t len = read(d->from, bytes, sizeof bytes);
    if (len <= 0) return;
    if (bytes[0] >> 4 == 4) decide(d, bytes, (size_t)len, now);
  }
}

void direction_deliver(direction *d, uint64_t now) {
  while (d->held > 0 && d->heap[0].due <= now) {
    packet p = pop(d);
    if (p.number < d->newest) d->counts.late++;
    else d->newest = p.number;
    if (write(d->to, p.bytes, p.len) < 0) d->counts.refused++;
    free(p.bytes);
  }
}

uint64_t direction_due(const direction *d) {
  return d->held > 0 ? d->heap[0].due : UINT64_MAX;
}
