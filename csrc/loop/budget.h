/* SPDX-License-Identifier: MIT */
/* How many events a turn may still serve: for games, whose frames have no time
 * for a flood. The loop counts each thing it serves as one event; whoever
 * delivers more than one event from there asks and spends for them. */
#pragma once
#include <stdbool.h>

typedef struct ws_budget {
  int left;
  bool prepaid; /* the loop has counted the first event of what it serves */
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
