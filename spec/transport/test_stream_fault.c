/* SPDX-License-Identifier: MIT */
/* The fault filter does what its plan says, and nothing else; with it the TCP
 * stream below: the calls that every filter has. */
#include "transport/stream_fault.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"
#include "transport/stream_tcp.h"

typedef struct ends {
  ws_stream *stream; /* the fault filter over TCP */
  ws_fd peer;
} ends;

static ends make(ws_fault_plan plan) {
  ws_fd pair[2];
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_stream *tcp = ws_stream_tcp_new(pair[0], 0);
  ends e = {ws_stream_fault_new(tcp, &plan), pair[1]};
  CHECK(e.stream != NULL);
  return e;
}

static void end(ends e) {
  ws_stream_free(e.stream);
  ws_socket_close(e.peer);
  CHECK_INT(ws_memory_live(), 0);
}

static void send_to(ends e, const char *text) {
  ws_slice slice = ws_slice_of(text);
  CHECK_INT(ws_socket_write(e.peer, &slice, 1), slice.len);
}

static ptrdiff_t write_two(ends e, const char *a, const char *b) {
  ws_slice slices[] = {ws_slice_of(a), ws_slice_of(b)};
  return ws_stream_write(e.stream, slices, 2);
}

TEST(an_empty_plan_changes_nothing) {
  ends e = make((ws_fault_plan){0});
  uint8_t data[32];
  CHECK_INT(ws_stream_open(e.stream), WS_OK);
  CHECK_INT(write_two(e, "hel", "lo"), 5);
  CHECK_INT(ws_socket_read(e.peer, data, sizeof data), 5);
  CHECK_BYTES(data, 5, "hello");
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), WS_EAGAIN);
  send_to(e, "answer");
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 6);
  CHECK_INT(ws_stream_flush(e.stream), WS_OK);
  CHECK_INT(ws_stream_wants(e.stream), 0);
  CHECK(ws_stream_why(e.stream) == NULL);
  CHECK_INT(ws_stream_close(e.stream), WS_OK);
  CHECK_INT(ws_socket_read(e.peer, data, sizeof data), WS_EOF);
  end(e);
}

TEST(short_reads) {
  ends e = make((ws_fault_plan){.read_most = 2});
  uint8_t data[32];
  send_to(e, "abcde");
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 2);
  CHECK_INT(ws_stream_read(e.stream, data, 1), 1);
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 2);
  CHECK_BYTES(data, 2, "de");
  end(e);
}

TEST(short_writes) {
  ends e = make((ws_fault_plan){.write_most = 2});
  uint8_t data[32];
  CHECK_INT(write_two(e, "abc", "d"), 2);
  CHECK_INT(write_two(e, "c", "d"), 1); /* the first slice only */
  CHECK_INT(ws_stream_write(e.stream, NULL, 0), 0);
  CHECK_INT(ws_socket_read(e.peer, data, sizeof data), 3);
  CHECK_BYTES(data, 3, "abc");
  end(e);
}

TEST(says_again_now_and_then) {
  ends e = make((ws_fault_plan){.again_every = 2});
  uint8_t data[32];
  send_to(e, "ab");
  CHECK_INT(ws_stream_read(e.stream, data, 1), 1);
  CHECK_INT(ws_stream_read(e.stream, data, 1), WS_EAGAIN);
  CHECK_INT(ws_stream_read(e.stream, data, 1), 1);
  CHECK_INT(write_two(e, "x", "y"), WS_EAGAIN);
  CHECK_INT(write_two(e, "x", "y"), 2);
  end(e);
}

TEST(fails_at_the_nth_call) {
  ends e = make((ws_fault_plan){
      .fail_read = 2, .fail_write = 3, .status = WS_ECONNRESET});
  uint8_t data[32];
  send_to(e, "ab");
  CHECK_INT(ws_stream_read(e.stream, data, 1), 1);
  CHECK_INT(ws_stream_read(e.stream, data, 1), WS_ECONNRESET);
  CHECK_INT(write_two(e, "x", "y"), 2);
  CHECK_INT(write_two(e, "x", "y"), 2);
  CHECK_INT(write_two(e, "x", "y"), WS_ECONNRESET);
  end(e);
}

TEST(without_memory_the_one_below_stays) {
  ws_fd pair[2];
  ws_fault_plan plan = {0};
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_memory_fail(1, 0);
  CHECK(ws_stream_tcp_new(pair[0], 0) == NULL);
  ws_stream *tcp = ws_stream_tcp_new(pair[0], 0);
  ws_memory_fail(1, 0);
  CHECK(ws_stream_fault_new(tcp, &plan) == NULL);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_stream_fd(tcp), pair[0]);
  ws_stream_free(tcp);
  ws_socket_close(pair[1]);
}

int main(void) {
  RUN(an_empty_plan_changes_nothing);
  RUN(short_reads);
  RUN(short_writes);
  RUN(says_again_now_and_then);
  RUN(fails_at_the_nth_call);
  RUN(without_memory_the_one_below_stays);
  return check_done();
}
