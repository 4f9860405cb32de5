/* SPDX-License-Identifier: MIT */
/* Preloaded, it makes the n-th call of a system function fail with an error
 * that its manual allows. It also shortens waiting: only this process takes
 * part, so what has not happened after a moment never will; then it puts the
 * clock forward. */
#include "faults/failing_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* How many real milliseconds to wait at most; longer with resolver threads. */
#define MOMENT 1
#define MOMENT_OF_THREADS 50

typedef enum call {
  SOCKET, SOCKETPAIR, CONNECT, ACCEPT, BIND, LISTEN, RECV, SEND, SENDMSG,
  EPOLL_CREATE, EPOLL_CTL, EPOLL_WAIT, POLL, GETSOCKOPT, SETSOCKOPT,
  GETPEERNAME, GETSOCKNAME, GETRANDOM, GETADDRINFO, PTHREAD_CREATE, WAKE, CALLS
} call;

static const char *const names[CALLS] = {
    "socket",        "socketpair", "connect",     "accept4",    "bind",
    "listen",        "recv",       "send",        "sendmsg",    "epoll_create1",
    "epoll_ctl",     "epoll_wait", "poll",        "getsockopt", "setsockopt",
    "getpeername",   "getsockname", "getrandom",  "getaddrinfo",
    "pthread_create", "wake"};

static atomic_uint made[CALLS];
static atomic_int armed_call = CALLS;
static atomic_uint armed_nth;
static atomic_int armed_error;
static atomic_bool was_met, suspended;
static atomic_uint closes_of_none;
static atomic_int threads;
static atomic_llong ahead; /* by so many ns the clock was put forward */
static pthread_t arming;
static bool has_armed;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

/* Looks up the real function once. ISO C has no cast from void *. */
#define REAL(variable, name)                            \
  do {                                                  \
    if (!variable) {                                    \
      void *found_ = real(name);                        \
      memcpy(&variable, &found_, sizeof found_);        \
    }                                                   \
  } while (0)

static bool is_main(void) {
  return has_armed && pthread_equal(pthread_self(), arming);
}

/* The error with which this call has to fail; 0: none. */
static int fault(call which) {
  if (!has_armed || atomic_load(&suspended)) return 0;
  if (!is_main() && which != GETADDRINFO && which != WAKE) return 0;
  unsigned nth = atomic_fetch_add(&made[which], 1) + 1;
  if ((int)which != atomic_load(&armed_call)) return 0;
  if (nth != atomic_load(&armed_nth)) return 0;
  atomic_store(&was_met, true);
  return atomic_load(&armed_error);
}

/* For calls that only succeed or fail. */
static bool fails(call which) {
  int error = fault(which);
  if (error > 0) errno = error;
  return error > 0;
}

/* ------------------------------------------------------------- control */

static int find(const char *name) {
  int i = 0;
  while (i < CALLS && strcmp(names[i], name) != 0) i++;
  return i;
}

static bool arm(const char *name, unsigned nth, int error) {
  int which = name ? find(name) : CALLS;
  arming = pthread_self();
  has_armed = true;
  atomic_store(&armed_call, CALLS);
  for (int i = 0; i < CALLS; i++) atomic_store(&made[i], 0);
  atomic_store(&was_met, false);
  atomic_store(&armed_nth, nth);
  atomic_store(&armed_error, error);
  atomic_store(&armed_call, which);
  return !name || which < CALLS;
}

static unsigned count_of(const char *name) {
  int which = find(name);
  return which < CALLS ? atomic_load(&made[which]) : 0;
}

static bool met(void) { return atomic_load(&was_met); }

static void suspend(bool on) { atomic_store(&suspended, on); }

static unsigned bad_closes(void) { return atomic_load(&closes_of_none); }

EXPORTED const failing_calls *failing_calls_control(void) {
  static const failing_calls control = {arm, count_of, met, suspend,
                                        bad_closes};
  return &control;
}

/* ------------------------------------------------------------- sockets */

EXPORTED int socket(int family, int type, int protocol) {
  static int (*next)(int, int, int);
  REAL(next, "socket");
  return fails(SOCKET) ? -1 : next(family, type, protocol);
}

EXPORTED int socketpair(int family, int type, int protocol, int pair[2]) {
  static int (*next)(int, int, int, int[2]);
  REAL(next, "socketpair");
  return fails(SOCKETPAIR) ? -1 : next(family, type, protocol, pair);
}

