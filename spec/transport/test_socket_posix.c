/* SPDX-License-Identifier: MIT */
/* The system's sockets: what every call says in each of its cases. */
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

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
  CHECK_INT(ws_socket_read(pair[1], data, sizeof data), WS_EOF);
  CHECK_INT(write_text(pair[1], "still"), 5); /* one direction only */
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(talks_over_ipv4) { talk_over("127.0.0.1", 4); }
TEST(talks_over_ipv6) { talk_over("::1", 6); }

TEST(does_not_block_and_is_not_inherited) {
  ws_fd pair[2], more[2];
  tcp_pair("127.0.0.1", pair);
  CHECK_INT(ws_socket_pair(more), WS_OK);
  ws_fd all[] = {pair[0], pair[1], more[0], more[1]};
  for (size_t i = 0; i < 4; i++) {
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

/* With SIGPIPE at its default the program would end here. */
TEST(a_broken_pipe_is_a_status) {
  ws_fd pair[2];
  signal(SIGPIPE, SIG_DFL);
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_socket_close(pair[1]);
  CHECK_INT(write_text(pair[0], "x"), WS_EPIPE);
  ws_socket_close(pair[0]);
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

TEST(a_port_in_use) {
  ws_address where;
  ws_listen_options options = {0};
  ws_fd listener = listener_on("127.0.0.1", &where), other = WS_FD_NONE;
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
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_EAGAIN);
  ws_socket_close(listener);
}

TEST(no_descriptors_left) {
  ws_address where, peer;
  ws_fd listener = listener_on("127.0.0.1", &where);
  ws_fd client = connect_to(&where), fd;
  CHECK(wait_for(listener, POLLIN));
  ws_fd spare = ws_socket_spare();
  CHECK(spare != WS_FD_NONE);
  struct rlimit before, few;
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = (rlim_t)spare + 1; /* all below are taken */
  setrlimit(RLIMIT_NOFILE, &few);
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_EMFILE);
  ws_socket_close(spare);
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_OK);
  setrlimit(RLIMIT_NOFILE, &before);
  ws_socket_close(fd);
  ws_socket_close(client);
  ws_socket_close(listener);
}

TEST(options_are_set) {
  ws_fd pair[2];
  tcp_pair("127.0.0.1", pair);
  CHECK_INT(ws_socket_set_no_delay(pair[0], true), WS_OK);
  CHECK_INT(ws_socket_set_no_delay(pair[0], false), WS_OK);
  CHECK_INT(ws_socket_set_keep_alive(pair[0], true), WS_OK);
  int on = 0;
  socklen_t size = sizeof on;
  getsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &on, &size);
  CHECK_INT(on, 1);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(unix_sockets) {
  char folder[] = "/tmp/ws-socket-XXXXXX", path[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/s", folder);
  ws_address where, peer;
  ws_listen_options options = {0};
  ws_fd listener, again, fd;
  CHECK_INT(ws_address_unix(&where, ws_slice_of(path)), WS_OK);
  ws_fd none;
  CHECK_INT(ws_socket_connect(&where, &none), WS_ENOENT);
  CHECK_INT(ws_socket_listen(&where, &options, &listener), WS_OK);
  ws_fd client = connect_to(&where);
  CHECK(wait_for(listener, POLLIN));
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_OK);
  /* One that is served is not taken over, one that is left is. */
  CHECK_INT(ws_socket_listen(&where, &options, &again), WS_EADDRINUSE);
  ws_socket_close(listener);
  CHECK_INT(ws_socket_listen(&where, &options, &again), WS_OK);
  ws_socket_unlink(&where);
  struct stat info;
  CHECK(stat(path, &info) != 0);
  ws_socket_close(again);
  ws_socket_close(fd);
  ws_socket_close(client);
  rmdir(folder);
}

/* What is not a socket is nobody's to remove. */
TEST(a_file_in_the_way_stays) {
  char path[] = "/tmp/ws-file-XXXXXX";
  int file = mkstemp(path);
  CHECK(file >= 0);
  close(file);
  ws_address where;
  ws_listen_options options = {0};
  ws_fd fd;
  CHECK_INT(ws_address_unix(&where, ws_slice_of(path)), WS_OK);
  CHECK_INT(ws_socket_listen(&where, &options, &fd), WS_EADDRINUSE);
  struct stat info;
  CHECK_INT(stat(path, &info), 0);
  unlink(path);
}

int main(void) {
  RUN(talks_over_ipv4);
  RUN(talks_over_ipv6);
  RUN(does_not_block_and_is_not_inherited);
  RUN(gathers);
  RUN(a_full_socket_says_again);
  RUN(a_broken_pipe_is_a_status);
  RUN(a_reset_is_a_status);
  RUN(a_refused_connection);
  RUN(a_port_in_use);
  RUN(a_port_shared_on_purpose);
  RUN(nobody_waits);
  RUN(no_descriptors_left);
  RUN(options_are_set);
  RUN(unix_sockets);
  RUN(a_file_in_the_way_stays);
  return check_done();
}
