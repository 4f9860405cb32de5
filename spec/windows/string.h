/* SPDX-License-Identifier: MIT */
/* For the tests that `make windows` builds: string.h with GNU's memmem. */
#pragma once
#include_next <string.h>

static inline void *memmem(const void *data, size_t len, const void *wanted,
                           size_t wanted_len) {
  const char *from = data;
  for (size_t at = 0; at + wanted_len <= len; at++)
    if (memcmp(from + at, wanted, wanted_len) == 0)
      return (void *)(size_t)(from + at);
  return NULL;
}
