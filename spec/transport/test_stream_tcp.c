/* SPDX-License-Identifier: MIT */
/* The stream at the bottom: opening, bytes, the end, over real TCP. */
#include "transport/stream_tcp.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static bool wait_for(ws_fd fd, short events) {
  struct pollfd p = {fd, events, 0};
  return poll(&p, 1, 5000) == 1;
}

static ws_fd listen_here(ws_address *where) {
  ws_listen_options options = {0};
  ws_fd fd = WS_FD_NONE;
  CHECK(ws_address_parse(where, ws_slice_of("127.0.0.1"), 0));
  CHECK_INT(ws_socket_listen(where, &options, &fd), WS_OK);
  CHECK(ws_socket_local(fd, where));
  return fd;
}

static ws_stream *start(const ws_address *where) {
  ws_fd fd;
  int status = ws_socket_connect(where, &fd);
  CHECK(status == WS_OK || status == WS_EAGAIN);
  CHECK(wait_for(fd, POLLOUT));
  CHECK_INT(ws_socket_connected(fd), WS_OK);
  return ws_stream_tcp_new(fd);
}

TEST(opens_talks_and_ends) {
  ws_address where, peer;
  ws_fd listener = listen_here(&where), fd;
  ws_stream *stream = start(&where);
  CHECK_INT(ws_stream_open(stream), WS_OK);
  CHECK_INT(ws_stream_wants(stream), 0);
  CHECK(wait_for(listener, POLLIN));
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_OK);
  ws_slice hello[] = {ws_slice_of("he"), ws_slice_of("llo")};
  uint8_t data[16];
  CHECK_INT(ws_stream_write(stream, hello, 2), 5);
  CHECK(wait_for(fd, POLLIN));
  CHECK_INT(ws_socket_read(fd, data, sizeof data), 5);
  CHECK_BYTES(data, 5, "hello");
  CHECK_INT(ws_stream_close(stream), WS_OK);
  CHECK(wait_for(fd, POLLIN));
  CHECK_INT(ws_socket_read(fd, data, sizeof data), WS_EOF);
  CHECK_INT(ws_socket_write(fd, hello, 1), 2); /* reading goes on */
  CHECK(wait_for(ws_stream_fd(stream), POLLIN));
  CHECK_INT(ws_stream_read(stream, data, sizeof data), 2);
  ws_socket_close(fd);
  CHECK(wait_for(ws_stream_fd(stream), POLLIN));
  CHECK_INT(ws_stream_read(stream, data, sizeof data), WS_EOF);
  ws_stream_free(stream);
  ws_socket_close(listener);
  CHECK_INT(ws_memory_live(), 0);
}

static void make_pair(ws_stream *pair[2]) {
  ws_address where, peer;
  ws_fd listener = listen_here(&where), fd = WS_FD_NONE;
  pair[0] = start(&where);
  CHECK_INT(ws_stream_open(pair[0]), WS_OK);
  CHECK(wait_for(listener, POLLIN));
  CHECK_INT(ws_socket_accept(listener, &fd, &peer), WS_OK);
  pair[1] = ws_stream_tcp_new(fd);
  CHECK_INT(ws_stream_open(pair[1]), WS_OK); /* nothing is under way */
  CHECK_INT(ws_stream_wants(pair[1]), 0);
  ws_socket_close(listener);
}

/* It takes what fits, returns "again", and continues once there is room. */
TEST(a_full_one_says_again) {
  ws_stream *pair[2];
  static uint8_t block[1 << 16];
  ws_slice slice = {(const char *)block, sizeof block};
  size_t wrote = 0, have = 0;
  ptrdiff_t len = 0;
  make_pair(pair);
  while ((len = ws_stream_write(pair[0], &slice, 1)) > 0) wrote += (size_t)len;
  CHECK_INT(len, WS_EAGAIN);
  CHECK_INT(ws_stream_flush(pair[0]), WS_OK); /* nothing is held back */
  CHECK_INT(ws_stream_wants(pair[0]), 0);
  while (have < wrote && wait_for(ws_stream_fd(pair[1]), POLLIN)) {
    len = ws_stream_read(pair[1], block, sizeof block);
    if (len <= 0) break;
    have += (size_t)len;
  }
  CHECK_INT(have, wrote);
  CHECK_INT(ws_stream_read(pair[1], block, sizeof block), WS_EAGAIN);
  CHECK(wait_for(ws_stream_fd(pair[0]), POLLOUT));
  CHECK(ws_stream_write(pair[0], &slice, 1) > 0);
  ws_stream_free(pair[0]);
  ws_stream_free(pair[1]);
}

/* An orderly end is EOF, any other a failure; neither ends the program. */
TEST(a_reset_is_no_end) {
  ws_stream *pair[2];
  ws_slice slice = {"x", 1};
  uint8_t data[4];
  signal(SIGPIPE, SIG_DFL);
  make_pair(pair);
  ws_socket_reset_on_close(ws_stream_fd(pair[1]));
  ws_stream_free(pair[1]);
  CHECK(wait_for(ws_stream_fd(pair[0]), POLLIN));
  CHECK_INT(ws_stream_read(pair[0], data, sizeof data), WS_ECONNRESET);
  CHECK_INT(ws_stream_write(pair[0], &slice, 1), WS_EPIPE);
  CHECK(ws_stream_why(pair[0]) == NULL);
  CHECK_INT(ws_stream_close(pair[0]), WS_OK); /* though it is closed */
  ws_stream_free(pair[0]);
}

TEST(closing_twice) {
  ws_stream *pair[2];
  ws_slice slice = {"x", 1};
  uint8_t data[4];
  make_pair(pair);
  CHECK_INT(ws_stream_close(pair[0]), WS_OK);
  CHECK_INT(ws_stream_close(pair[0]), WS_OK);
  CHECK_INT(ws_stream_write(pair[0], &slice, 1), WS_EPIPE);
  CHECK(wait_for(ws_stream_fd(pair[1]), POLLIN));
  CHECK_INT(ws_stream_read(pair[1], data, sizeof data), WS_EOF);
  CHECK_INT(ws_stream_read(pair[1], data, sizeof data), WS_EOF);
  ws_stream_free(pair[0]);
  ws_stream_free(pair[1]);
}

TEST(without_memory_the_descriptor_stays) {
  ws_fd pair[2];
  ws_slice slice = {"x", 1};
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_memory_fail(1, 0);
  CHECK(ws_stream_tcp_new(pair[0]) == NULL);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_socket_write(pair[0], &slice, 1), 1);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

TEST(freeing_closes_the_descriptor) {
  ws_fd pair[2];
  uint8_t data[1];
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_stream_free(ws_stream_tcp_new(pair[0]));
  CHECK_INT(ws_socket_read(pair[1], data, 1), WS_EOF);
  ws_stream_free(NULL);
  ws_socket_close(pair[1]);
  CHECK_INT(ws_memory_live(), 0); /* in all that went before */
}

int main(void) {
  RUN(opens_talks_and_ends);
  RUN(a_full_one_says_again);
  RUN(a_reset_is_no_end);
  RUN(closing_twice);
  RUN(without_memory_the_descriptor_stays);
  RUN(freeing_closes_the_descriptor);
  return check_done();
}
