/* SPDX-License-Identifier: MIT */
/* How many events a turn may still serve: for programs such as games, which
 * have no time for a flood between two pictures. The loop counts each
 * descriptor, timer and task it serves as one event. An owner that delivers
 * several events for one of these asks ws_budget_allows before each, and calls
 * ws_budget_spend. */
#pragma once
#include <stdbool.h>

typedef struct ws_budget {
  int left;
  bool prepaid; /* the loop has already counted the next event to be spent */
} ws_budget;

/* False if the next event has to wait for another turn. */
static inline bool ws_budget_allows(const ws_budget *budget) {
  return budget->prepaid || budget->left > 0;
}

/* Counts an event that is about to be delivered. */
static inline void ws_budget_spend(ws_budget *budget) {
  if (budget->prepaid) budget->prepaid = false;
  else if (budget->left > 0) budget->left--;
}
