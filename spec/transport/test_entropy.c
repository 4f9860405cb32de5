/* SPDX-License-Identifier: MIT */
/* Random bytes: as many as asked for, never the same twice. */
#include "transport/entropy.h"

#include "bytes/status.h"
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

TEST(fills_what_was_asked_for) {
  static const size_t sizes[] = {1, 4, 16, 1000, 1024, 1025, 4096, 100000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint8_t *data = check_guarded(sizes[i]);
    CHECK_INT(ws_entropy(data, sizes[i]), WS_OK);
  }
  CHECK_INT(ws_entropy(NULL, 0), WS_OK);
}

/* Long enough to draw several blocks: every byte value turns up, every bit is
 * set about half the time. */
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
  CHECK(bits > 257000 && bits < 267300); /* 262144, 10 deviations */
}

TEST(fails_when_told) {
  uint8_t data[4] = {1, 2, 3, 4};
  ws_entropy_fail(1);
  CHECK_INT(ws_entropy(data, sizeof data), WS_ERANDOM);
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
  int status;
  CHECK_INT(waitpid(child, &status, 0), child);
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
  RUN(fails_when_told);
  RUN(a_forked_child_draws_anew);
  RUN(threads_draw_their_own);
  return check_done();
}
