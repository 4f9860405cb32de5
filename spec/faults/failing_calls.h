/* SPDX-License-Identifier: MIT */
/* What failing_calls.c, preloaded, lets its process do. Found by dlsym: without
 * it nothing fails and time is the system's. */
#pragma once
#include <stdbool.h>

/* Instead of an errno: the call gets one byte through. */
#define FAULT_SHORT (-1)

typedef struct failing_calls {
  /* The `nth` call (1 = the next) of that name made by the thread that arms,
   * or by any for those that other threads make, fails once with `error`.
   * False when there is no such call. NULL: none fails, counting begins anew. */
  bool (*arm)(const char *call, unsigned nth, int error);
  /* How many were made since. */
  unsigned (*count)(const char *call);
  /* The armed one was met. */
  bool (*met)(void);
  /* What the process does meanwhile is neither counted nor failed. */
  void (*suspend)(bool on);
  /* Descriptors closed that were not open. */
  unsigned (*bad_closes)(void);
} failing_calls;

const failing_calls *failing_calls_control(void);
