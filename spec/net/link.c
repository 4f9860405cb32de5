/* SPDX-License-Identifier: MIT */
/* A bad network: runs a command in a "near" network namespace, joined to a
 * "far" one by a link that loses packets on order.
 *     link SEED COMMAND...
 * In the command's environment, WS_LINK holds four descriptors and the seed.
 * The descriptors are: where to write orders, where to read answers, the near
 * and the far namespace. An order is a line, "DIRECTION WORD VALUE", "reset" or
 * "counts", and is answered by a line. See order() and spec/net/link.lua. */
#include "direction.h"
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000U /* nanoseconds */
#define SECOND 1000000000U

static struct {
  uint64_t seed;
  namespace near, far;
  direction out, in; /* out: from near to far */
  int orders, answers;
} link_;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ----------------------------------------------------------------- orders */

static int set(direction *d, const char *word, double value) {
  weather *w = &d->weather;
  if (!strcmp(word, "loss")) w->loss = value / 100;
  else if (!strcmp(word, "doubling")) w->doubling = value / 100;
  else if (!strcmp(word, "damage")) w->damage = value / 100;
  else if (!strcmp(word, "delay")) w->delay = (uint64_t)(value * MS);
  else if (!strcmp(word, "jitter")) w->jitter = (uint64_t)(value * MS);
  else if (!strcmp(word, "kbits")) w->rate = (uint64_t)(value * 125);
  else if (!strcmp(word, "pass")) w->pass = (int64_t)value;
  else if (!strcmp(word, "port")) w->port = (unsigned)value;
  else return -1;
  return 0;
}

static void reset(void) {
  direction_reset(&link_.out, link_.seed);
  direction_reset(&link_.in, ~link_.seed);
}

static void print_counts(char *answer, size_t size) {
  const counts *both[] = {&link_.out.counts, &link_.in.counts};
  size_t at = 0;
  for (int i = 0; i < 2 && at < size; i++) {
    const counts *c = both[i];
    at += (size_t)snprintf(answer + at, size - at,
                           "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                           " %" PRIu64 " %" PRIu64 " %" PRIu64 " ",
                           c->came, c->lost, c->doubled, c->damaged, c->late,
                           c->cut, c->refused);
  }
}

/* loss, doubling and damage are in percent, delay and jitter in milliseconds,
 * kbits is per second. pass: so many more packets (of a port) pass, then none;
 * -1 mends that. */
static void order(const char *line, char *answer, size_t size) {
  char where[8], word[16];
  double value;
  snprintf(answer, size, "ok");
  if (!strcmp(line, "reset")) {
    reset();
    return;
  }
  if (!strcmp(line, "counts")) {
    print_counts(answer, size);
    return;
  }
  int bad = sscanf(line, "%7s %15s %lf", where, word, &value) != 3;
  if (!bad && strcmp(where, "in")) bad |= set(&link_.out, word, value);
  if (!bad && strcmp(where, "out")) bad |= set(&link_.in, word, value);
  if (bad) snprintf(answer, size, "what?");
}

/* Whoever gives an order waits for the answer, so one read gives one line. */
static void obey(void) {
  char line[128], answer[512];
  ssize_t len = read(link_.orders, line, sizeof line - 1);
  if (len <= 0) return;
  line[len] = '\0';
  line[strcspn(line, "\n")] = '\0';
  order(line, answer, sizeof answer - 1);
  strcat(answer, "\n");
  if (write(link_.answers, answer, strlen(answer)) < 0) perror("link");
}

/* ---------------------------------------------------------------- the link */

static struct timespec until(uint64_t due) {
  uint64_t at = now(), left = due > at ? due - at : 0;
  if (left > SECOND) left = SECOND;
  return (struct timespec){(time_t)(left / SECOND), (long)(left % SECOND)};
}

/* Runs the link until the command has ended; its argument is a pidfd. */
static void carry(int command) {
  struct pollfd fds[] = {{.fd = command, .events = POLLIN},
                         {.fd = link_.orders, .events = POLLIN},
                         {.fd = link_.near.device, .events = POLLIN},
                         {.fd = link_.far.device, .events = POLLIN}};
  while (!fds[0].revents) {
    uint64_t out = direction_due(&link_.out), in = direction_due(&link_.in);
    struct timespec wait = until(out < in ? out : in);
    if (ppoll(fds, sizeof fds / sizeof *fds, &wait, NULL) < 0 &&
        errno != EINTR)
      return;
    if (fds[1].revents & POLLIN) obey();
    direction_take(&link_.out, now());
    direction_take(&link_.in, now());
    direction_deliver(&link_.out, now());
    direction_deliver(&link_.in, now());
  }
}

/* ------------------------------------------------------------- the command */

static void run(char **command, int orders, int answers) {
  char text[128];
  snprintf(text, sizeof text, "%d %d %d %d %llu", orders, answers,
           link_.near.space, link_.far.space, (unsigned long long)link_.seed);
  setenv("WS_LINK", text, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (setns(link_.near.space, CLONE_NEWNET) == 0) execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

/* Returns the command's exit status as a shell would. */
static int run_and_carry(char **command) {
  int orders[2], answers[2], status = 0;
  if (pipe(orders) != 0 || pipe(answers) != 0) return 126;
  pid_t pid = fork();
  if (pid < 0) return 126;
  if (pid == 0) {
    close(orders[0]);
    close(answers[1]);
    run(command, orders[1], answers[0]);
  }
  close(orders[1]);
  close(answers[0]);
  signal(SIGPIPE, SIG_IGN);
  link_.orders = orders[0];
  link_.answers = answers[1];
  int ended = (int)syscall(SYS_pidfd_open, pid, 0);
  if (ended >= 0) carry(ended);
  else perror("link: pidfd_open");
  if (ended < 0) kill(pid, SIGTERM);
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: link SEED COMMAND...\n");
    return 2;
  }
  link_.seed = strtoull(argv[1], NULL, 10);
  reset();
  if (namespace_prepare() < 0 || namespace_open(&link_.far, FAR, NEAR) < 0 ||
      namespace_open(&link_.near, NEAR, FAR) < 0)
    return 125;
  link_.out.from = link_.in.to = link_.near.device;
  link_.in.from = link_.out.to = link_.far.device;
  return run_and_carry(argv + 2);
}
