/* SPDX-License-Identifier: MIT */
/* Frames that are sent: their bytes, their keys, and nothing at all when
 * something is missing. A receiver reads them back. */
#include "protocol/sender.h"

#include "protocol/receiver.h"
#include "wire.h"

static struct {
  unsigned calls;
  bool broken;
} keys;

/* Makes keys that differ. */
static int fake_random(void *data, size_t len) {
  keys.calls++;
  if (keys.broken)
    return WS_ERANDOM;
  memset(data, (int)(0x10 + keys.calls), len);
  return WS_OK;
}

static ws_sender a_sender(bool client) {
  ws_sender sender;
  keys.calls = 0;
  keys.broken = false;
  ws_sender_init(&sender, client ? fake_random : NULL);
  return sender;
}

static ws_buffer an_out(void) {
  ws_buffer out;
  ws_buffer_init(&out, wire_resize, 0);
  return out;
}

/* S102, R29 */
TEST(test_server_frames) {
  ws_sender sender = a_sender(false);
  ws_buffer out = an_out();
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hi", 2, &out), WS_OK);
  CHECK_INT(ws_sender_write(&sender, WS_BINARY, NULL, 0, &out), WS_OK);
  CHECK_INT(ws_sender_write(&sender, WS_PING, "x", 1, &out), WS_OK);
  CHECK_BYTES(out.data, out.len, "\x81\x02hi\x82\x00\x89\x01x");
  CHECK_INT(keys.calls, 0);
  ws_buffer_deinit(&out);
}

/* S144: all frames, even empty ones and control frames, have their own key. */
TEST(test_client_frames) {
  ws_sender sender = a_sender(true);
  ws_buffer out = an_out();
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hi", 2, &out), WS_OK);
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, NULL, 0, &out), WS_OK);
  CHECK_INT(ws_sender_close(&sender, 0, NULL, 0, &out), WS_OK);
  CHECK_BYTES(out.data, out.len,
              "\x81\x82\x11\x11\x11\x11\x79\x78"
              "\x81\x80\x12\x12\x12\x12"
              "\x88\x80\x13\x13\x13\x13");
  CHECK_INT(keys.calls, 3);
  ws_buffer_deinit(&out);
}

/* S112, S114, S120, S117 */
TEST(test_close_frames) {
  ws_sender sender = a_sender(false);
  ws_buffer out = an_out();
  char reason[124] = {0};
  memset(reason, 'r', sizeof reason);
  CHECK_INT(ws_sender_close(&sender, 0, NULL, 0, &out), WS_OK);
  CHECK_INT(ws_sender_close(&sender, 1000, NULL, 0, &out), WS_OK);
  CHECK_INT(ws_sender_close(&sender, 4999, "x", 1, &out), WS_OK);
  CHECK_BYTES(out.data, out.len,
              "\x88\x00\x88\x02\x03\xe8\x88\x03\x13\x87x");
  size_t before = out.len;
  CHECK_INT(ws_sender_close(&sender, 1000, reason, 124, &out), WS_EINVAL);
  CHECK_INT(ws_sender_close(&sender, 0, "x", 1, &out), WS_EINVAL);
  CHECK_INT(ws_sender_close(&sender, 65536, NULL, 0, &out), WS_EINVAL);
  CHECK_INT(out.len, before);
  CHECK_INT(ws_sender_close(&sender, 1000, reason, 123, &out), WS_OK);
  CHECK_INT(out.len - before, 127);
  CHECK_BYTES(out.data + before, 4, "\x88\x7d\x03\xe8");
  ws_buffer_deinit(&out);
}

/* A48: no key, no frame. */
TEST(test_without_random_nothing_goes_out) {
  ws_sender sender = a_sender(true);
  ws_buffer out = an_out();
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hi", 2, &out), WS_OK);
  size_t before = out.len;
  keys.broken = true;
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hi", 2, &out), WS_ERANDOM);
  CHECK_INT(ws_sender_close(&sender, 1000, NULL, 0, &out), WS_ERANDOM);
  CHECK_INT(out.len, before);
  ws_buffer_deinit(&out);
}

/* A frame that does not fit, by however little, leaves nothing behind. */
TEST(test_without_room_nothing_is_appended) {
  for (size_t size = 0; size < 11; size++) {
    ws_sender sender = a_sender(true);
    uint8_t *memory = check_guarded(size);
    ws_buffer out;
    ws_buffer_init_fixed(&out, memory, size);
    CHECK(ws_sender_write(&sender, WS_TEXT, "hello", 5, &out) < 0);
    CHECK_INT(out.len, 0);
  }
  ws_sender sender = a_sender(true);
  ws_buffer out;
  ws_buffer_init_fixed(&out, check_guarded(11), 11);
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hello", 5, &out), WS_OK);
  CHECK_INT(out.len, 11);
  CHECK(ws_sender_write(&sender, WS_TEXT, "x", 1, &out) < 0);
  CHECK_INT(out.len, 11);
  /* No sum wraps to something for which there would be room. */
  ws_buffer_init_fixed(&out, check_guarded(64), 64);
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "x", SIZE_MAX, &out),
            WS_ETOOBIG);
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "x", SIZE_MAX - 5, &out),
            WS_ETOOBIG);
  CHECK_INT(out.len, 0);
}

TEST(test_without_memory) {
  ws_sender sender = a_sender(false);
  ws_buffer out = an_out();
  wire_memory_reset();
  wire_memory.fail_at = 1;
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hi", 2, &out), WS_ENOMEM);
  CHECK_INT(out.len, 0);
  CHECK_INT(ws_sender_write(&sender, WS_TEXT, "hi", 2, &out), WS_OK);
  ws_buffer_deinit(&out);
}

/* S148: what is sent is received, in both roles; a head written alone is that
 * of the frame. The payload ends at a guarded page and is not changed. */
TEST(test_round_trip) {
  static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70001};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int client = 0; client < 2; client++) {
      size_t len = sizes[i];
      ws_sender sender = a_sender(client != 0);
      ws_receiver_limits limits = {0, client != 0};
      ws_receiver receiver;
      ws_event event;
      ws_buffer out = an_out();
      uint8_t *copy = malloc(len + 1), *payload = check_guarded(len);
      for (size_t n = 0; n < len; n++)
        payload[n] = copy[n] = (uint8_t)(n * 13 + n / 251);
      CHECK_INT(ws_sender_write(&sender, WS_BINARY, payload, len, &out),
                WS_OK);
      CHECK(len == 0 || memcmp(payload, copy, len) == 0);
      uint8_t head[WS_FRAME_HEAD_MAX];
      size_t head_len = ws_sender_head(WS_BINARY, 0, len, head);
      CHECK(client || memcmp(head, out.data, head_len) == 0);
      CHECK_INT(out.len, len + head_len + (client ? 4 : 0));
      ws_receiver_init(&receiver, &limits, wire_resize);
      CHECK_INT(ws_receiver_feed(&receiver, out.data, out.len, &event),
                out.len);
      CHECK_INT(event.type, WS_EVENT_MESSAGE);
      CHECK(event.len == len &&
            (len == 0 || memcmp(event.data, copy, len) == 0));
      ws_receiver_deinit(&receiver);
      ws_buffer_deinit(&out);
      free(copy);
    }
  CHECK_INT(wire_memory.blocks, 0);
}

int main(void) {
  RUN(test_server_frames);
  RUN(test_client_frames);
  RUN(test_close_frames);
  RUN(test_without_random_nothing_goes_out);
  RUN(test_without_room_nothing_is_appended);
  RUN(test_without_memory);
  RUN(test_round_trip);
  return check_done();
}
