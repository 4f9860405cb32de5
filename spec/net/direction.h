/* SPDX-License-Identifier: MIT */
/* One direction of the link: what is read from one device is lost, held up,
 * doubled or damaged by a seeded choice, and written to the other device. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PACKETS_HELD 4096

/* Chances are from 0 to 1, times in nanoseconds. */
typedef struct weather {
  double loss, doubling, damage;
  uint64_t delay, jitter; /* jitter is what reorders */
  uint64_t rate;          /* bytes a second, 0 for as many as there are */
  int64_t pass;           /* packets until nothing passes, -1 for never */
  unsigned port;          /* of the TCP connections it is about, 0 for all */
} weather;

typedef struct packet {
  uint64_t due, number;
  size_t len;
  uint8_t *bytes;
} packet;

/* What has become of packets: `late` ones were overtaken, `cut` ones came when
 * nothing passed, the other device `refused` some, as damaged ones or when it
 * is down. */
typedef struct counts {
  uint64_t came, lost, doubled, damaged, late, cut, refused;
} counts;

typedef struct direction {
  int from, to; /* devices */
  weather weather;
  counts counts;
  uint64_t random;  /* state of the generator */
  uint64_t free_at; /* when what came before is out, at `rate` */
  uint64_t last_number, newest;
  size_t held;
  packet heap[PACKETS_HELD]; /* the earliest first */
} direction;

/* Good weather, counts of 0, the generator at its start; what is held stays. */
void direction_reset(direction *d, uint64_t seed);

/* Reads what waits at `from`. */
void direction_take(direction *d, uint64_t now);

/* Writes what is due. */
void direction_deliver(direction *d, uint64_t now);

/* When something is due next, or UINT64_MAX. */
uint64_t direction_due(const direction *d);
