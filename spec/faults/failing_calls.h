/* SPDX-License-Identifier: MIT */
/* What a process can do when failing_calls.c is preloaded. Found by dlsym;
 * when it is not preloaded, no call fails and time is the system's. */
#pragma once
#include <stdbool.h>

/* Instead of an errno: the call transfers only one byte. */
#define FAULT_SHORT (-1)

typedef struct failing_calls {
  /* Makes the `nth` call (1 = the next) of that name fail once with `error`.
   * Counts calls of the thread that arms, or of all threads for functions that
   * the resolver's threads call. NULL: none fails, and counts begin at 0
   * again. False when the name is not known. */
  bool (*arm)(const char *call, unsigned nth, int error);
  /* How many calls of that name were made since. */
  unsigned (*count)(const char *call);
  /* Whether the armed call has been made. */
  bool (*met)(void);
  /* While suspended, calls are not counted and do not fail. */
  void (*suspend)(bool on);
  /* How many times a descriptor was closed that was not open. */
  unsigned (*bad_closes)(void);
} failing_calls;

const failing_calls *failing_calls_control(void);
