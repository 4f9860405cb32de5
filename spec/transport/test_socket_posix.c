/* SPDX-License-Identifier: MIT */
/* The system's sockets: what every call returns in each of its cases. Sockets
 * with a path are in test_socket_unix.c. */
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

static bool wait_for(ws_fd fd, short events) {
  struct pollfd p = {fd, events, 0};
  return poll(&p, 1, 5000) == 1;
}

static ws_address literal(const char *text, uint16_t port) {
  ws_address address;
  CHECK(ws_address_parse(&address, ws_slice_of(text), port));
  return address;
}

static ws_fd listener_on(const char *host, ws_address *where) {
  ws_address address = literal(host, 0);
  ws_listen_options options = {0};
  ws_fd fd = WS_FD_NONE;
  CHECK_INT(ws_socket_listen(&address, &options, &fd), WS_OK);
  CHECK(ws_socket_local(fd, where));
  return fd;
}

static ws_fd connect_to(const ws_address *where) {
  ws_fd fd;
  int status = ws_socket_connect(where, &fd);
  if (status == WS_EAGAIN) {
    CHECK(wait_for(fd, POLLOUT));
    status = ws_socket_connected(fd);
  }
  CHECK_INT(status, WS_OK);
  return fd;
}

/* A connected pair over TCP. */
static void tcp_pair(const char *host, ws_fd pair[2]) {
  ws_address where, peer, local;
  ws_fd listener = listener_on(host, &where);
  pair[0] = connect_to(&where);
  CHECK(wait_for(listener, POLLIN));
  CHECK_INT(ws_socket_accept(listener, &pair[1], &peer), WS_OK);
  CHECK(ws_socket_local(pair[0], &local));
  CHECK_INT(ws_address_port(&peer), ws_address_port(&local));
  ws_socket_close(listener);
}

static ptrdiff_t write_text(ws_fd fd, const char *text) {
  ws_slice slice = ws_slice_of(text);
  return ws_socket_write(fd, &slice, 1);
}

