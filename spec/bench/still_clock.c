/* SPDX-License-Identifier: MIT */
/* Preloaded by `make instructions`: Lua makes the seed of its string hashes of
 * the time and of addresses, and counts have to be those of the last run. */
#include <time.h>

__attribute__((visibility("default"))) time_t time(time_t *into) {
  const time_t now = 1000000000;
  if (into) *into = now;
  return now;
}
