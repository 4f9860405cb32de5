/* SPDX-License-Identifier: MIT */
/* Preloaded by `make instructions`: Lua derives the seed of its string hashes
 * from the time and from addresses, and counts must be the same in each run. */
#include <time.h>

__attribute__((visibility("default"))) time_t time(time_t *into) {
  const time_t now = 1000000000;
  if (into) *into = now;
  return now;
}