static void talk_over(const char *host, int family) {
  ws_fd pair[2];
  char data[16];
  ws_address peer;
  tcp_pair(host, pair);
  CHECK_INT(ws_socket_read(pair[1], data, sizeof data), WS_EAGAIN);
  CHECK_INT(write_text(pair[0], "hello"), 5);
  CHECK(wait_for(pair[1], POLLIN));
  CHECK_INT(ws_socket_read(pair[1], data, sizeof data), 5);
  CHECK_BYTES(data, 5, "hello");
  CHECK(ws_socket_peer(pair[0], &peer));
  CHECK_INT(ws_address_family(&peer), family);
  ws_socket_shutdown(pair[0]);
  CHECK(wait_for(pair[1], POLLIN));
  errno = EINTR; /* left by an earlier call */
  CHECK_INT(ws_socket_read(pair[1], data, sizeof data), WS_EOF);
  CHECK_INT(write_text(pair[1], "still"), 5); /* only one direction ended */
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(talks_over_ipv4) { talk_over("127.0.0.1", 4); }
TEST(talks_over_ipv6) { talk_over("::1", 6); }

TEST(does_not_block_and_is_not_inherited) {
  ws_fd pair[2], more[2];
  ws_address where;
  tcp_pair("127.0.0.1", pair);
  CHECK_INT(ws_socket_pair(more), WS_OK);
  ws_fd listener = listener_on("127.0.0.1", &where);
  ws_fd all[] = {pair[0], pair[1], more[0], more[1], listener};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    CHECK(fcntl(all[i], F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(all[i], F_GETFD) & FD_CLOEXEC);
    ws_socket_close(all[i]);
  }
}

TEST(gathers) {
  ws_fd pair[2];
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_slice slices[WS_SOCKET_GATHER + 6];
  for (size_t i = 0; i < sizeof slices / sizeof *slices; i++)
    slices[i] = ws_slice_of(i % 2 ? "b" : "a");
  ptrdiff_t wrote =
      ws_socket_write(pair[0], slices, sizeof slices / sizeof *slices);
  CHECK_INT(wrote, WS_SOCKET_GATHER);
  char data[100];
  CHECK_INT(ws_socket_read(pair[1], data, sizeof data), WS_SOCKET_GATHER);
  CHECK(data[0] == 'a' && data[1] == 'b' && data[63] == 'b');
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

/* Of more than fits, a part is taken, and arrives in order. */
TEST(a_short_write) {
  enum { SIZE = 16 << 20 };
  ws_fd pair[2];
  tcp_pair("127.0.0.1", pair);
  uint8_t *data = malloc(SIZE), *got = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++) data[i] = (uint8_t)(i * 7 >> 3);
  ws_slice slices[] = {{(char *)data, 3}, {NULL, 0},
                       {(char *)data + 3, SIZE - 3}};
  ptrdiff_t wrote = ws_socket_write(pair[0], slices, 3);
  CHECK(wrote > 3 && wrote < SIZE);
  size_t have = 0;
  while (have < (size_t)wrote && wait_for(pair[1], POLLIN)) {
    ptrdiff_t len = ws_socket_read(pair[1], got + have, SIZE - have);
    if (len <= 0) break;
    have += (size_t)len;
  }
  CHECK_INT(have, wrote);
  CHECK(memcmp(data, got, have) == 0);
  CHECK_INT(ws_socket_read(pair[1], got, 1), WS_EAGAIN);
  free(data);
  free(got);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(writing_nothing) {
  ws_fd pair[2];
  ws_slice empty[2] = {{NULL, 0}, {"", 0}};
  char byte;
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  for (size_t count = 0; count <= 2; count++)
    CHECK_INT(ws_socket_write(pair[0], empty, count), 0);
  CHECK_INT(ws_socket_read(pair[1], &byte, 1), WS_EAGAIN);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(a_full_socket_says_again) {
  ws_fd pair[2];
  static char block[65536];
  ws_slice slice = {block, sizeof block};
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ptrdiff_t wrote = 0;
  for (int i = 0; i < 1000 && wrote >= 0; i++)
    wrote = ws_socket_write(pair[0], &slice, 1);
  CHECK_INT(wrote, WS_EAGAIN);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

/* With SIGPIPE's default action, the program would end here. */
TEST(a_broken_pipe_is_a_status) {
  ws_fd pair[2];
  signal(SIGPIPE, SIG_DFL);
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_socket_close(pair[1]);
  ws_slice two[] = {{"x", 1}, {"y", 1}};
  CHECK_INT(write_text(pair[0], "x"), WS_EPIPE);
  CHECK_INT(ws_socket_write(pair[0], two, 2), WS_EPIPE);
  ws_socket_close(pair[0]);
  tcp_pair("127.0.0.1", pair);
  ws_socket_shutdown(pair[0]);
  CHECK_INT(write_text(pair[0], "x"), WS_EPIPE);
  CHECK_INT(ws_socket_write(pair[0], two, 2), WS_EPIPE);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

/* Signals interrupt a call that waits: the first does nothing, the second
 * causes what it waits for. The descriptors are made blocking for this. */
static struct {
  ws_fd fd;
  const ws_address *where; /* to connect to, or NULL */
  bool drain;              /* read all there is; else write a byte */
  int signals;
} visitor;

static void visit(int signal_number) {
  (void)signal_number;
  char data[4096];
  if (++visitor.signals < 2) return;
  if (visitor.where) {
    if (visitor.signals == 2)
      (void)!connect(visitor.fd, (const void *)visitor.where->sockaddr.bytes,
                     visitor.where->len);
  } else if (visitor.drain) {
    while (read(visitor.fd, data, sizeof data) > 0) continue;
  } else {
    (void)!write(visitor.fd, "v", 1);
  }
}

static void set_blocking(ws_fd fd) {
  CHECK_INT(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
}

static void start_visits(ws_fd fd, const ws_address *where, bool drain) {
  struct sigaction action = {.sa_handler = visit}; /* no SA_RESTART */
  struct itimerval every = {{0, 5000}, {0, 5000}};
  visitor.fd = fd;
  visitor.where = where;
  visitor.drain = drain;
  visitor.signals = 0;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
}

static void stop_visits(void) {
  struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
  CHECK(visitor.signals >= 2);
  signal(SIGALRM, SIG_IGN); /* another one may still come */
}

TEST(an_interrupted_read_goes_on) {
  ws_fd pair[2];
  char byte = 0;
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  set_blocking(pair[0]);
  start_visits(pair[1], NULL, false);
  CHECK_INT(ws_socket_read(pair[0], &byte, 1), 1);
  stop_visits();
  CHECK_INT(byte, 'v');
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(an_interrupted_write_goes_on) {
  ws_slice two[] = {{"x", 1}, {"y", 1}};
  for (size_t count = 1; count <= 2; count++) {
    ws_fd pair[2];
    CHECK_INT(ws_socket_pair(pair), WS_OK);
    while (ws_socket_write(pair[0], two, 1) > 0) continue;
    set_blocking(pair[0]);
    start_visits(pair[1], NULL, true);
    CHECK_INT(ws_socket_write(pair[0], two, count), count);
    stop_visits();
    ws_socket_close(pair[0]);
    ws_socket_close(pair[1]);
  }
}

TEST(an_interrupted_accept_goes_on) {
  ws_address where, peer;
  ws_fd listener = listener_on("127.0.0.1", &where), fd;
  ws_fd client = socket(AF_INET, SOCK_STREAM, 0);
  set_blocking(listener);
  start_visits(client, &where, false);
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_OK);
  stop_visits();
  CHECK_INT(ws_address_family(&peer), 4);
  ws_socket_close(fd);
  ws_socket_close(client);
  ws_socket_close(listener);
}

TEST(a_reset_is_a_status) {
  ws_fd pair[2];
  char data[4];
  tcp_pair("127.0.0.1", pair);
  ws_socket_reset_on_close(pair[0]);
  ws_socket_close(pair[0]);
  CHECK(wait_for(pair[1], POLLIN));
  CHECK_INT(ws_socket_read(pair[1], data, sizeof data), WS_ECONNRESET);
  ws_socket_close(pair[1]);
}

TEST(a_refused_connection) {
  ws_address where;
  ws_fd listener = listener_on("127.0.0.1", &where), fd = WS_FD_NONE;
  ws_socket_close(listener);
  int status = ws_socket_connect(&where, &fd);
  if (status == WS_EAGAIN) {
    CHECK(wait_for(fd, POLLOUT));
    status = ws_socket_connected(fd);
    ws_socket_close(fd);
  }
  CHECK_INT(status, WS_ECONNREFUSED);
}

/* A socket that was never told to connect, or has no answer yet, is neither
 * connected nor failed. */
TEST(not_yet_connected) {
  ws_address address;
  ws_fd fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_INT(ws_socket_connected(fd), WS_EAGAIN);
  CHECK(!ws_socket_peer(fd, &address));
  CHECK_INT(ws_address_port(&address), 0);
  ws_socket_close(fd);
  address = literal("127.0.0.1", 80);
  CHECK(!ws_socket_local(fd, &address)); /* no descriptor at all */
  CHECK_INT(ws_address_port(&address), 0);
  CHECK(!ws_socket_peer(fd, &address));
  CHECK(ws_socket_connected(fd) < WS_EAGAIN);
}

/* TCP connects to itself when its own port is the one it connects to. */
TEST(connected_to_itself_is_refused) {
  ws_address where = literal("127.0.0.1", 0);
  ws_fd fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_INT(bind(fd, (void *)where.sockaddr.bytes, where.len), 0);
  CHECK(ws_socket_local(fd, &where));
  CHECK_INT(connect(fd, (void *)where.sockaddr.bytes, where.len), 0);
  CHECK_INT(ws_socket_connected(fd), WS_ECONNREFUSED);
  ws_socket_close(fd);
}

/* The descriptor that would be given out next. */
static ws_fd next_descriptor(void) {
  ws_fd fd = dup(STDERR_FILENO);
  ws_socket_close(fd);
  return fd;
}

TEST(what_fails_leaves_no_descriptor) {
  ws_address used, nowhere = literal("192.0.2.1", 0), nothing, peer;
  ws_fd listener = listener_on("127.0.0.1", &used);
  memset(&nothing, 0, sizeof nothing);
  ws_listen_options options = {0};
  ws_fd before = next_descriptor(), fd = 99;
  CHECK_INT(ws_socket_listen(&used, &options, &fd), WS_EADDRINUSE);
  CHECK_INT(fd, WS_FD_NONE);
  fd = 99;
  CHECK_INT(ws_socket_listen(&nowhere, &options, &fd), WS_EADDRNOTAVAIL);
  CHECK_INT(fd, WS_FD_NONE);
  fd = 99;
  CHECK(ws_socket_listen(&nothing, &options, &fd) < WS_EAGAIN);
  CHECK_INT(fd, WS_FD_NONE);
  fd = 99;
  CHECK(ws_socket_connect(&nothing, &fd) < WS_EAGAIN);
  CHECK_INT(fd, WS_FD_NONE);
  fd = 99; /* nobody can listen on port 0 */
  nowhere = literal("127.0.0.1", 0);
  int status = ws_socket_connect(&nowhere, &fd);
  if (status == WS_EAGAIN) ws_socket_close(fd);
  else CHECK_INT(fd, WS_FD_NONE);
  fd = 99;
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_EAGAIN);
  CHECK_INT(fd, WS_FD_NONE);
  CHECK_INT(next_descriptor(), before);
  ws_socket_close(listener);
}

static int option_of(ws_fd fd, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  getsockopt(fd, level, option, &value, &size);
  return value;
}

TEST(a_port_in_use) {
  ws_address where;
  ws_listen_options options = {0};
  ws_fd listener = listener_on("127.0.0.1", &where), other = WS_FD_NONE;
  /* A server that restarts need not wait for the end of old connections. */
  CHECK_INT(option_of(listener, SOL_SOCKET, SO_REUSEADDR), 1);
  CHECK_INT(option_of(listener, SOL_SOCKET, SO_REUSEPORT), 0);
  CHECK_INT(ws_socket_listen(&where, &options, &other), WS_EADDRINUSE);
  ws_socket_close(listener);
  CHECK_INT(ws_socket_listen(&where, &options, &other), WS_OK);
  ws_socket_close(other);
}

TEST(a_port_shared_on_purpose) {
  ws_address where = literal("127.0.0.1", 0);
  ws_listen_options options = {.reuse_port = true};
  ws_fd first, second;
  CHECK_INT(ws_socket_listen(&where, &options, &first), WS_OK);
  CHECK(ws_socket_local(first, &where));
  CHECK_INT(ws_socket_listen(&where, &options, &second), WS_OK);
  ws_socket_close(first);
  ws_socket_close(second);
}

TEST(nobody_waits) {
  ws_address where, peer;
  ws_fd listener = listener_on("::1", &where), fd;
  ws_listen_options options = {0};
  ws_address mapped = literal("::ffff:127.0.0.1", 0); /* this is IPv4 */
  CHECK(ws_socket_listen(&mapped, &options, &fd) < WS_EAGAIN);
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_EAGAIN);
  ws_socket_close(listener);
}

/* A program that has closed its standard input gets 0 as a descriptor. */
TEST(nought_is_a_descriptor) {
  ws_fd input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), pair[2], fd;
  ws_address where, peer;
  close(STDIN_FILENO);
  ws_fd listener = listener_on("127.0.0.1", &where);
  CHECK_INT(listener, 0);
  ws_fd kept = dup(listener);
  ws_socket_close(listener);
  ws_fd client = connect_to(&where);
  CHECK_INT(client, 0);
  ws_fd other = dup(client);
  ws_socket_close(client);
  CHECK(wait_for(kept, POLLIN));
  CHECK_INT(ws_socket_accept(kept, &fd, &peer), WS_OK);
  CHECK_INT(fd, 0);
  ws_socket_close(fd);
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  CHECK_INT(pair[0], 0);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
  ws_socket_close(other);
  ws_socket_close(kept);
  if (input < 0) return; /* it was closed before, too */
  dup2(input, STDIN_FILENO);
  close(input);
}

TEST(no_descriptors_left) {
  ws_address where, peer;
  ws_fd listener = listener_on("127.0.0.1", &where);
  ws_fd client = connect_to(&where), fd;
  CHECK(wait_for(listener, POLLIN));
  ws_fd spare = dup(listener);
  CHECK(spare != WS_FD_NONE);
  struct rlimit before, few;
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = (rlim_t)spare + 1; /* all below it are in use */
  setrlimit(RLIMIT_NOFILE, &few);
  ws_listen_options options = {0};
  ws_address any = literal("127.0.0.1", 0);
  ws_fd pair[2];
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_EMFILE);
  CHECK_INT(fd, WS_FD_NONE);
  CHECK_INT(ws_socket_connect(&where, &fd), WS_EMFILE);
  CHECK_INT(fd, WS_FD_NONE);
  CHECK_INT(ws_socket_listen(&any, &options, &fd), WS_EMFILE);
  CHECK_INT(fd, WS_FD_NONE);
  CHECK_INT(ws_socket_pair(pair), WS_EMFILE);
  ws_socket_close(spare);
  CHECK_INT(ws_socket_pair(pair), WS_EMFILE); /* only one is left */
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_OK);
  setrlimit(RLIMIT_NOFILE, &before);
  ws_socket_close(fd);
  ws_socket_close(client);
  ws_socket_close(listener);
}

TEST(options_are_set) {
  ws_fd pair[2];
  tcp_pair("127.0.0.1", pair);
  for (int on = 1; on >= 0; on--) {
    CHECK_INT(ws_socket_set_no_delay(pair[0], on), WS_OK);
    CHECK_INT(option_of(pair[0], IPPROTO_TCP, TCP_NODELAY), on);
    CHECK_INT(ws_socket_set_keep_alive(pair[0], on), WS_OK);
    CHECK_INT(option_of(pair[0], SOL_SOCKET, SO_KEEPALIVE), on);
  }
  CHECK_INT(ws_socket_set_user_timeout(pair[0], 4711), WS_OK);
  CHECK_INT(option_of(pair[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 4711);
  CHECK_INT(ws_socket_set_user_timeout(pair[0], UINT64_MAX), WS_OK);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
  CHECK(ws_socket_set_no_delay(pair[0], true) < 0);
  CHECK(ws_socket_set_keep_alive(pair[0], true) < 0);
  CHECK(ws_socket_set_user_timeout(pair[0], 1) < 0);
}

int main(void) {
  RUN(talks_over_ipv4);
  RUN(talks_over_ipv6);
  RUN(does_not_block_and_is_not_inherited);
  RUN(gathers);
  RUN(a_short_write);
  RUN(writing_nothing);
  RUN(a_full_socket_says_again);
  RUN(a_broken_pipe_is_a_status);
  RUN(an_interrupted_read_goes_on);
  RUN(an_interrupted_write_goes_on);
  RUN(an_interrupted_accept_goes_on);
  RUN(a_reset_is_a_status);
  RUN(a_refused_connection);
  RUN(not_yet_connected);
  RUN(connected_to_itself_is_refused);
  RUN(what_fails_leaves_no_descriptor);
  RUN(a_port_in_use);
  RUN(a_port_shared_on_purpose);
  RUN(nobody_waits);
  RUN(nought_is_a_descriptor);
  RUN(no_descriptors_left);
  RUN(options_are_set);
  return check_done();
}
