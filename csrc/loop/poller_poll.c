/* SPDX-License-Identifier: MIT */
/* poll(2), or WSAPoll on Windows, behind poller.h: for systems with nothing
 * better and for the specs. Not for thousands of descriptors: every wait looks
 * at all of them. */
#include "loop/poller.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "loop/poll_system.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FIRST_CAP 16

struct ws_poller {
  struct pollfd *entries; /* packed, in no order */
  void **tags;            /* of the entry with the same index */
  size_t count;
  size_t cap;
  size_t *places;         /* by descriptor: index of its entry + 1, or 0 */
  size_t places_cap;
  size_t next;            /* where the next look begins */
  uint64_t looked;        /* ws_poll_wait's own */
};

static short system_of(unsigned wants) {
  int events = 0;
  if (wants & WS_READABLE) events |= POLLIN;
  if (wants & WS_WRITABLE) events |= POLLOUT;
  return (short)events;
}

static unsigned events_of(short system) {
  unsigned events = 0;
  if (system & POLLIN) events |= WS_READABLE;
  if (system & POLLOUT) events |= WS_WRITABLE;
  if (system & (POLLHUP | POLLERR | POLLNVAL)) events |= WS_HANGUP;
  return events;
}

/* A capacity above `least`, by doubling; 0 if that would overflow. */
static size_t doubled(size_t cap, size_t least, size_t item) {
  if (cap == 0) cap = FIRST_CAP;
  while (cap <= least) {
    if (cap > SIZE_MAX / item / 2) return 0;
    cap *= 2;
  }
  return cap;
}

static int reserve_entry(ws_poller *poller) {
  if (poller->count < poller->cap) return WS_OK;
  size_t cap = doubled(poller->cap, poller->count, sizeof *poller->entries);
  if (cap == 0) return WS_ENOMEM;
  struct pollfd *entries =
      ws_memory_resize(poller->entries, cap * sizeof *entries);
  if (entries == NULL) return WS_ENOMEM;
  poller->entries = entries;
  void **tags = ws_memory_resize(poller->tags, cap * sizeof *tags);
  if (tags == NULL) return WS_ENOMEM;
  poller->tags = tags;
  poller->cap = cap;
  return WS_OK;
}

static int reserve_place(ws_poller *poller, ws_fd fd) {
  size_t at = (size_t)fd;
  if (at < poller->places_cap) return WS_OK;
  size_t cap = doubled(poller->places_cap, at, sizeof *poller->places);
  if (cap == 0) return WS_ENOMEM;
  size_t *places = ws_memory_resize(poller->places, cap * sizeof *places);
  if (places == NULL) return WS_ENOMEM;
  memset(places + poller->places_cap, 0,
         (cap - poller->places_cap) * sizeof *places);
  poller->places = places;
  poller->places_cap = cap;
  return WS_OK;
}

/* Where descriptors are unsigned, WS_FD_NONE is the highest value. */
static bool is_none(ws_fd fd) { return (ptrdiff_t)fd < 0; }

static size_t place_of(const ws_poller *poller, ws_fd fd) {
  if (is_none(fd) || (size_t)fd >= poller->places_cap) return 0;
  return poller->places[fd];
}

/* Copies at most `most` of the `found` entries that poll(2) reported. Begins
 * where the last call ended, so that none waits for ever behind busy ones. */
static int collect(ws_poller *poller, ws_ready *ready, int most, int found) {
  int filled = 0;
  for (size_t seen = 0; seen < poller->count; seen++) {
    if (filled == most || filled == found) break;
    if (poller->next >= poller->count) poller->next = 0;
    size_t at = poller->next++;
    if (poller->entries[at].revents == 0) continue;
    ready[filled].tag = poller->tags[at];
    ready[filled].events = events_of(poller->entries[at].revents);
    filled++;
  }
  return filled;
}

static int poll_kind_create(ws_poller **poller) {
  *poller = ws_memory_new(sizeof **poller);
  return *poller == NULL ? WS_ENOMEM : WS_OK;
}

static void poll_kind_free(ws_poller *poller) {
  ws_memory_free(poller->entries);
  ws_memory_free(poller->tags);
  ws_memory_free(poller->places);
  ws_memory_free(poller);
}

static int poll_kind_add(ws_poller *poller, ws_fd fd, unsigned wants,
                         void *tag) {
  if (is_none(fd) || place_of(poller, fd) != 0) return WS_ESYSTEM;
  if (reserve_entry(poller) != WS_OK) return WS_ENOMEM;
  if (reserve_place(poller, fd) != WS_OK) return WS_ENOMEM;
  size_t at = poller->count++;
  poller->entries[at] = (struct pollfd){.fd = fd, .events = system_of(wants)};
  poller->tags[at] = tag;
  poller->places[fd] = at + 1;
  return WS_OK;
}

static int poll_kind_set(ws_poller *poller, ws_fd fd, unsigned wants,
                         void *tag) {
  size_t place = place_of(poller, fd);
  if (place == 0) return WS_ESYSTEM;
  poller->entries[place - 1].events = system_of(wants);
  poller->tags[place - 1] = tag;
  return WS_OK;
}

static void poll_kind_remove(ws_poller *poller, ws_fd fd) {
  size_t place = place_of(poller, fd);
  if (place == 0) return;
  size_t last = --poller->count;
  poller->entries[place - 1] = poller->entries[last];
  poller->tags[place - 1] = poller->tags[last];
  poller->places[poller->entries[last].fd] = place;
  poller->places[fd] = 0;
}

static int poll_kind_wait(ws_poller *poller, ws_ready *ready, int most,
                          int ms) {
  int found = ws_poll_wait(poller->entries, poller->count, ms,
                           &poller->looked);
  return found < 0 ? found : collect(poller, ready, most, found);
}

static ws_fd poll_kind_fd(ws_poller *poller) {
  (void)poller;
  return WS_FD_NONE;
}

const ws_poller_kind ws_poller_poll = {
    .name = "poll",
    .create = poll_kind_create,
    .free = poll_kind_free,
    .add = poll_kind_add,
    .set = poll_kind_set,
    .remove = poll_kind_remove,
    .wait = poll_kind_wait,
    .fd = poll_kind_fd,
};
