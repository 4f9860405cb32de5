/* SPDX-License-Identifier: MIT */
/* A clock that stands still until the test puts it forward: deadlines are met
 * to the millisecond, at once, on however busy a machine. A program that
 * includes this has no other: the linker finds these two functions first, and
 * leaves the library's loop/clock.c aside. */
#pragma once
#include "loop/clock.h"

/* Milliseconds. Begins after 0, as the system's does. */
static double virtual_clock = 1e6;

uint64_t ws_clock_now(void) { return (uint64_t)virtual_clock; }

double ws_clock_precise(void) { return virtual_clock; }
