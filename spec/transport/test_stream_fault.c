/* SPDX-License-Identifier: MIT */
/* The fault filter does what its plan says and nothing else. With it, the TCP
 * stream below is tested: the calls that every filter has. */
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
  ws_stream *tcp = ws_stream_tcp_new(pair[0]);
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

/* Calls that return "again" are not counted among those that can fail. */
TEST(again_is_no_try) {
  ends e = make((ws_fault_plan){.again_every = 2, .fail_read = 2,
                                .fail_write = 1, .status = WS_EPIPE});
  uint8_t data[4];
  send_to(e, "abc");
  CHECK_INT(ws_stream_read(e.stream, data, 1), 1);         /* read 1 */
  CHECK_INT(ws_stream_read(e.stream, data, 1), WS_EAGAIN); /* call 2 */
  CHECK_INT(ws_stream_read(e.stream, data, 1), WS_EPIPE);  /* read 2 */
  CHECK_INT(write_two(e, "x", "y"), WS_EAGAIN);            /* call 4 */
  CHECK_INT(write_two(e, "x", "y"), WS_EPIPE);             /* write 1 */
  CHECK_INT(ws_stream_read(e.stream, data, 1), WS_EAGAIN); /* call 6 */
  CHECK_INT(ws_stream_read(e.stream, data, 1), 1);         /* read 3 */
  CHECK_BYTES(data, 1, "b"); /* the failed read took nothing */
  end(e);
}

TEST(again_every_time) {
  ends e = make((ws_fault_plan){.again_every = 1});
  uint8_t data[4];
  send_to(e, "abc");
  for (int i = 0; i < 5; i++) {
    CHECK_INT(ws_stream_read(e.stream, data, 1), WS_EAGAIN);
    CHECK_INT(write_two(e, "x", "y"), WS_EAGAIN);
  }
  CHECK_INT(ws_socket_read(e.peer, data, 4), WS_EAGAIN);
  end(e);
}

/* Only the n-th call fails; later ones succeed. A failed one sends nothing. */
TEST(fails_once) {
  ends e = make((ws_fault_plan){
      .fail_read = 1, .fail_write = 2, .status = WS_EOF});
  uint8_t data[8];
  send_to(e, "ab");
  CHECK_INT(ws_stream_read(e.stream, data, 8), WS_EOF);
  CHECK_INT(ws_stream_read(e.stream, data, 8), 2);
  CHECK_INT(write_two(e, "1", "2"), 2);
  CHECK_INT(write_two(e, "3", "4"), WS_EOF);
  CHECK_INT(write_two(e, "5", "6"), 2);
  CHECK_INT(ws_socket_read(e.peer, data, 8), 4);
  CHECK_BYTES(data, 4, "1256");
  end(e);
}

/* Otherwise a writer that waits for progress would wait for ever. */
TEST(short_writes_see_past_empty_slices) {
  ends e = make((ws_fault_plan){.write_most = 2});
  ws_slice slices[] = {{NULL, 0}, {"", 0}, {"abc", 3}, {"d", 1}};
  uint8_t data[8];
  CHECK_INT(ws_stream_write(e.stream, slices, 4), 2);
  CHECK_INT(ws_stream_write(e.stream, slices, 2), 0);
  CHECK_INT(ws_socket_read(e.peer, data, 8), 2);
  CHECK_BYTES(data, 2, "ab");
  end(e);
}

/* A stream that records its calls, and returns values that no other would. */
typedef struct noted {
  ws_stream stream;
  unsigned opens, reads, writes, flushes, closes, frees;
  size_t read_len, write_count;
} noted;

static int noted_open(ws_stream *s) {
  ((noted *)s)->opens++;
  return WS_ETLS;
}
static ptrdiff_t noted_read(ws_stream *s, uint8_t *data, size_t len) {
  (void)data;
  ((noted *)s)->reads++;
  ((noted *)s)->read_len = len;
  return WS_ETRUNCATED;
}
static ptrdiff_t noted_write(ws_stream *s, const ws_slice *slices,
                             size_t count) {
  (void)slices;
  ((noted *)s)->writes++;
  ((noted *)s)->write_count = count;
  return WS_ENOBUFS;
}
static int noted_flush(ws_stream *s) {
  ((noted *)s)->flushes++;
  return WS_EAGAIN;
}
static int noted_close(ws_stream *s) {
  ((noted *)s)->closes++;
  return WS_ECONNRESET;
}
static unsigned noted_wants(ws_stream *s) {
  (void)s;
  return WS_READABLE | WS_WRITABLE;
}
static ws_fd noted_fd(ws_stream *s) {
  (void)s;
  return 4711;
}
static const char *noted_why(ws_stream *s) {
  (void)s;
  return "a reason";
}
static void noted_free(ws_stream *s) { ((noted *)s)->frees++; }

