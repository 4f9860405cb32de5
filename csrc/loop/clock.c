/* SPDX-License-Identifier: MIT */
/* Reads the system's monotonic clock; not for the time of day. Caches nothing:
 * that is for the loop. */
#include "loop/clock.h"

#ifdef _WIN32
#include <windows.h>

/* Whole seconds and nanoseconds within one: multiplying the counter itself
 * would overflow after some days. */
static void read_clock(uint64_t *seconds, uint64_t *nanoseconds) {
  LARGE_INTEGER frequency, count;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&count);
  uint64_t a_second = (uint64_t)frequency.QuadPart;
  uint64_t ticks = (uint64_t)count.QuadPart;
  *seconds = ticks / a_second;
  *nanoseconds = ticks % a_second * 1000000000u / a_second;
}
#else
#include <time.h>

static void read_clock(uint64_t *seconds, uint64_t *nanoseconds) {
  struct timespec time = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &time);
  *seconds = (uint64_t)time.tv_sec;
  *nanoseconds = (uint64_t)time.tv_nsec;
}
#endif

uint64_t ws_clock_now(void) {
  uint64_t seconds, nanoseconds;
  read_clock(&seconds, &nanoseconds);
  return seconds * 1000 + nanoseconds / 1000000;
}

double ws_clock_precise(void) {
  uint64_t seconds, nanoseconds;
  read_clock(&seconds, &nanoseconds);
  return (double)seconds * 1e3 + (double)nanoseconds / 1e6;
}
