/* SPDX-License-Identifier: MIT */
/* A filter that cuts, delays or fails on demand; for specs. */
#pragma once
#include "transport/stream.h"

typedef struct ws_fault_plan {
  size_t read_most;   /* bytes one read gives at most; 0: no limit */
  size_t write_most;  /* bytes one write takes at most; 0: no limit */
  size_t again_every; /* every n-th call gives WS_EAGAIN first; 0: never */
  size_t fail_read;   /* the n-th read (from 1) fails; 0: never */
  size_t fail_write;  /* the n-th write fails; 0: never */
  int status;         /* with this */
} ws_fault_plan;

/* Takes ownership of `below`. NULL without memory (then `below` stays the
 * caller's). */
ws_stream *ws_stream_fault_new(ws_stream *below, const ws_fault_plan *plan);
