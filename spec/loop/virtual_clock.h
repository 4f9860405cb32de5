/* SPDX-License-Identifier: MIT */
/* A clock that stands still until the test puts it forward: deadlines are met
 * at once and to the millisecond, however busy the machine is. It replaces the
 * system's in a program that includes this: the linker finds these functions
 * first, and does not take the library's loop/clock.c. */
#pragma once
#include "loop/clock.h"

/* Milliseconds. Does not begin at 0, like the system's. */
static double virtual_clock = 1e6;

uint64_t ws_clock_now(void) { return (uint64_t)virtual_clock; }

double ws_clock_precise(void) { return virtual_clock; }
