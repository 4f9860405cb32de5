/* SPDX-License-Identifier: MIT */
/* The C tests' harness. A test program is a list of TEST functions and a
 * main that RUNs them and returns check_done(). A TEST counts as one test; it
 * passes when it made at least one CHECK and all of them held. $CHECK_SKIP
 * lists tests to leave out, separated by spaces. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct {
  _Atomic unsigned passed, failed;
  _Atomic unsigned held, broken; /* the test's CHECKs, from any thread */
} check_counts;

#define TEST(name) static void name(void)

#define RUN(name) check_run(#name, name)

#define CHECK(condition) \
  check_that((condition), #condition, __FILE__, __LINE__)

/* Compares as long long, and prints both when they differ. */
#define CHECK_INT(actual, expected)                                       \
  check_int((long long)(actual), (long long)(expected), #actual, __FILE__, \
            __LINE__)

/* Compares bytes with a string literal, without its terminating zero. */
#define CHECK_BYTES(data, len, literal)                             \
  check_bytes((data), (len), (literal), sizeof(literal) - 1, #data, \
              __FILE__, __LINE__)

static inline bool check_that(bool held, const char *what, const char *file,
                              int line) {
  if (held) {
    check_counts.held++;
  } else {
    check_counts.broken++;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  }
  return held;
}

static inline bool check_int(long long actual, long long expected,
                             const char *what, const char *file, int line) {
  if (actual != expected)
    fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, what,
            actual, expected);
  return check_that(actual == expected, what, file, line);
}

static inline void check_show(const char *label, const void *data,
                              size_t len) {
  const uint8_t *bytes = data;
  fprintf(stderr, "  %s (%zu):", label, len);
  for (size_t i = 0; i < len && i < 64; i++)
    fprintf(stderr, bytes[i] >= 32 && bytes[i] < 127 ? " %c" : " %02x",
            bytes[i]);
  fputc('\n', stderr);
}

static inline bool check_bytes(const void *data, size_t len,
                               const char *expected, size_t expected_len,
                               const char *what, const char *file, int line) {
  bool same = len == expected_len &&
              (len == 0 || memcmp(data, expected, len) == 0);
  if (!check_that(same, what, file, line)) {
    check_show("actual", data, len);
    check_show("expected", expected, expected_len);
  }
  return same;
}

static inline bool check_skips(const char *name) {
  const char *list = getenv("CHECK_SKIP");
  size_t len = strlen(name);
  for (const char *at = list; at && (at = strstr(at, name)) != NULL; at += len)
    if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
      return true;
  return false;
}

static inline void check_run(const char *name, void (*test)(void)) {
  if (check_skips(name)) {
    printf("left out: %s\n", name);
    return;
  }
  check_counts.held = check_counts.broken = 0;
  test();
  if (check_counts.broken == 0 && check_counts.held > 0) {
    check_counts.passed++;
    return;
  }
  check_counts.failed++;
  fprintf(stderr, "FAILED %s%s\n", name,
          check_counts.held + check_counts.broken ? "" : " (checked nothing)");
}

/* Prints the counts and returns the exit code for main. */
static inline int check_done(void) {
  printf("%u passed, %u failed\n", check_counts.passed, check_counts.failed);
  return check_counts.failed != 0;
}

/* The work to be timed, as much of it as `size` says. */
typedef void check_work(void *subject, size_t size);

/* CPU time of this process only: the machine may be busy with others. */
static inline clock_t check_time(check_work *work, void *subject,
                                 size_t size) {
  clock_t start = clock();
  work(subject, size);
  return clock() - start;
}

/* Whether the work on `b` takes less than `most` times as long as that on `a`.
 * They are timed in turns, because a busy machine slows both, and the least
 * time of several tries counts. */
static inline bool check_times(check_work *work, void *a, size_t a_size,
                               void *b, size_t b_size, long most) {
  clock_t a_least = 0, b_least = 0;
  for (int i = 0; i < 10; i++) {
    clock_t a_time = check_time(work, a, a_size);
    clock_t b_time = check_time(work, b, b_size);
    if (i == 0 || a_time < a_least) a_least = a_time;
    if (i == 0 || b_time < b_least) b_least = b_time;
    if (b_least < most * (a_least + 1)) return true; /* 1: the clock's tick */
  }
  fprintf(stderr, "  %ld ticks of the clock, where %ld are the measure\n",
          (long)b_least, (long)a_least);
  return false;
}

/* Whether the time grows linearly: 8 times the size may take up to 24 times
 * as long; quadratic work would take 64 times as long. */
static inline bool check_linear(check_work *work, void *subject, size_t size) {
  return check_times(work, subject, size, subject, 8 * size, 24);
}

/* `len` writable bytes that end right before a protected page: reading or
 * writing one byte beyond them ends the program. Never freed. */
static inline uint8_t *check_guarded(size_t len) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t whole = (len + page - 1) / page * page;
  uint8_t *block = mmap(NULL, whole + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED || mprotect(block + whole, page, PROT_NONE) != 0) {
    perror("check_guarded");
    _exit(2);
  }
  return block + whole - len;
}
