/* SPDX-License-Identifier: MIT */
/* kqueue(2) and kevent(2) over Linux' epoll, as the BSDs' manuals describe
 * them, so that poller_kqueue.c can be tested without a BSD. Supports sockets,
 * and the two filters and the flags that it uses; anything else is EINVAL.
 *
 * What Linux does not say: a socket's error without clearing it (fflags is
 * ECONNRESET for any), that a Unix socket was shut down by us, and that a
 * descriptor was closed while a copy is open. `data` is always 0. */
#include "sys/event.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READING, WRITING, FILTERS };

typedef struct note { /* what a queue watches one descriptor for */
  bool added[FILTERS];
  void *udata[FILTERS];
  uint32_t found; /* events found by the last epoll_wait */
} note;

typedef struct queue {
  int fd;
  note *notes;               /* by descriptor */
  struct epoll_event *ready; /* from the last epoll_wait */
  size_t cap;                /* of both arrays */
  size_t found;              /* how many are in `ready` */
  size_t next;               /* the filter with which the next answer begins */
  struct queue *older;
} queue;

static queue *queues;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* We are not told when a queue is closed and its number used again, so a queue
 * is known by a mark on the open file: a signal that is never sent. */
static int mark(void) { return SIGRTMAX; }

static bool is_queue(int fd) { return fcntl(fd, F_GETSIG) == mark(); }

/* "The queue is not inherited by a child created with fork(2)." */
static void on_fork(void) {
  for (queue *q = queues; q != NULL; q = q->older)
    if (is_queue(q->fd)) close(q->fd);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, on_fork); }

/* NULL when the number never was a queue. */
static queue *find(int fd) {
  pthread_mutex_lock(&lock);
  queue *q = queues;
  while (q != NULL && q->fd != fd) q = q->older;
  pthread_mutex_unlock(&lock);
  return q;
}

static queue *add_queue(int fd) {
  queue *q = calloc(1, sizeof *q);
  if (q == NULL) return NULL;
  q->fd = fd;
  pthread_mutex_lock(&lock);
  q->older = queues;
  queues = q;
  pthread_mutex_unlock(&lock);
  return q;
}

int kqueue(void) {
  pthread_once(&once, watch_forks);
  int fd = epoll_create1(0);
  if (fd < 0) return -1;
  queue *q = find(fd); /* of an earlier queue with this number, now closed */
  if (q == NULL) q = add_queue(fd);
  if (q == NULL || fcntl(fd, F_SETSIG, mark()) < 0) {
    close(fd);
    errno = ENOMEM;
    return -1;
  }
  if (q->cap > 0) memset(q->notes, 0, q->cap * sizeof *q->notes);
  q->found = q->next = 0;
  return fd;
}

/* ------------------------------------------------------------------ changes */

static bool reserve(queue *q, size_t fd) {
  if (fd < q->cap) return true;
  size_t cap = (fd + 1) * 2;
  note *notes = realloc(q->notes, cap * sizeof *notes);
  if (notes == NULL) return false;
  q->notes = notes;
  struct epoll_event *ready = realloc(q->ready, cap * sizeof *ready);
  if (ready == NULL) return false;
  q->ready = ready;
  memset(notes + q->cap, 0, (cap - q->cap) * sizeof *notes);
  q->cap = cap;
  return true;
}

static int tell(const queue *q, int operation, int fd) {
  const note *n = &q->notes[fd];
  struct epoll_event event = {.data.fd = fd};
  if (n->added[READING]) event.events |= EPOLLIN | EPOLLRDHUP;
  if (n->added[WRITING]) event.events |= EPOLLOUT;
  return epoll_ctl(q->fd, operation, fd, &event) == 0 ? 0 : errno;
}

/* "Calling close() on a file descriptor will remove any kevents that reference
 * the descriptor": if epoll has forgotten it, the number is a new one's. */
static bool is_known(queue *q, int fd) {
  note *n = &q->notes[fd];
  if (!n->added[READING] && !n->added[WRITING]) return false;
  if (tell(q, EPOLL_CTL_MOD, fd) == 0) return true;
  memset(n, 0, sizeof *n);
  return false;
}

