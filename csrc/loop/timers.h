/* SPDX-License-Identifier: MIT */
/* A heap of deadlines. Has no clock: the caller says what time it is. */
#pragma once
#include "bytes/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in its owner, which sets `fire` and `owner`; the rest starts as
 * zero. The timer runs while `index` is not 0. */
typedef struct ws_timer {
  void (*fire)(void *owner);
  void *owner;
  uint64_t due;   /* private */
  uint64_t order; /* private: equal deadlines fire in the order started */
  size_t index;   /* private: place in the heap, from 1 */
} ws_timer;

/* Fields are private to timers.c. */
typedef struct ws_timers {
  ws_timer **heap;
  size_t count;
  size_t cap;
  uint64_t started;
  ws_resize *resize;
} ws_timers;

void ws_timers_init(ws_timers *timers, ws_resize *resize);
void ws_timers_deinit(ws_timers *timers);

/* Starts a timer, or moves it if it is running. WS_OK or WS_ENOMEM. */
int ws_timers_start(ws_timers *timers, ws_timer *timer, uint64_t due);

/* Stops it; does nothing if it is not running. */
void ws_timers_stop(ws_timers *timers, ws_timer *timer);

static inline bool ws_timer_running(const ws_timer *timer) {
  return timer->index != 0;
}

/* The earliest deadline; false if no timer runs. */
bool ws_timers_next(const ws_timers *timers, uint64_t *due);

/* Takes the earliest timer due at or before `now` off the heap; NULL if there
 * is none. Only timers with an order number below `before` count. Pass what
 * ws_timers_order returned when the turn began serving timers: then a timer
 * that restarts itself without delay cannot keep the turn going for ever. */
ws_timer *ws_timers_take(ws_timers *timers, uint64_t now, uint64_t before);

/* The order number that the next started timer will get. */
uint64_t ws_timers_order(const ws_timers *timers);
