/* SPDX-License-Identifier: MIT */
/* Random bytes: as many as requested, and never the same twice. */
#include "transport/entropy.h"

#include "bytes/status.h"
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifdef __linux__
/* Replaces the system's function by the real one or by some trouble. */
static enum { REAL, SHORT, INTERRUPTED, MISSING, BROKEN, EMPTY } mood;
static atomic_uint calls;

ssize_t getrandom(void *data, size_t len, unsigned flags);

ssize_t getrandom(void *data, size_t len, unsigned flags) {
  unsigned before = atomic_fetch_add(&calls, 1);
  if (mood == SHORT && len > 100) len = 100;
  if (mood == EMPTY) return 0;
  if (mood == MISSING || mood == BROKEN ||
      (mood == INTERRUPTED && before % 2 == 0)) {
    errno = mood == MISSING ? ENOSYS : mood == BROKEN ? EIO : EINTR;
    return -1;
  }
  return syscall(SYS_getrandom, data, len, flags);
}
#endif

TEST(fills_what_was_asked_for) {
  static const size_t sizes[] = {1, 4, 16, 1000, 1024, 1025, 4096, 100000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint8_t *data = check_guarded(sizes[i]);
    CHECK_INT(ws_entropy(data, sizes[i]), WS_OK);
  }
  CHECK_INT(ws_entropy(NULL, 0), WS_OK);
}

/* Several blocks: every byte value occurs, and about half of the bits are
 * set. */
TEST(looks_random) {
  size_t seen[256] = {0};
  size_t bits = 0;
  for (int i = 0; i < 16384; i++) {
    uint8_t key[4];
    ws_entropy(key, sizeof key);
    for (int k = 0; k < 4; k++) {
      seen[key[k]]++;
      bits += (size_t)__builtin_popcount(key[k]);
    }
  }
  for (int value = 0; value < 256; value++) CHECK(seen[value] > 0);
  CHECK(bits > 257000 && bits < 267300); /* 262144 +- 10 deviations */
}

static int compare(const void *a, const void *b) { return memcmp(a, b, 16); }

/* Each byte is given out once, also around the end of a block: no two requests
 * of 16 bytes are alike, whatever sizes come in between. */
TEST(nothing_is_given_twice) {
  enum { COUNT = 4000 };
  static uint8_t all[COUNT][16], between[1100];
  for (size_t i = 0; i < COUNT; i++) {
    CHECK_INT(ws_entropy(all[i], 16), WS_OK);
    ws_entropy(between, i * 37 % sizeof between);
  }
  qsort(all, COUNT, 16, compare);
  for (size_t i = 1; i < COUNT; i++)
    CHECK(memcmp(all[i - 1], all[i], 16) != 0);
}

#ifdef __linux__
/* Whether all `len` bytes are written: in 64 runs, each changes at least
 * once. */
static bool fills(size_t len) {
  uint8_t *data = check_guarded(len);
  uint8_t *ever = check_guarded(len);
  for (int run = 0; run < 64; run++) {
    memset(data, 0, len);
    if (ws_entropy(data, len) != WS_OK) return false;
    for (size_t i = 0; i < len; i++) ever[i] |= data[i];
  }
  return memchr(ever, 0, len) == NULL;
}

TEST(short_and_interrupted_draws_go_on) {
  static const size_t sizes[] = {4, 1024, 1025, 5000};
  for (size_t i = 0; i < 4; i++) {
    mood = SHORT;
    CHECK(fills(sizes[i]));
    mood = INTERRUPTED;
    CHECK(fills(sizes[i]));
  }
  mood = REAL;
}

/* A kernel without the system call has the file. */
TEST(the_file_serves_too) {
  mood = MISSING;
  CHECK(fills(5000));
  CHECK(fills(1000)); /* several blocks */
  mood = REAL;
}