/* A connect that is interrupted (EINTR) continues in the background. */
EXPORTED int connect(int fd, const struct sockaddr *address, socklen_t len) {
  static int (*next)(int, const struct sockaddr *, socklen_t);
  REAL(next, "connect");
  int error = fault(CONNECT);
  int result = error && error != EINTR ? -1 : next(fd, address, len);
  if (error) errno = error;
  return error ? -1 : result;
}

EXPORTED int accept4(int fd, struct sockaddr *peer, socklen_t *len,
                     int flags) {
  static int (*next)(int, struct sockaddr *, socklen_t *, int);
  REAL(next, "accept4");
  return fails(ACCEPT) ? -1 : next(fd, peer, len, flags);
}

EXPORTED int bind(int fd, const struct sockaddr *address, socklen_t len) {
  static int (*next)(int, const struct sockaddr *, socklen_t);
  REAL(next, "bind");
  return fails(BIND) ? -1 : next(fd, address, len);
}

EXPORTED int listen(int fd, int backlog) {
  static int (*next)(int, int);
  REAL(next, "listen");
  return fails(LISTEN) ? -1 : next(fd, backlog);
}

EXPORTED int getsockopt(int fd, int level, int name, void *value,
                        socklen_t *len) {
  static int (*next)(int, int, int, void *, socklen_t *);
  REAL(next, "getsockopt");
  return fails(GETSOCKOPT) ? -1 : next(fd, level, name, value, len);
}

EXPORTED int setsockopt(int fd, int level, int name, const void *value,
                        socklen_t len) {
  static int (*next)(int, int, int, const void *, socklen_t);
  REAL(next, "setsockopt");
  return fails(SETSOCKOPT) ? -1 : next(fd, level, name, value, len);
}

EXPORTED int getpeername(int fd, struct sockaddr *address, socklen_t *len) {
  static int (*next)(int, struct sockaddr *, socklen_t *);
  REAL(next, "getpeername");
  return fails(GETPEERNAME) ? -1 : next(fd, address, len);
}

EXPORTED int getsockname(int fd, struct sockaddr *address, socklen_t *len) {
  static int (*next)(int, struct sockaddr *, socklen_t *);
  REAL(next, "getsockname");
  return fails(GETSOCKNAME) ? -1 : next(fd, address, len);
}

EXPORTED int close(int fd) {
  static int (*next)(int);
  REAL(next, "close");
  int result = next(fd);
  if (result != 0 && errno == EBADF) atomic_fetch_add(&closes_of_none, 1);
  return result;
}

/* --------------------------------------------------------------- bytes */

/* After an error that ends a connection, no more bytes pass, either way. */
static void end(int fd, int error) {
  if (error == ECONNRESET || error == EPIPE || error == ETIMEDOUT)
    shutdown(fd, SHUT_RDWR);
}

/* The length to ask for; 0 when the call fails. */
static size_t cut(call which, int fd, size_t len) {
  int error = fault(which);
  if (error > 0) end(fd, error);
  if (error > 0) errno = error;
  if (error > 0) return 0;
  return error == FAULT_SHORT && len > 1 ? 1 : len;
}

EXPORTED ssize_t recv(int fd, void *data, size_t len, int flags) {
  static ssize_t (*next)(int, void *, size_t, int);
  REAL(next, "recv");
  size_t most = cut(RECV, fd, len);
  return most == 0 ? -1 : next(fd, data, most, flags);
}

EXPORTED ssize_t send(int fd, const void *data, size_t len, int flags) {
  static ssize_t (*next)(int, const void *, size_t, int);
  REAL(next, "send");
  size_t most = cut(is_main() ? SEND : WAKE, fd, len);
  return most == 0 ? -1 : next(fd, data, most, flags);
}

EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  static ssize_t (*next)(int, const struct msghdr *, int);
  REAL(next, "sendmsg");
  struct msghdr shorter = *message;
  struct iovec one = {0};
  size_t most = cut(SENDMSG, fd, SIZE_MAX);
  if (most == 0) return -1;
  if (most == SIZE_MAX) return next(fd, message, flags);
  for (size_t i = 0; i < message->msg_iovlen && one.iov_len == 0; i++)
    one = message->msg_iov[i];
  one.iov_len = one.iov_len > 0;
  shorter.msg_iov = &one;
  shorter.msg_iovlen = 1;
  return next(fd, &shorter, flags);
}

