/* SPDX-License-Identifier: MIT */
/* The stream at the bottom: opening, bytes, the end, over real TCP. */
#include "transport/stream_tcp.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"

#include <poll.h>

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
  return ws_stream_tcp_new(fd, status == WS_EAGAIN);
}

static int open_stream(ws_stream *stream) {
  int status;
  while ((status = ws_stream_open(stream)) == WS_EAGAIN) {
    CHECK_INT(ws_stream_wants(stream), WS_WRITABLE);
    if (!wait_for(ws_stream_fd(stream), POLLOUT)) break;
  }
  return status;
}

TEST(opens_talks_and_ends) {
  ws_address where, peer;
  ws_fd listener = listen_here(&where), fd;
  ws_stream *stream = start(&where);
  CHECK_INT(open_stream(stream), WS_OK);
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

TEST(a_refused_one_fails_to_open) {
  ws_address where;
  ws_fd listener = listen_here(&where), fd;
  ws_socket_close(listener);
  int status = ws_socket_connect(&where, &fd);
  if (status == WS_EAGAIN) {
    ws_stream *stream = ws_stream_tcp_new(fd, 1);
    CHECK_INT(ws_stream_wants(stream), WS_WRITABLE);
    CHECK(wait_for(fd, POLLOUT));
    status = ws_stream_open(stream);
    ws_stream_free(stream);
  }
  CHECK_INT(status, WS_ECONNREFUSED);
}

TEST(freeing_closes_the_descriptor) {
  ws_fd pair[2];
  uint8_t data[1];
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_stream_free(ws_stream_tcp_new(pair[0], 0));
  CHECK_INT(ws_socket_read(pair[1], data, 1), WS_EOF);
  ws_stream_free(NULL);
  ws_socket_close(pair[1]);
}

int main(void) {
  RUN(opens_talks_and_ends);
  RUN(a_refused_one_fails_to_open);
  RUN(freeing_closes_the_descriptor);
  return check_done();
}