static const ws_stream_kind noted_kind = {
    noted_open,  noted_read, noted_write, noted_flush, noted_close,
    noted_wants, noted_fd,   noted_why,   noted_free,  NULL,
};

TEST(passes_everything_on) {
  noted below = {.stream = {&noted_kind, NULL}};
  ws_fault_plan plan = {.read_most = 100};
  ws_stream *stream = ws_stream_fault_new(&below.stream, &plan);
  ws_slice slices[] = {{"a", 1}, {"b", 1}, {"c", 1}};
  uint8_t data[200];
  CHECK_INT(ws_stream_open(stream), WS_ETLS);
  CHECK_INT(ws_stream_read(stream, data, 200), WS_ETRUNCATED);
  CHECK_INT(below.read_len, 100);
  CHECK_INT(ws_stream_read(stream, data, 99), WS_ETRUNCATED);
  CHECK_INT(below.read_len, 99);
  CHECK_INT(ws_stream_write(stream, slices, 3), WS_ENOBUFS);
  CHECK_INT(below.write_count, 3);
  CHECK_INT(ws_stream_flush(stream), WS_EAGAIN);
  CHECK_INT(ws_stream_close(stream), WS_ECONNRESET);
  CHECK_INT(ws_stream_wants(stream), WS_READABLE | WS_WRITABLE);
  CHECK_INT(ws_stream_fd(stream), 4711);
  CHECK(strcmp(ws_stream_why(stream), "a reason") == 0);
  CHECK(stream->below == &below.stream);
  ws_stream_free(stream);
  CHECK(below.opens == 1 && below.reads == 2 && below.writes == 1 &&
        below.flushes == 1 && below.closes == 1 && below.frees == 1);
  CHECK_INT(ws_memory_live(), 0);
}

/* Calls that fail or return "again" do not reach the stream below. */
TEST(what_fails_stays_here) {
  noted below = {.stream = {&noted_kind, NULL}};
  ws_fault_plan plan = {.again_every = 2, .fail_read = 1, .fail_write = 1,
                        .status = WS_EPIPE};
  ws_stream *stream = ws_stream_fault_new(&below.stream, &plan);
  ws_slice one = {"a", 1};
  uint8_t data[4];
  CHECK_INT(ws_stream_read(stream, data, 4), WS_EPIPE);
  CHECK_INT(ws_stream_read(stream, data, 4), WS_EAGAIN);
  CHECK_INT(ws_stream_write(stream, &one, 1), WS_EPIPE);
  CHECK_INT(ws_stream_write(stream, &one, 1), WS_EAGAIN);
  CHECK(below.reads == 0 && below.writes == 0);
  ws_stream_free(stream);
}

TEST(without_memory_the_one_below_stays) {
  ws_fd pair[2];
  ws_fault_plan plan = {0};
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_memory_fail(1, 0);
  CHECK(ws_stream_tcp_new(pair[0]) == NULL);
  ws_stream *tcp = ws_stream_tcp_new(pair[0]);
  ws_memory_fail(1, 0);
  CHECK(ws_stream_fault_new(tcp, &plan) == NULL);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_stream_fd(tcp), pair[0]);
  ws_stream_free(tcp);
  ws_socket_close(pair[1]);
  CHECK_INT(ws_memory_live(), 0);
}

int main(void) {
  RUN(an_empty_plan_changes_nothing);
  RUN(short_reads);
  RUN(short_writes);
  RUN(says_again_now_and_then);
  RUN(fails_at_the_nth_call);
  RUN(again_is_no_try);
  RUN(again_every_time);
  RUN(fails_once);
  RUN(short_writes_see_past_empty_slices);
  RUN(passes_everything_on);
  RUN(what_fails_stays_here);
  RUN(without_memory_the_one_below_stays);
  return check_done();
}
