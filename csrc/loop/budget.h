/* SPDX-License-Identifier: MIT */
/* How many events a turn may still serve: for games, whose frame has no room
 * for a flood. The loop counts what it serves as one event each; whoever tells
 * more than one from there asks and spends. */
#pragma once
#include <stdbool.h>

typedef struct ws_budget {
  int left;
  bool prepaid; /* the first event of what is served is counted already */
} ws_budget;

/* False: the next event has to wait for another turn. */
static inline bool ws_budget_allows(const ws_budget *budget) {
  return budget->prepaid || budget->left > 0;
}

/* An event is about to be told. */
static inline void ws_budget_spend(ws_budget *budget) {
  if (budget->prepaid) budget->prepaid = false;
  else if (budget->left > 0) budget->left--;
}