static int add_filter(queue *q, int fd, int filter, void *udata) {
  int operation = is_known(q, fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  bool before = q->notes[fd].added[filter];
  q->notes[fd].added[filter] = true;
  q->notes[fd].udata[filter] = udata;
  int error = tell(q, operation, fd);
  if (error != 0) q->notes[fd].added[filter] = before;
  return error;
}

static int delete_filter(queue *q, int fd, int filter) {
  note *n = &q->notes[fd];
  if (!is_known(q, fd) || !n->added[filter]) return ENOENT;
  n->added[filter] = false;
  return tell(q, n->added[!filter] ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, fd);
}

static int apply_one(queue *q, const struct kevent *change) {
  int filter = change->filter == EVFILT_READ ? READING : WRITING;
  if (filter == WRITING && change->filter != EVFILT_WRITE) return EINVAL;
  int fd = change->ident > INT_MAX ? -1 : (int)change->ident;
  if (fcntl(fd, F_GETFD) < 0) return EBADF;
  if (!reserve(q, (size_t)fd)) return ENOMEM;
  if (change->flags == EV_ADD) return add_filter(q, fd, filter, change->udata);
  if (change->flags == EV_DELETE) return delete_filter(q, fd, filter);
  return EINVAL;
}

/* How many failed and are reported in `events`; -1 when one did not fit. */
static int apply(queue *q, const struct kevent *changes, int nchanges,
                 struct kevent *events, int nevents) {
  int failed = 0;
  for (int i = 0; i < nchanges; i++) {
    struct kevent change = changes[i]; /* both may be the same array */
    int error = apply_one(q, &change);
    if (error == 0) continue;
    if (failed == nevents) {
      errno = error;
      return -1;
    }
    change.flags = EV_ERROR;
    change.data = error;
    events[failed++] = change;
  }
  return failed;
}

/* ------------------------------------------------------------------- events */

static bool is_ready(const note *n, int filter) {
  static const uint32_t says[FILTERS] = {
      [READING] = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
      [WRITING] = EPOLLOUT | EPOLLHUP | EPOLLERR,
  };
  return n->added[filter] && (n->found & says[filter]) != 0;
}

/* Whether we have shut it down, which epoll does not say. */
static bool sends_no_more(int fd) {
  struct tcp_info info;
  socklen_t len = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return false;
  return info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2 ||
         info.tcpi_state == TCP_CLOSING || info.tcpi_state == TCP_LAST_ACK ||
         info.tcpi_state == TCP_TIME_WAIT;
}

static bool has_ended(const note *n, int fd, int filter) {
  if (n->found & EPOLLHUP) return true;
  if (filter == READING) return (n->found & EPOLLRDHUP) != 0;
  return sends_no_more(fd);
}

static void report(const queue *q, size_t fd, int filter,
                   struct kevent *event) {
  const note *n = &q->notes[fd];
  bool ended = has_ended(n, (int)fd, filter);
  unsigned error = ended && (n->found & EPOLLERR) ? ECONNRESET : 0;
  memset(event, 0, sizeof *event);
  event->ident = fd;
  event->filter = filter == READING ? EVFILT_READ : EVFILT_WRITE;
  event->flags = ended ? EV_EOF : 0;
  event->fflags = error;
  event->udata = n->udata[filter];
}

/* Each filter gets its turn, even when few events fit. */
static int collect(queue *q, struct kevent *events, int nevents) {
  int count = 0;
  for (size_t seen = 0; seen < q->cap * FILTERS && count < nevents; seen++) {
    if (q->next >= q->cap * FILTERS) q->next = 0;
    size_t fd = q->next / FILTERS;
    int filter = (int)(q->next++ % FILTERS);
    if (is_ready(&q->notes[fd], filter))
      report(q, fd, filter, &events[count++]);
  }
  return count;
}

static int milliseconds(const struct timespec *time) {
  if (time == NULL) return -1;
  if (time->tv_sec > INT_MAX / 1000 - 1) return INT_MAX;
  return (int)time->tv_sec * 1000 + (int)((time->tv_nsec + 999999) / 1000000);
}

static int look(queue *q, const struct timespec *timeout) {
  if (!reserve(q, 0)) return -1;
  for (size_t i = 0; i < q->found; i++)
    q->notes[q->ready[i].data.fd].found = 0;
  q->found = 0;
  int found =
      epoll_wait(q->fd, q->ready, (int)q->cap, milliseconds(timeout));
  if (found < 0) return -1;
  q->found = (size_t)found;
  for (int i = 0; i < found; i++)
    q->notes[q->ready[i].data.fd].found = q->ready[i].events;
  return found;
}

int kevent(int fd, const struct kevent *changes, ws_kevent_count nchanges,
           struct kevent *events, ws_kevent_count nevents,
           const struct timespec *timeout) {
  queue *q = is_queue(fd) ? find(fd) : NULL;
  if (q == NULL) {
    errno = EBADF;
    return -1;
  }
  int failed = apply(q, changes, (int)nchanges, events, (int)nevents);
  if (failed != 0 || nevents == 0) return failed;
  if (look(q, timeout) < 0) return -1;
  return collect(q, events, (int)nevents);
}
