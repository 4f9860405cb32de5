/* SPDX-License-Identifier: MIT */
/* The heap of deadlines, without clock and loop. */
#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "loop/timers.h"

#define MANY 100000

static ws_timers timers;

static void begin(void) {
  ws_timers_init(&timers, ws_memory_resize);
}

static ws_timer *take(uint64_t now) {
  return ws_timers_take(&timers, now, ws_timers_order(&timers));
}

/* Pseudo-random numbers, the same in every run. */
static uint32_t scramble(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* Every timer knows its place, and the first is the earliest, which holds
 * for a heap of any width. */
static bool in_order(void) {
  for (size_t i = 0; i < timers.count; i++)
    if (timers.heap[i]->index != i + 1 ||
        timers.heap[i]->due < timers.heap[0]->due)
      return false;
  return true;
}

TEST(empty_has_nothing) {
  begin();
  uint64_t due = 77;
  CHECK(!ws_timers_next(&timers, &due));
  CHECK_INT(due, 77);
  CHECK(take(UINT64_MAX) == NULL);
  ws_timer idle = {0};
  ws_timers_stop(&timers, &idle);
  CHECK(!ws_timer_running(&idle));
  ws_timers_deinit(&timers);
}

TEST(earliest_first) {
  begin();
  static const uint64_t dues[] = {50, 10, 40, 20, 30, 60, 5};
  ws_timer list[7] = {{0}};
  for (size_t i = 0; i < 7; i++) {
    CHECK_INT(ws_timers_start(&timers, &list[i], dues[i]), WS_OK);
    CHECK(ws_timer_running(&list[i]));
  }
  uint64_t due = 0;
  CHECK(ws_timers_next(&timers, &due));
  CHECK_INT(due, 5);
  CHECK(take(4) == NULL);
  CHECK(take(5) == &list[6]);
  CHECK(!ws_timer_running(&list[6]));
  CHECK(take(9) == NULL);
  static const size_t order[] = {1, 3, 4, 2, 0, 5};
  for (size_t i = 0; i < 6; i++) CHECK(take(60) == &list[order[i]]);
  CHECK(take(UINT64_MAX) == NULL);
  ws_timers_deinit(&timers);
}

TEST(equal_deadlines_in_the_order_started) {
  begin();
  ws_timer list[50] = {{0}};
  for (size_t i = 0; i < 50; i++) ws_timers_start(&timers, &list[i], 9);
  ws_timers_stop(&timers, &list[7]);
  ws_timers_start(&timers, &list[3], 9); /* starting it again makes it last */
  for (size_t i = 0; i < 50; i++)
    if (i != 7 && i != 3) CHECK(take(9) == &list[i]);
  CHECK(take(9) == &list[3]);
  CHECK(take(9) == NULL);
  ws_timers_deinit(&timers);
}

TEST(a_running_timer_moves_both_ways) {
  begin();
  ws_timer a = {0}, b = {0}, c = {0};
  ws_timers_start(&timers, &a, 10);
  ws_timers_start(&timers, &b, 20);
  ws_timers_start(&timers, &c, 30);
  ws_timers_start(&timers, &a, 25);
  ws_timers_start(&timers, &c, 5);
  CHECK_INT(timers.count, 3);
  CHECK(take(100) == &c);
  CHECK(take(100) == &b);
  CHECK(take(100) == &a);
  ws_timers_deinit(&timers);
}

TEST(stop_twice_is_fine) {
  begin();
  ws_timer a = {0}, b = {0};
  ws_timers_start(&timers, &a, 1);
  ws_timers_start(&timers, &b, 2);
  ws_timers_stop(&timers, &a);
  ws_timers_stop(&timers, &a);
  CHECK_INT(timers.count, 1);
  CHECK(take(2) == &b);
  ws_timers_stop(&timers, &b);
  CHECK_INT(timers.count, 0);
  ws_timers_deinit(&timers);
}

TEST(before_keeps_newer_ones_back) {
  begin();
  ws_timer a = {0}, b = {0};
  ws_timers_start(&timers, &a, 10);
  uint64_t before = ws_timers_order(&timers);
  ws_timers_start(&timers, &b, 10);
  CHECK(ws_timers_take(&timers, 10, before) == &a);
  CHECK(ws_timers_take(&timers, 10, before) == NULL);
  ws_timers_start(&timers, &a, 10);
  CHECK(ws_timers_take(&timers, 10, before) == NULL);
  CHECK(take(10) == &b);
  CHECK(take(10) == &a);
  ws_timers_deinit(&timers);
}

/* Newer timers with earlier deadlines are on top of the heap. They must not
 * hide the older ones, which come in their own order. */
TEST(before_finds_those_below_newer_ones) {
  begin();
  ws_timer old[30] = {{0}}, new[30] = {{0}};
  for (size_t i = 0; i < 30; i++)
    ws_timers_start(&timers, &old[i], 1000 - 10 * i);
  uint64_t before = ws_timers_order(&timers);
  for (size_t i = 0; i < 30; i++) ws_timers_start(&timers, &new[i], i);
  for (size_t i = 0; i < 25; i++)
    CHECK(ws_timers_take(&timers, 950, before) == &old[29 - i]);
  CHECK(ws_timers_take(&timers, 950, before) == NULL);
  CHECK(ws_timers_take(&timers, 1000, before) == &old[4]);
  CHECK(take(1000) == &new[0]);
  CHECK(in_order());
  ws_timers_deinit(&timers);
}

TEST(deadlines_at_both_ends_of_the_range) {
  begin();
  ws_timer last = {0}, first = {0}, half = {0};
  ws_timers_start(&timers, &last, UINT64_MAX);
  ws_timers_start(&timers, &half, (uint64_t)1 << 63);
  ws_timers_start(&timers, &first, 0);
  CHECK(take(0) == &first);
  CHECK(take(((uint64_t)1 << 63) - 1) == NULL);
  CHECK(take((uint64_t)1 << 63) == &half);
  CHECK(take(UINT64_MAX - 1) == NULL);
  CHECK(take(UINT64_MAX) == &last);
  ws_timers_deinit(&timers);
}

/* Starts, moves and stops at random, compared with a plain list. */
TEST(agrees_with_a_plain_list) {
  begin();
  enum { COUNT = 40 };
  ws_timer list[COUNT] = {{0}};
  uint32_t state = 12345;
  bool same = true;
  for (int step = 0; step < 20000 && same; step++) {
    ws_timer *timer = &list[scramble(&state) % COUNT];
    uint32_t what = scramble(&state) % 4;
    if (what < 2) {
      ws_timers_start(&timers, timer, scramble(&state) % 16);
    } else if (what == 2) {
      ws_timers_stop(&timers, timer);
    } else {
      uint64_t now = scramble(&state) % 16;
      ws_timer *expected = NULL;
      for (size_t i = 0; i < COUNT; i++) {
        if (!ws_timer_running(&list[i]) || list[i].due > now) continue;
        if (expected == NULL || list[i].due < expected->due ||
            (list[i].due == expected->due &&
             list[i].order < expected->order))
          expected = &list[i];
      }
      same = take(now) == expected;
    }
    same = same && in_order();
  }
  CHECK(same);
  ws_timers_deinit(&timers);
}

/* 10^5 timers; with a stop that searched this would take minutes. */
TEST(many_are_quick) {
  begin();
  ws_timer *list = ws_memory_new(MANY * sizeof *list);
  uint32_t state = 99;
  bool good = list != NULL;
  for (size_t i = 0; good && i < MANY; i++)
    good = ws_timers_start(&timers, &list[i], scramble(&state)) == WS_OK;
  for (size_t i = 0; good && i < MANY; i += 2)
    ws_timers_start(&timers, &list[i], scramble(&state));
  for (size_t i = 0; i < MANY; i += 3) ws_timers_stop(&timers, &list[i]);
  size_t taken = 0;
  uint64_t last = 0;
  for (ws_timer *timer; (timer = take(UINT32_MAX)) != NULL; taken++) {
    good = good && timer->due >= last;
    last = timer->due;
  }
  CHECK(good);
  CHECK_INT(taken, MANY - (MANY + 2) / 3);
  ws_memory_free(list);
  ws_timers_deinit(&timers);
}

TEST(no_memory_changes_nothing) {
  begin();
  ws_timer list[200] = {{0}};
  size_t refused = 0;
  for (size_t i = 0; i < 200; i++) {
    ws_memory_fail(1, 0);
    int status = ws_timers_start(&timers, &list[i], 200 - i);
    ws_memory_fail(0, 0);
    if (status == WS_OK) continue;
    refused++;
    CHECK_INT(status, WS_ENOMEM);
    CHECK(!ws_timer_running(&list[i]));
    CHECK_INT(timers.count, i);
    CHECK_INT(ws_timers_start(&timers, &list[i], 200 - i), WS_OK);
  }
  CHECK(refused >= 1);
  ws_memory_fail(1, 1);
  CHECK_INT(ws_timers_start(&timers, &list[0], 0), WS_OK); /* it only moves */
  ws_memory_fail(0, 0);
  CHECK(take(300) == &list[0]);
  for (size_t i = 199; i > 0; i--) CHECK(take(300) == &list[i]);
  ws_timers_deinit(&timers);
}

TEST(deinit_stops_what_runs_and_gives_all_back) {
  size_t live = ws_memory_live();
  begin();
  ws_timer list[100] = {{0}};
  for (size_t i = 0; i < 100; i++) ws_timers_start(&timers, &list[i], i);
  CHECK(ws_memory_live() > live);
  ws_timers_deinit(&timers);
  CHECK_INT(ws_memory_live(), live);
  for (size_t i = 0; i < 100; i++) CHECK(!ws_timer_running(&list[i]));
  CHECK_INT(ws_timers_start(&timers, &list[0], 1), WS_OK);
  CHECK(take(1) == &list[0]);
  ws_timers_deinit(&timers);
  CHECK_INT(ws_memory_live(), live);
}

int main(void) {
  RUN(empty_has_nothing);
  RUN(earliest_first);
  RUN(equal_deadlines_in_the_order_started);
  RUN(a_running_timer_moves_both_ways);
  RUN(stop_twice_is_fine);
  RUN(before_keeps_newer_ones_back);
  RUN(before_finds_those_below_newer_ones);
  RUN(deadlines_at_both_ends_of_the_range);
  RUN(agrees_with_a_plain_list);
  RUN(many_are_quick);
  RUN(no_memory_changes_nothing);
  RUN(deinit_stops_what_runs_and_gives_all_back);
  return check_done();
}