static void *draw_in_trouble(void *status) {
  uint8_t data[4];
  int *statuses = status;
  mood = BROKEN;
  for (int i = 0; i < 2; i++) statuses[i] = ws_entropy(data, sizeof data);
  statuses[2] = ws_entropy(data, 0);
  mood = EMPTY;
  statuses[3] = ws_entropy(data, sizeof data);
  mood = REAL;
  statuses[4] = ws_entropy(data, sizeof data);
  return NULL;
}

/* In a thread of its own, which has drawn no block yet: there are never
 * predictable bytes, and those given before do not come again. */
TEST(trouble_is_a_status) {
  uint8_t large[2000];
  int statuses[5];
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, draw_in_trouble, statuses), 0);
  pthread_join(thread, NULL);
  CHECK_INT(statuses[0], WS_ERANDOM);
  CHECK_INT(statuses[1], WS_ERANDOM);
  CHECK_INT(statuses[2], WS_OK); /* nothing was asked for */
  CHECK_INT(statuses[3], WS_ERANDOM);
  CHECK_INT(statuses[4], WS_OK);
  mood = BROKEN;
  CHECK_INT(ws_entropy(large, sizeof large), WS_ERANDOM);
  uint8_t key[16];
  int status = WS_OK;
  for (int i = 0; i < 4096 / 16 + 1 && status == WS_OK; i++)
    status = ws_entropy(key, sizeof key); /* until the block is used up */
  CHECK_INT(status, WS_ERANDOM);
  CHECK_INT(ws_entropy(key, sizeof key), WS_ERANDOM);
  mood = REAL;
  CHECK_INT(ws_entropy(key, sizeof key), WS_OK);
}

/* A thousand masking keys cost one system call. */
TEST(a_block_is_drawn_ahead) {
  uint8_t key[4];
  atomic_store(&calls, 0);
  for (int i = 0; i < 4096; i++) ws_entropy(key, sizeof key);
  CHECK(atomic_load(&calls) >= 4 && atomic_load(&calls) <= 5);
}
#endif

TEST(fails_when_told) {
  uint8_t data[2000] = {1, 2, 3, 4};
  ws_entropy_fail(1);
  CHECK_INT(ws_entropy(data, 4), WS_ERANDOM);
  CHECK_INT(ws_entropy(data, sizeof data), WS_ERANDOM);
  CHECK_BYTES(data, 4, "\1\2\3\4");
  ws_entropy_fail(0);
  CHECK_INT(ws_entropy(data, sizeof data), WS_OK);
}

/* A child that repeated its parent's bytes would repeat its masking keys. */
TEST(a_forked_child_draws_anew) {
  uint8_t ours[16], theirs[16] = {0};
  int pipes[2];
  ws_entropy(ours, sizeof ours); /* the block is drawn */
  CHECK_INT(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    ws_entropy(theirs, sizeof theirs);
    _exit(write(pipes[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
  }
  CHECK_INT(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
  int status = -1;
  CHECK_INT(waitpid(child, &status, 0), child);
  CHECK_INT(status, 0);
  ws_entropy(ours, sizeof ours);
  CHECK(memcmp(ours, theirs, sizeof ours) != 0);
  close(pipes[0]);
  close(pipes[1]);
}

static void *draw(void *into) {
  ws_entropy(into, 16);
  return NULL;
}

TEST(threads_draw_their_own) {
  uint8_t first[16] = {0}, second[16] = {0};
  pthread_t a, b;
  CHECK_INT(pthread_create(&a, NULL, draw, first), 0);
  CHECK_INT(pthread_create(&b, NULL, draw, second), 0);
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  CHECK(memcmp(first, second, sizeof first) != 0);
}

int main(void) {
  RUN(fills_what_was_asked_for);
  RUN(looks_random);
  RUN(nothing_is_given_twice);
#ifdef __linux__
  RUN(short_and_interrupted_draws_go_on);
  RUN(the_file_serves_too);
  RUN(trouble_is_a_status);
  RUN(a_block_is_drawn_ahead);
#endif
  RUN(fails_when_told);
  RUN(a_forked_child_draws_anew);
  RUN(threads_draw_their_own);
  return check_done();
}
