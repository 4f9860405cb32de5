/* SPDX-License-Identifier: MIT */
/* One direction of the link: packets read from one device are lost, delayed,
 * doubled or damaged by seeded choices, and written to the other device. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PACKETS_HELD 4096

/* Chances are from 0 to 1, times are in nanoseconds. */
typedef struct weather {
  double loss, doubling, damage;
  uint64_t delay, jitter; /* jitter reorders packets */
  uint64_t rate;          /* bytes a second, 0: no limit */
  int64_t pass;           /* packets until nothing passes, -1: no cut */
  unsigned port;          /* TCP port that a cut affects, 0: all */
} weather;

typedef struct packet {
  uint64_t due, number;
  size_t len;
  uint8_t *bytes;
} packet;

/* What happened to packets: `late` ones were overtaken, `cut` ones came when
 * nothing passed, and the other device `refused` some because they were damaged
 * or it was down. */
typedef struct counts {
  uint64_t came, lost, doubled, damaged, late, cut, refused;
} counts;

typedef struct direction {
  int from, to; /* devices */
  weather weather;
  counts counts;
  uint64_t random;  /* state of the generator */
  uint64_t free_at; /* when all earlier packets are out, at `rate` */
  uint64_t last_number, newest;
  size_t held;
  packet heap[PACKETS_HELD]; /* the earliest first */
} direction;

/* Sets good weather, counts of 0 and the generator's seed; packets that are
 * held stay. */
void direction_reset(direction *d, uint64_t seed);

/* Reads the packets that wait at `from`. */
void direction_take(direction *d, uint64_t now);

/* Writes the packets that are due. */
void direction_deliver(direction *d, uint64_t now);

/* When something is due next, or UINT64_MAX. */
uint64_t direction_due(const direction *d);