EXPORTED ssize_t getrandom(void *data, size_t len, unsigned flags) {
  static ssize_t (*next)(void *, size_t, unsigned);
  REAL(next, "getrandom");
  size_t most = cut(GETRANDOM, -1, len);
  return most == 0 ? -1 : next(data, most, flags);
}

/* --------------------------------------------------------------- names */

/* Names in .test are answered here: "nowhere.test" does not exist, all others
 * are this machine. */
EXPORTED int getaddrinfo(const char *host, const char *service,
                         const struct addrinfo *hints,
                         struct addrinfo **list) {
  static int (*next)(const char *, const char *, const struct addrinfo *,
                     struct addrinfo **);
  REAL(next, "getaddrinfo");
  int error = fault(GETADDRINFO);
  if (error) return error; /* an EAI_ code, which is negative on Linux */
  const char *end = host ? strstr(host, ".test") : NULL;
  if (!end) return next(host, service, hints, list);
  if (strcmp(host, "nowhere.test") == 0) return EAI_NONAME;
  return next("127.0.0.1", service, hints, list);
}

typedef struct errand {
  void *(*run)(void *);
  void *argument;
} errand;

static void *run_errand(void *argument) {
  errand mine = *(errand *)argument;
  free(argument);
  void *result = mine.run(mine.argument);
  atomic_fetch_sub(&threads, 1);
  return result;
}

EXPORTED int pthread_create(pthread_t *thread, const pthread_attr_t *how,
                            void *(*run)(void *), void *argument) {
  static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                     void *);
  REAL(next, "pthread_create");
  int error = fault(PTHREAD_CREATE);
  if (error) return error;
  errand *new = malloc(sizeof *new);
  if (!new) return EAGAIN;
  *new = (errand){run, argument};
  atomic_fetch_add(&threads, 1);
  error = next(thread, how, run_errand, new);
  if (error == 0) return 0;
  atomic_fetch_sub(&threads, 1);
  free(new);
  return error;
}

/* ---------------------------------------------------------------- time */

EXPORTED int clock_gettime(clockid_t id, struct timespec *time) {
  static int (*next)(clockid_t, struct timespec *);
  REAL(next, "clock_gettime");
  int result = next(id, time);
  if (result != 0 || id != CLOCK_MONOTONIC) return result;
  long long ns = time->tv_nsec + atomic_load(&ahead);
  time->tv_sec += (time_t)(ns / 1000000000);
  time->tv_nsec = (long)(ns % 1000000000);
  return 0;
}

/* How long to really wait when `ms` are asked for. */
static int moment(int ms) {
  int most = atomic_load(&threads) > 0 ? MOMENT_OF_THREADS : MOMENT;
  return ms < 0 || ms > most ? most : ms;
}

/* Nothing came: puts the clock forward, as if it had waited for the rest. */
static void pass(int ms, int waited) {
  if (ms > waited && atomic_load(&threads) == 0)
    atomic_fetch_add(&ahead, (ms - waited) * 1000000LL);
}

EXPORTED int epoll_create1(int flags) {
  static int (*next)(int);
  REAL(next, "epoll_create1");
  return fails(EPOLL_CREATE) ? -1 : next(flags);
}

/* Removing a descriptor never fails for lack of resources. */
EXPORTED int epoll_ctl(int epoll, int operation, int fd,
                       struct epoll_event *event) {
  static int (*next)(int, int, int, struct epoll_event *);
  REAL(next, "epoll_ctl");
  if (operation != EPOLL_CTL_DEL && fails(EPOLL_CTL)) return -1;
  return next(epoll, operation, fd, event);
}

EXPORTED int epoll_wait(int epoll, struct epoll_event *events, int most,
                        int ms) {
  static int (*next)(int, struct epoll_event *, int, int);
  REAL(next, "epoll_wait");
  if (fails(EPOLL_WAIT)) return -1;
  int waited = is_main() ? moment(ms) : ms;
  int count = next(epoll, events, most, waited);
  if (count == 0 && is_main()) pass(ms, waited);
  return count;
}

EXPORTED int poll(struct pollfd *fds, nfds_t count, int ms) {
  static int (*next)(struct pollfd *, nfds_t, int);
  REAL(next, "poll");
  if (fails(POLL)) return -1;
  int waited = is_main() ? moment(ms) : ms;
  int ready = next(fds, count, waited);
  if (ready == 0 && is_main()) pass(ms, waited);
  return ready;
}
