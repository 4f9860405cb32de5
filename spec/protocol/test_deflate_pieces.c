/* SPDX-License-Identifier: MIT */
/* A57: messages longer than zlib's unsigned int can count. deflate.c is
 * included here with a UINT_MAX of 13, so that its loops over pieces run as
 * they would for messages of many times 4 GiB. */
#include <limits.h>
#undef UINT_MAX
#define UINT_MAX 13u
#include "../../csrc/protocol/deflate.c"

#include "deflate_peer.h"

#define MOST ((size_t)1 << 20)

static ws_buffer fresh(void) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, wire_resize, 0);
  return buffer;
}

static bool holds(const ws_buffer *buffer, const wire *wanted) {
  return wire_same(wanted, buffer->data, buffer->len);
}

/* zlib must not count further than a size_t, or no pieces would be needed. */
_Static_assert(sizeof(size_t) >= sizeof(uInt), "pieces fit zlib's counters");

TEST(a_piece_is_never_longer) {
  CHECK_INT(at_most_uint(0), 0);
  CHECK_INT(at_most_uint(13), 13);
  CHECK_INT(at_most_uint(14), 13);
  CHECK_INT(at_most_uint(SIZE_MAX), 13);
}

/* Both kinds of messages, with a history from one to the next. */
TEST(deflated_in_pieces) {
  static wire message, back;
  peer it;
  ws_buffer out = fresh();
  peer_start(&it, 15, 15, 6);
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  for (size_t len = 0; len < 100000; len += len < 60 ? 1 : len / 2) {
    if (len % 2 == 0) peer_words(&message, len);
    else peer_noise(&message, len);
    int status = ws_deflater_message(deflater, message.data, len, &out);
    CHECK_INT(status, WS_OK);
    CHECK(peer_unpack(&it, out.data, out.len, &back));
    CHECK(wire_same(&back, message.data, len));
    ws_buffer_consume(&out, out.len);
  }
  ws_deflater_free(deflater);
  ws_buffer_deinit(&out);
  peer_stop(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

TEST(inflated_in_pieces) {
  static wire message, packed;
  peer it;
  ws_buffer out = fresh();
  peer_start(&it, 15, 15, 6);
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  for (size_t len = 0; len < 100000; len += len < 60 ? 1 : len / 2) {
    if (len % 2 == 0) peer_words(&message, len);
    else peer_noise(&message, len);
    peer_pack(&it, message.data, len, &packed);
    CHECK_INT(ws_inflater_feed(inflater, packed.data, packed.len, &out, MOST),
              WS_OK);
    CHECK_INT(ws_inflater_end(inflater, &out, MOST), WS_OK);
    CHECK(holds(&out, &message));
    ws_buffer_consume(&out, out.len);
  }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  peer_stop(&it);
  CHECK_INT(wire_memory.blocks, 0);
}

/* The limit is for all pieces together, to the byte. */
TEST(limited_over_all_pieces) {
  static wire message, packed;
  peer it;
  peer_start(&it, 15, 15, 6);
  peer_noise(&message, 1000);
  peer_pack(&it, message.data, message.len, &packed);
  for (size_t most = 998; most <= 1001; most++) {
    ws_buffer out = fresh();
    ws_inflater *inflater = ws_inflater_new(wire_resize);
    int status =
        ws_inflater_feed(inflater, packed.data, packed.len, &out, most);
    if (status == WS_OK) status = ws_inflater_end(inflater, &out, most);
    CHECK_INT(status, most < 1000 ? WS_ETOOBIG : WS_OK);
    CHECK(out.len <= most + 1);
    ws_inflater_free(inflater);
    ws_buffer_deinit(&out);
  }
  peer_stop(&it);
}

int main(void) {
  RUN(a_piece_is_never_longer);
  RUN(deflated_in_pieces);
  RUN(inflated_in_pieces);
  RUN(limited_over_all_pieces);
  return check_done();
}
