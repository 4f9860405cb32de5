/* SPDX-License-Identifier: MIT */
/* Milliseconds that only go forward; not the time of day. */
#pragma once
#include <stdint.h>

uint64_t ws_clock_now(void);

/* The same with fractions of a millisecond. */
double ws_clock_precise(void);
