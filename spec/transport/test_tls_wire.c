/* SPDX-License-Identifier: MIT */
/* The BIO over a stream: what it holds, how much it reads, how it fails. */
#include "transport/tls_wire.h"

#include "tls_pair.h"

static memory_pipe in, out;
static ws_tls_wire wire;
static BIO_METHOD *method;
static BIO *bio;

static char much[65536];

static void begin(size_t room) {
  pipe_begin(&in, room, PIPE_ROOM);
  pipe_begin(&out, room, PIPE_ROOM);
  ws_tls_wire_init(&wire, memory_end_new(&in, &out));
  bio = ws_tls_wire_bio(&wire, method);
}

static void end(void) {
  BIO_free(bio);
  ws_stream_free(wire.below);
  ws_tls_wire_deinit(&wire);
  CHECK_INT(ws_memory_live(), 0);
}

static void arrive(const char *text) {
  memcpy(pipe_data(&in) + in.len, text, strlen(text));
  in.len += strlen(text);
}

TEST(writing_passes_through) {
  begin(100);
  CHECK_INT(BIO_write(bio, "hello", 5), 5);
  CHECK_BYTES(pipe_data(&out), out.len, "hello");
  CHECK(!ws_tls_wire_is_held(&wire));
  CHECK_INT(ws_memory_live(), 0); /* nothing is kept */
  CHECK_INT(BIO_flush(bio), 1);
  end();
}

TEST(writing_holds_the_rest_in_order) {
  begin(3);
  CHECK_INT(BIO_write(bio, "hello", 5), 5);
  CHECK(ws_tls_wire_is_held(&wire));
  CHECK_INT(ws_tls_wire_push(&wire), WS_EAGAIN);
  out.room = 100;
  CHECK_INT(BIO_write(bio, " you", 4), 4);
  CHECK_BYTES(pipe_data(&out), out.len, "hel");
  CHECK_INT(ws_tls_wire_push(&wire), WS_OK);
  CHECK_BYTES(pipe_data(&out), out.len, "hello you");
  CHECK(!ws_tls_wire_is_held(&wire));
  CHECK_INT(ws_memory_live(), 0); /* the block is freed */
  end();
}

TEST(writing_fails_for_good) {
  begin(3);
  CHECK_INT(BIO_write(bio, "hello", 5), 5);
  out.ended = true;
  CHECK_INT(ws_tls_wire_push(&wire), WS_EPIPE);
  CHECK_INT(BIO_write(bio, "x", 1), 1); /* OpenSSL does not see the failure */
  CHECK_INT(wire.write_status, WS_EPIPE);
  CHECK_INT(ws_tls_wire_push(&wire), WS_EPIPE);
  CHECK(!ws_tls_wire_is_held(&wire));
  char got[4];
  arrive("ok");
  ws_tls_wire_allow(&wire, 100);
  CHECK_INT(BIO_read(bio, got, 4), 2); /* reading still works */
  end();
  begin(0);
  CHECK_INT(BIO_write(bio, "x", 1), 1);
  ws_memory_fail(1, 0);
  CHECK_INT(BIO_write(bio, much, sizeof much), sizeof much);
  ws_memory_fail(0, 0);
  CHECK(!ws_tls_wire_is_held(&wire));
  CHECK_INT(ws_tls_wire_push(&wire), WS_ENOMEM);
  out.room = 100;
  CHECK_INT(BIO_write(bio, "y", 1), 1);
  CHECK_INT(out.len, 0); /* nothing is sent after what was lost */
  end();
}

TEST(reading_up_to_the_budget) {
  char got[8];
  begin(100);
  arrive("abcdefgh");
  CHECK_INT(BIO_read(bio, got, 8), -1); /* nothing is allowed yet */
  CHECK(BIO_should_retry(bio));
  ws_tls_wire_allow(&wire, 5);
  CHECK_INT(BIO_read(bio, got, 3), 3);
  CHECK(!wire.drained);
  CHECK_INT(BIO_read(bio, got, 8), 2);
  CHECK_INT(BIO_read(bio, got, 8), -1);
  CHECK(BIO_should_retry(bio));
  ws_tls_wire_allow(&wire, 100);
  CHECK_INT(BIO_read(bio, got, 8), 3);
  CHECK(wire.drained);
  CHECK_INT(BIO_read(bio, got, 8), -1);
  CHECK(BIO_should_retry(bio));
  CHECK_INT(wire.read_status, WS_OK);
  in.ended = true;
  CHECK_INT(BIO_read(bio, got, 8), -1);
  CHECK(!BIO_should_retry(bio));
  CHECK_INT(wire.read_status, WS_EOF);
  end();
}

TEST(content_pays_for_more_reading) {
  char got[8];
  begin(100);
  arrive("abcdefgh");
  ws_tls_wire_allow(&wire, 2);
  CHECK_INT(BIO_read(bio, got, 8), 2);
  ws_tls_wire_allow_more(&wire, 3);
  ws_tls_wire_allow_more(&wire, 1);
  CHECK_INT(BIO_read(bio, got, 8), 4);
  CHECK_INT(BIO_read(bio, got, 8), -1);
  ws_tls_wire_allow_more(&wire, 100);
  ws_tls_wire_allow(&wire, 1); /* what was left is not kept */
  CHECK_INT(BIO_read(bio, got, 8), 1);
  end();
}

/* From a peer that takes nothing, we do not read for ever. */
TEST(reading_ends_when_too_much_is_held) {
  char got[8];
  begin(1);
  ws_tls_wire_allow(&wire, 100);
  arrive("ab");
  CHECK_INT(BIO_write(bio, much, sizeof much), sizeof much);
  CHECK_INT(BIO_write(bio, much, sizeof much), sizeof much);
  CHECK_INT(BIO_read(bio, got, 1), 1);
  CHECK_INT(BIO_write(bio, much, 2), 2);
  CHECK_INT(BIO_read(bio, got, 1), -1);
  CHECK(!BIO_should_retry(bio));
  CHECK_INT(wire.read_status, WS_EBACKPRESSURE);
  CHECK_INT(wire.write_status, WS_OK);
  out.room = PIPE_ROOM;
  CHECK_INT(BIO_read(bio, got, 1), -1); /* for good */
  end();
}

TEST(reading_goes_on_when_some_of_it_goes_out) {
  char got[8];
  begin(1);
  ws_tls_wire_allow(&wire, 100);
  arrive("ab");
  CHECK_INT(BIO_write(bio, much, sizeof much), sizeof much);
  CHECK_INT(BIO_write(bio, much, sizeof much), sizeof much);
  CHECK_INT(BIO_write(bio, much, sizeof much), sizeof much);
  out.len = 0;
  out.room = PIPE_ROOM;
  CHECK_INT(BIO_read(bio, got, 1), 1);
  CHECK_INT(out.len, PIPE_ROOM);
  CHECK(ws_tls_wire_is_held(&wire));
  CHECK_INT(BIO_read(bio, got, 1), 1);
  CHECK(got[0] == 'b');
  end();
}

int main(void) {
  method = ws_tls_wire_method();
  RUN(writing_passes_through);
  RUN(writing_holds_the_rest_in_order);
  RUN(writing_fails_for_good);
  RUN(reading_up_to_the_budget);
  RUN(content_pays_for_more_reading);
  RUN(reading_ends_when_too_much_is_held);
  RUN(reading_goes_on_when_some_of_it_goes_out);
  BIO_meth_free(method);
  return check_done();
}
