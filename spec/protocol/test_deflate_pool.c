/* SPDX-License-Identifier: MIT */
/* Many connections share few deflaters and inflaters. Each has a peer that is
 * zlib with its own history, and must never notice the others (S173, S165,
 * S166, S180, S181). */
#include "protocol/deflate_pool.h"

#include "deflate_peer.h"

#define PLENTY ((size_t)1 << 24)
#define MANY 40

static ws_deflate_pool pool;
static wire text, packed, back; /* the current message */

/* One connection and its peer. */
typedef struct pair {
  ws_deflate *deflate;
  peer peer;
} pair;

static void pair_start(pair *it, const ws_deflate_agreed *agreed,
                       bool server, int level) {
  ws_deflate_options options = {.enabled = true, .level = level};
  unsigned ours = server ? agreed->server_bits : agreed->client_bits;
  unsigned theirs = server ? agreed->client_bits : agreed->server_bits;
  it->deflate = ws_deflate_new(&pool, &options, agreed, server, PLENTY);
  /* zlib cannot deflate with 8 bits, so such a peer uses 9. */
  peer_start(&it->peer, ours == 8 ? 9 : (int)ours,
             theirs == 8 ? 9 : (int)theirs, 6);
  it->peer.in_alone =
      server ? agreed->server_no_context : agreed->client_no_context;
  it->peer.out_alone =
      server ? agreed->client_no_context : agreed->server_no_context;
}

static void pair_stop(pair *it) {
  ws_deflate_free(it->deflate);
  it->deflate = NULL;
  peer_stop(&it->peer);
}

static const ws_deflate_agreed usual = {
    .on = true, .server_bits = 15, .client_bits = 15};

static void start_usual(pair *it) { pair_start(it, &usual, true, 6); }

/* Whether the peer reads `text` from what we have made. */
static bool peer_gets(pair *it, const ws_buffer *made) {
  return peer_unpack(&it->peer, made->data, made->len, &back) &&
         wire_same(&text, back.data, back.len);
}

static bool send_text(pair *it) {
  const ws_buffer *made;
  return ws_deflate_message(it->deflate, text.data, text.len, &made) ==
             WS_OK &&
         peer_gets(it, made);
}

static bool got(pair *it) {
  ws_buffer *into = &it->deflate->text;
  bool same = wire_same(&text, into->data, into->len);
  ws_buffer_deinit(into);
  return same;
}

/* The peer sends `text`, which comes in pieces of `step` bytes. */
static bool receive_text(pair *it, size_t step) {
  int status = WS_OK;
  peer_pack(&it->peer, text.data, text.len, &packed);
  for (size_t at = 0; at < packed.len && status == WS_OK; at += step) {
    size_t n = packed.len - at < step ? packed.len - at : step;
    status = ws_deflate_feed(it->deflate, wire_piece(packed.data + at, n), n);
  }
  return status == WS_OK && ws_deflate_end(it->deflate) == WS_OK && got(it);
}

static void start_pool(void) {
  memset(&pool, 0xdb, sizeof pool); /* it need not be zeroed */
  ws_deflate_pool_init(&pool, wire_resize);
}

static void stop_pool(void) {
  ws_deflate_pool_deinit(&pool);
  CHECK_INT(wire_memory.blocks, 0);
  CHECK_INT(wire_memory.held, 0);
}

/* --------------------------------------------------------- both ways */

/* The connections send in an order in which every slot often changes its owner,
 * and some send several times in a row. */
static void talk(pair *pairs, size_t count, size_t turns) {
  bool sent = true, received = true;
  for (size_t i = 0; i < turns; i++) {
    pair *it = &pairs[i % 3 ? peer_random() % count : i % count];
    size_t len = peer_random() % (i % 10 ? 400 : 20000);
    (i % 7 ? peer_words : peer_noise)(&text, len);
    sent = sent && send_text(it);
    (i % 5 ? peer_words : peer_noise)(&text, len / 2);
    received = received && receive_text(it, i % 4 ? 100000 : 11);
  }
  CHECK(sent);
  CHECK(received);
}

static void many(const ws_deflate_agreed *agreed, bool server) {
  static pair pairs[MANY];
  start_pool();
  for (size_t i = 0; i < MANY; i++)
    pair_start(&pairs[i], agreed, server, 6);
  talk(pairs, MANY, 700);
  for (size_t i = 0; i < MANY; i++) pair_stop(&pairs[i]);
  stop_pool();
}

TEST(takeover_both_ways) { /* S173 */
  many(&usual, true);
  many(&usual, false);
}

TEST(no_takeover) { /* S165, S166 */
  for (unsigned i = 1; i < 4; i++) {
    ws_deflate_agreed agreed = usual;
    agreed.server_no_context = i & 1;
    agreed.client_no_context = i & 2;
    many(&agreed, true);
    many(&agreed, false);
  }
}

/* With a small window less is kept, which must still be enough. */
TEST(small_windows) {
  for (uint8_t bits = 9; bits <= 13; bits++) {
    ws_deflate_agreed agreed = {
        .on = true, .server_bits = bits, .client_bits = (uint8_t)(22 - bits)};
    many(&agreed, true);
  }
}

/* Sixteen connections have inflaters, which hold their windows. The next one
 * takes the least recently used inflater. */
TEST(inflaters_are_kept_and_taken) {
  static pair pairs[WS_POOL_SLOTS + 1];
  start_pool();
  peer_words(&text, 400);
  for (size_t i = 0; i <= WS_POOL_SLOTS; i++) start_usual(&pairs[i]);
  for (size_t round = 0; round < 2; round++)
    for (size_t i = 0; i < WS_POOL_SLOTS; i++)
      CHECK(receive_text(&pairs[i], 1000));
  for (size_t i = 0; i < WS_POOL_SLOTS; i++)
    CHECK_INT(pairs[i].deflate->window.len, 0);
  CHECK(receive_text(&pairs[0], 1000));
  CHECK(receive_text(&pairs[WS_POOL_SLOTS], 1000));
  for (size_t i = 0; i <= WS_POOL_SLOTS; i++)
    CHECK_INT(pairs[i].deflate->window.len, i == 1 ? 800 : 0);
  CHECK(receive_text(&pairs[1], 1000));
  for (size_t i = 0; i <= WS_POOL_SLOTS; i++)
    CHECK_INT(pairs[i].deflate->window.len, i == 2 ? 800 : 0);
  for (size_t i = 0; i <= WS_POOL_SLOTS; i++) pair_stop(&pairs[i]);
  stop_pool();
}

/* S173: exactly the agreed window is kept; no message may refer to more. */
TEST(the_window_agreed_on_is_kept_and_no_more) {
  static pair pairs[WS_POOL_SLOTS + 1];
  for (int server = 0; server < 2; server++) {
    ws_deflate_agreed agreed = usual;
    *(server ? &agreed.client_bits : &agreed.server_bits) = 9;
    start_pool();
    for (size_t i = 0; i <= WS_POOL_SLOTS; i++) {
      pair_start(&pairs[i], &agreed, server != 0, 6);
      peer_words(&text, i % 2 ? 300 : 5000);
      CHECK(receive_text(&pairs[i], 1000));
    }
    CHECK_INT(pairs[0].deflate->window.len, 512); /* the last took its place */
    peer_words(&text, 300);
    CHECK(receive_text(&pairs[0], 1000));
    CHECK_INT(pairs[1].deflate->window.len, 300);
    CHECK(receive_text(&pairs[1], 1000));
    for (size_t i = 0; i <= WS_POOL_SLOTS; i++) pair_stop(&pairs[i]);
    stop_pool();
  }
}

/* Connections of all kinds share one pool. */
TEST(a_mixture) {
  static pair pairs[MANY];
  start_pool();
  for (unsigned i = 0; i < MANY; i++) {
    ws_deflate_agreed agreed = {.on = true,
                                .server_no_context = i % 3 == 0,
                                .client_no_context = i % 5 == 0,
                                .server_bits = (uint8_t)(9 + i % 7),
                                .client_bits = (uint8_t)(15 - i % 7)};
    pair_start(&pairs[i], &agreed, i % 2 != 0, (int)(i % 10));
  }
  talk(pairs, MANY, 1500);
  /* Some go, others come in their places. */
  for (unsigned i = 0; i < MANY; i += 3) {
    pair_stop(&pairs[i]);
    start_usual(&pairs[i]);
  }
  talk(pairs, MANY, 300);
  for (size_t i = 0; i < MANY; i++) pair_stop(&pairs[i]);
  stop_pool();
}

/* S173: with its history, a repeated message takes almost no bytes; after 16
 * other connections have sent, it takes many again. */
TEST(histories_are_kept_and_forgotten) {
  static pair pairs[WS_POOL_SLOTS + 1];
  const ws_buffer *made;
  start_pool();
  for (size_t i = 0; i <= WS_POOL_SLOTS; i++) start_usual(&pairs[i]);
  peer_noise(&text, 3000);
  for (size_t round = 0; round < 2; round++)
    for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
      CHECK_INT(ws_deflate_message(pairs[i].deflate, text.data, text.len,
                                   &made),
                WS_OK);
      CHECK(round == 0 ? made->len > 3000 : made->len < 100);
      CHECK(peer_gets(&pairs[i], made));
    }
  CHECK(send_text(&pairs[WS_POOL_SLOTS])); /* takes that of the first */
  CHECK_INT(ws_deflate_message(pairs[1].deflate, text.data, text.len, &made),
            WS_OK);
  CHECK(made->len < 100);
  CHECK(peer_gets(&pairs[1], made));
  CHECK_INT(ws_deflate_message(pairs[0].deflate, text.data, text.len, &made),
            WS_OK);
  CHECK(made->len > 3000);
  CHECK(peer_gets(&pairs[0], made));
  for (size_t i = 0; i <= WS_POOL_SLOTS; i++) pair_stop(&pairs[i]);
  stop_pool();
}

/* For another level or another window, a new deflater is made. */
TEST(deflaters_of_another_kind) {
  static pair pairs[WS_POOL_SLOTS];
  pair stored, narrow;
  const ws_buffer *made;
  ws_deflate_agreed agreed = usual;
  agreed.server_bits = 9;
  start_pool();
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    start_usual(&pairs[i]);
    peer_words(&text, 1000);
    CHECK(send_text(&pairs[i]));
  }
  pair_start(&stored, &usual, true, 0);
  CHECK_INT(ws_deflate_message(stored.deflate, text.data, text.len, &made),
            WS_OK);
  CHECK(made->len > text.len);
  CHECK(peer_gets(&stored, made));
  pair_start(&narrow, &agreed, true, 6);
  peer_noise(&text, 1200);
  memcpy(text.data + 600, text.data, 600); /* out of reach of 2^9 bytes */
  CHECK_INT(ws_deflate_message(narrow.deflate, text.data, text.len, &made),
            WS_OK);
  CHECK(made->len > text.len);
  CHECK(peer_gets(&narrow, made));
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) pair_stop(&pairs[i]);
  pair_stop(&stored);
  pair_stop(&narrow);
  stop_pool();
}

/* -------------------------------------------------------------- alone */

/* A message made for all can be read by each peer, whatever it got before; and
 * after ws_deflate_forget, so can the messages to it alone. */
TEST(a_message_for_everyone) {
  static pair pairs[MANY];
  const ws_buffer *made;
  wire everyones = {0};
  start_pool();
  for (size_t i = 0; i < MANY; i++) start_usual(&pairs[i]);
  for (size_t round = 0; round < 12; round++) {
    peer_words(&text, 100 + round * 200);
    for (size_t i = 0; i < MANY; i += 1 + round % 3)
      CHECK(send_text(&pairs[i]));
    (round % 2 ? peer_words : peer_noise)(&text, 700);
    CHECK_INT(ws_deflate_message_alone(pairs[round].deflate, text.data,
                                       text.len, &made),
              WS_OK);
    everyones.len = 0;
    wire_add(&everyones, made->data, made->len);
    for (size_t i = 0; i < MANY; i++) {
      CHECK(peer_unpack(&pairs[i].peer, everyones.data, everyones.len,
                        &back));
      CHECK(wire_same(&text, back.data, back.len));
      ws_deflate_forget(pairs[i].deflate);
    }
    CHECK(send_text(&pairs[round * 3]));
  }
  for (size_t i = 0; i < MANY; i++) pair_stop(&pairs[i]);
  wire_free(&everyones);
  stop_pool();
}

/* Made twice, it is the same: it refers to nothing before it. */
TEST(alone_means_alone) {
  pair it;
  const ws_buffer *made;
  wire first = {0};
  start_pool();
  start_usual(&it);
  peer_noise(&text, 500);
  CHECK(send_text(&it));
  for (int i = 0; i < 3; i++) {
    CHECK_INT(ws_deflate_message_alone(it.deflate, text.data, text.len,
                                       &made),
              WS_OK);
    if (i == 0) wire_add(&first, made->data, made->len);
    CHECK(made->len > 500);
    CHECK(wire_same(&first, made->data, made->len));
  }
  /* It was not sent to this peer, so this history has not changed. */
  CHECK_INT(ws_deflate_message(it.deflate, text.data, text.len, &made),
            WS_OK);
  CHECK(made->len < 100);
  CHECK(peer_gets(&it, made));
  wire_free(&first);
  pair_stop(&it);
  stop_pool();
}

TEST(forget) {
  pair it;
  const ws_buffer *made;
  start_pool();
  start_usual(&it);
  peer_noise(&text, 500);
  ws_deflate_forget(it.deflate); /* nothing to forget */
  CHECK(send_text(&it));
  ws_deflate_forget(it.deflate);
  ws_deflate_forget(it.deflate);
  CHECK_INT(ws_deflate_message(it.deflate, text.data, text.len, &made),
            WS_OK);
  CHECK(made->len > 500);
  CHECK(peer_gets(&it, made));
  pair_stop(&it);
  stop_pool();
}

/* Forgetting without a history takes no deflater from another connection. */
TEST(forget_without_a_history) {
  static pair pairs[WS_POOL_SLOTS];
  pair silent;
  const ws_buffer *made;
  start_pool();
  start_usual(&silent);
  peer_noise(&text, 500);
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    start_usual(&pairs[i]);
    CHECK(send_text(&pairs[i]));
  }
  ws_deflate_forget(silent.deflate);
  pair_stop(&silent);
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    CHECK_INT(ws_deflate_message(pairs[i].deflate, text.data, text.len,
                                 &made),
              WS_OK);
    CHECK(made->len < 100);
    CHECK(peer_gets(&pairs[i], made));
    pair_stop(&pairs[i]);
  }
  stop_pool();
}

/* --------------------------------------------- in the middle of messages */

/* An inflater in the middle of a message is not taken away. Connections that
 * find none get one of their own, whose window is kept afterwards. */
TEST(twenty_in_the_middle_of_a_message) {
  enum { OPEN = 20 };
  static pair pairs[OPEN];
  static wire texts[OPEN], parts[OPEN];
  start_pool();
  for (size_t i = 0; i < OPEN; i++) start_usual(&pairs[i]);
  for (size_t round = 0; round < 4; round++) {
    for (size_t i = 0; i < OPEN; i++) {
      peer_words(&texts[i], 3000 + 10 * i);
      peer_pack(&pairs[i].peer, texts[i].data, texts[i].len, &parts[i]);
    }
    size_t step = 100 + 50 * round;
    for (size_t at = 0; at < 2000; at += step)
      for (size_t k = 0; k < OPEN; k++) {
        size_t i = (k * 7 + round * 3) % OPEN;
        if (at >= parts[i].len) continue;
        size_t n = parts[i].len - at < step ? parts[i].len - at : step;
        CHECK_INT(ws_deflate_feed(pairs[i].deflate, parts[i].data + at, n),
                  WS_OK);
      }
    for (size_t i = 0; i < OPEN; i++) {
      CHECK(parts[i].len <= 2000);
      CHECK_INT(ws_deflate_end(pairs[i].deflate), WS_OK);
      CHECK(wire_same(&texts[i], pairs[i].deflate->text.data,
                      pairs[i].deflate->text.len));
      ws_buffer_deinit(&pairs[i].deflate->text);
    }
    peer_words(&text, 500);
    for (size_t i = 0; i < OPEN; i++) CHECK(receive_text(&pairs[i], 64));
  }
  for (size_t i = 0; i < OPEN; i++) {
    pair_stop(&pairs[i]);
    wire_free(&texts[i]);
    wire_free(&parts[i]);
  }
  stop_pool();
}

/* Without takeover no window is kept, wherever messages were expanded. */
TEST(twenty_without_takeover) { /* S165, S166 */
  enum { OPEN = 20 };
  static pair pairs[OPEN];
  static wire parts[OPEN];
  ws_deflate_agreed agreed = usual;
  agreed.client_no_context = true;
  start_pool();
  size_t before = 0;
  for (size_t i = 0; i < OPEN; i++)
    pair_start(&pairs[i], &agreed, true, 6);
  for (size_t round = 0; round < 3; round++) {
    peer_words(&text, 3000);
    for (size_t i = 0; i < OPEN; i++) {
      peer_pack(&pairs[i].peer, text.data, text.len, &parts[i]);
      CHECK_INT(ws_deflate_feed(pairs[i].deflate, parts[i].data, 50), WS_OK);
    }
    for (size_t i = 0; i < OPEN; i++) {
      CHECK_INT(ws_deflate_feed(pairs[i].deflate, parts[i].data + 50,
                                parts[i].len - 50),
                WS_OK);
      CHECK_INT(ws_deflate_end(pairs[i].deflate), WS_OK);
      CHECK(got(&pairs[i]));
      CHECK_INT(pairs[i].deflate->window.len, 0);
    }
    if (round == 0) before = wire_memory.held;
    CHECK_INT(wire_memory.held, before);
  }
  for (size_t i = 0; i < OPEN; i++)
    CHECK_INT(ws_deflate_feed(pairs[i].deflate, "\xf2\0\x11\0\0", 5),
              WS_EDEFLATE);
  for (size_t i = 0; i < OPEN; i++) {
    pair_stop(&pairs[i]);
    wire_free(&parts[i]);
  }
  stop_pool();
}

/* While all others are stuck in the middle of a message, a connection can still
 * receive, with an inflater in the pool or without. */
TEST(the_stuck_do_not_stop_the_others) {
  static pair pairs[WS_POOL_SLOTS + 2];
  start_pool();
  for (size_t i = 0; i < WS_POOL_SLOTS + 2; i++) start_usual(&pairs[i]);
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    peer_words(&text, 400);
    CHECK(receive_text(&pairs[i], 1000));
  }
  for (size_t i = 1; i < WS_POOL_SLOTS; i++)
    CHECK_INT(ws_deflate_feed(pairs[i].deflate, "\xf2\x48", 2), WS_OK);
  for (size_t round = 0; round < 5; round++)
    for (size_t k = 0; k < 3; k++) {
      peer_words(&text, 300);
      CHECK(receive_text(&pairs[k == 0 ? 0 : WS_POOL_SLOTS + k - 1], 50));
    }
  CHECK_INT(ws_deflate_feed(pairs[0].deflate, "\xf2", 1), WS_OK);
  for (size_t round = 0; round < 5; round++) {
    peer_words(&text, 300);
    CHECK(receive_text(&pairs[WS_POOL_SLOTS + round % 2], 50));
  }
  for (size_t i = 0; i < WS_POOL_SLOTS + 2; i++) pair_stop(&pairs[i]);
  stop_pool();
}

/* --------------------------------------------------------- what is wanted */

TEST(which_messages_are_compressed) { /* S180, S181 */
  start_pool();
  CHECK(!ws_deflate_wants(NULL, 1000));
  for (unsigned bits = 8; bits <= 15; bits++)
    for (int server = 0; server < 2; server++) {
      ws_deflate_options options = {
          .enabled = true, .level = 6, .threshold = 10};
      ws_deflate_agreed agreed = usual;
      *(server ? &agreed.server_bits : &agreed.client_bits) = (uint8_t)bits;
      ws_deflate *deflate =
          ws_deflate_new(&pool, &options, &agreed, server != 0, PLENTY);
      CHECK(!ws_deflate_wants(deflate, 0));
      CHECK(!ws_deflate_wants(deflate, 9));
      CHECK_INT(ws_deflate_wants(deflate, 10), bits > 8);
      CHECK_INT(ws_deflate_wants(deflate, 100000), bits > 8);
      ws_deflate_free(deflate);
    }
  stop_pool();
}

/* S180: the other side may use any window, as ours can expand all of them. */
TEST(eight_bits_are_for_the_others) {
  pair it;
  ws_deflate_agreed agreed = {.on = true, .server_bits = 8, .client_bits = 8};
  start_pool();
  pair_start(&it, &agreed, true, 6);
  CHECK(!ws_deflate_wants(it.deflate, 1000));
  for (int i = 0; i < 20; i++) { /* stays within a window of 256 bytes */
    peer_words(&text, 12);
    CHECK(receive_text(&it, 3));
  }
  pair_stop(&it);
  stop_pool();
}

TEST(empty_messages) { /* S175 */
  pair it;
  start_pool();
  start_usual(&it);
  wire_memory_reset();
  CHECK_INT(ws_deflate_feed(it.deflate, NULL, 0), WS_OK);
  CHECK_INT(ws_deflate_end(it.deflate), WS_OK);
  CHECK_INT(wire_memory.calls, 0); /* it takes no inflater */
  for (int i = 0; i < 3; i++) {
    text.len = 0;
    CHECK(send_text(&it));
    CHECK(receive_text(&it, 1));
    CHECK_INT(ws_deflate_feed(it.deflate, NULL, 0), WS_OK);
    CHECK_INT(ws_deflate_end(it.deflate), WS_OK);
    CHECK(got(&it));
    peer_words(&text, 100);
    CHECK(send_text(&it));
    CHECK(receive_text(&it, 1));
  }
  pair_stop(&it);
  stop_pool();
}

TEST(limits_are_those_of_the_connection) { /* S178 */
  ws_deflate_options options = {.enabled = true, .level = 6};
  pair it;
  start_pool();
  start_usual(&it);
  ws_deflate_free(it.deflate);
  it.deflate = ws_deflate_new(&pool, &options, &usual, true, 1000);
  peer_words(&text, 1000);
  CHECK(receive_text(&it, 20));
  peer_words(&text, 1001);
  peer_pack(&it.peer, text.data, text.len, &packed);
  CHECK_INT(ws_deflate_feed(it.deflate, packed.data, packed.len),
            WS_ETOOBIG);
  pair_stop(&it);
  stop_pool();
}

/* -------------------------------------------------------------- memory */

/* Freed before, in and after a message, with an inflater of the pool or one of
 * its own, before or after the pool. */
TEST(free_in_every_state) {
  for (unsigned way = 0; way < 2 * 5; way++) {
    static pair pairs[WS_POOL_SLOTS + 4];
    size_t count = WS_POOL_SLOTS + 4;
    start_pool();
    peer_words(&text, 300);
    for (size_t i = 0; i < count; i++) start_usual(&pairs[i]);
    for (size_t i = 0; i < count && way / 2 > 0; i++) {
      CHECK(send_text(&pairs[i]));
      CHECK(receive_text(&pairs[i], 1000));
    }
    for (size_t i = 0; i < count && way / 2 > 1; i++)
      CHECK_INT(ws_deflate_feed(pairs[i].deflate, "\xf2\x48", 2), WS_OK);
    for (size_t i = 0; i < count && way / 2 == 3; i++)
      CHECK_INT(ws_deflate_feed(pairs[i].deflate, "\0\0\0\0\0\6", 6),
                WS_EDEFLATE);
    for (size_t i = 0; i < count && way / 2 == 4; i += 2)
      CHECK_INT(ws_deflate_end(pairs[i].deflate), WS_EDEFLATE);
    if (way % 2) ws_deflate_pool_deinit(&pool);
    for (size_t i = 0; i < count; i++) pair_stop(&pairs[i]);
    stop_pool();
  }
  ws_deflate_free(NULL);
}

/* After a connection fails in the middle of a message, its inflater serves the
 * next one. */
TEST(after_a_failed_message) {
  start_pool();
  for (int i = 0; i < 3 * WS_POOL_SLOTS; i++) {
    pair bad, good;
    start_usual(&bad);
    start_usual(&good);
    peer_words(&text, 100);
    CHECK(receive_text(&bad, 9));
    CHECK_INT(ws_deflate_feed(bad.deflate, "\xff\xff\xff", 3), WS_EDEFLATE);
    pair_stop(&bad);
    CHECK(receive_text(&good, 9));
    CHECK(receive_text(&good, 9));
    pair_stop(&good);
  }
  stop_pool();
}

/* Without takeover, all connections with the same parameters share one
 * deflater. */
TEST(deflaters_that_are_shared) { /* S165, S166 */
  static pair pairs[MANY];
  size_t calls = 0;
  start_pool();
  for (unsigned i = 0; i < MANY; i++) {
    ws_deflate_agreed agreed = {.on = true,
                                .server_no_context = true,
                                .server_bits = (uint8_t)(12 + i % 3),
                                .client_bits = 15};
    pair_start(&pairs[i], &agreed, true, i % 2 ? 6 : 1);
  }
  for (size_t round = 0; round < 3; round++) {
    for (size_t i = 0; i < MANY; i++) {
      peer_words(&text, 300);
      CHECK(send_text(&pairs[i]));
    }
    size_t made = 0;
    for (size_t i = 0; i < WS_POOL_SLOTS; i++)
      made += pool.deflaters[i].deflater != NULL;
    CHECK_INT(made, 6);
    if (round == 0) calls = wire_memory.calls;
    CHECK_INT(wire_memory.calls, calls); /* no new one was made */
  }
  for (size_t i = 0; i < MANY; i++) pair_stop(&pairs[i]);
  stop_pool();
}

/* Connections that come one after the other use the same contexts. */
TEST(memory_does_not_grow_with_connections_gone) {
  size_t after_one = 0;
  start_pool();
  for (int i = 0; i < 40; i++) {
    pair it;
    ws_deflate_agreed agreed = usual;
    agreed.client_no_context = i % 4 == 1;
    pair_start(&it, &agreed, true, 6);
    peer_words(&text, 400);
    for (int k = 0; k < 3; k++) {
      CHECK(send_text(&it));
      CHECK(receive_text(&it, 1000));
    }
    pair_stop(&it);
    if (i == 0) after_one = wire_memory.held;
    CHECK_INT(wire_memory.held, after_one);
  }
  stop_pool();
}

/* However many there are, each takes at most a window and a small struct. */
TEST(memory_of_many) {
  static pair pairs[4 * WS_POOL_SLOTS];
  size_t count = sizeof pairs / sizeof *pairs;
  start_pool();
  size_t filled = 0;
  for (size_t i = 0; i < count; i++) {
    start_usual(&pairs[i]);
    peer_noise(&text, 60000);
    CHECK(send_text(&pairs[i]));
    CHECK(receive_text(&pairs[i], 100000));
    if (i + 1 == WS_POOL_SLOTS) filled = wire_memory.held;
  }
  size_t more = wire_memory.held - filled;
  CHECK(more <= (count - WS_POOL_SLOTS) * (WS_WINDOW + 1024));
  for (size_t i = 0; i < count; i++) pair_stop(&pairs[i]);
  stop_pool();
}

/* The block of a long message is freed with the next message. */
TEST(a_long_message_leaves_no_block) {
  pair it;
  start_pool();
  start_usual(&it);
  peer_noise(&text, 1000);
  CHECK(send_text(&it));
  size_t before = wire_memory.held;
  peer_noise(&text, 1 << 20);
  CHECK(send_text(&it));
  CHECK(wire_memory.held > before + (1 << 20) - 4096);
  peer_noise(&text, 1000);
  CHECK(send_text(&it));
  CHECK(wire_memory.held <= before);
  pair_stop(&it);
  stop_pool();
}

/* For messages of usual lengths (blocks up to four windows), the block stays
 * for the next one. */
TEST(messages_of_usual_lengths_share_a_block) {
  pair it;
  start_pool();
  start_usual(&it);
  peer_noise(&text, 3 * WS_WINDOW);
  CHECK(send_text(&it));
  wire_memory_reset();
  CHECK(send_text(&it));
  CHECK(send_text(&it));
  CHECK_INT(wire_memory.calls, 0);
  pair_stop(&it);
  stop_pool();
}

/* Twenty connections, with the n-th request for memory failing. The one that
 * fails is freed; the others never notice. True if one failed. */
static bool without_memory(size_t nth) {
  enum { COUNT = WS_POOL_SLOTS + 4 };
  static pair pairs[COUNT];
  bool good = true;
  size_t failures = 0;
  start_pool();
  for (size_t i = 0; i < COUNT; i++) start_usual(&pairs[i]);
  wire_memory_reset();
  wire_memory.fail_at = nth;
  for (size_t i = 0; i < 6 * COUNT; i++) {
    pair *it = &pairs[i / 3 % COUNT]; /* three times in a row */
    const ws_buffer *made;
    if (!it->deflate) continue;
    if (i == 1) peer_noise(&text, 60000);
    else peer_words(&text, 50);
    int status =
        ws_deflate_message(it->deflate, text.data, text.len, &made);
    if (status == WS_OK) good = good && peer_gets(it, made);
    else failures++; /* not sent; the next one is sent and read */
    peer_pack(&it->peer, text.data, text.len, &packed);
    int got_it = ws_deflate_feed(it->deflate, packed.data, packed.len);
    if (got_it == WS_OK) got_it = ws_deflate_end(it->deflate);
    good = good && (status == WS_OK || status == WS_ENOMEM);
    good = good && (got_it == WS_OK || got_it == WS_ENOMEM);
    if (got_it == WS_OK) {
      good = good && got(it);
    } else {
      failures++;
      pair_stop(it);
    }
  }
  bool failed = wire_memory.fail_at == 0;
  wire_memory.fail_at = 0;
  CHECK(good);
  CHECK_INT(failures, failed);
  for (size_t i = 0; i < COUNT; i++)
    if (pairs[i].deflate) pair_stop(&pairs[i]);
  stop_pool();
  return failed;
}

TEST(without_memory_anywhere) {
  size_t nth = 1;
  while (without_memory(nth)) nth++;
  CHECK(nth > 100);
  start_pool();
  ws_deflate_options options = {.enabled = true, .level = 6};
  wire_memory_reset();
  wire_memory.fail_at = 1;
  CHECK(ws_deflate_new(&pool, &options, &usual, true, PLENTY) == NULL);
  wire_memory_reset();
  stop_pool();
}

/* The n-th request for memory fails for a connection that, as all inflaters are
 * in use, needs one of its own for each message. */
static int one_more_without_memory(size_t nth) {
  pair it;
  start_usual(&it);
  peer_words(&text, 400);
  CHECK(receive_text(&it, 1000));
  peer_pack(&it.peer, text.data, text.len, &packed);
  wire_memory_reset();
  wire_memory.fail_at = nth;
  int status = ws_deflate_feed(it.deflate, packed.data, packed.len);
  if (status == WS_OK) status = ws_deflate_end(it.deflate);
  bool failed = wire_memory.fail_at == 0;
  wire_memory_reset();
  CHECK_INT(status, failed ? WS_ENOMEM : WS_OK);
  if (status == WS_OK) CHECK(got(&it));
  pair_stop(&it);
  return status;
}

TEST(without_memory_for_one_more) {
  static pair pairs[WS_POOL_SLOTS];
  size_t nth = 1;
  start_pool();
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    start_usual(&pairs[i]);
    CHECK_INT(ws_deflate_feed(pairs[i].deflate, "\xf2\x48", 2), WS_OK);
  }
  while (one_more_without_memory(nth) != WS_OK) nth++;
  CHECK(nth > 4);
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) pair_stop(&pairs[i]);
  stop_pool();
}

int main(void) {
  RUN(takeover_both_ways);
  RUN(no_takeover);
  RUN(small_windows);
  RUN(inflaters_are_kept_and_taken);
  RUN(the_window_agreed_on_is_kept_and_no_more);
  RUN(a_mixture);
  RUN(histories_are_kept_and_forgotten);
  RUN(deflaters_of_another_kind);
  RUN(a_message_for_everyone);
  RUN(alone_means_alone);
  RUN(forget);
  RUN(forget_without_a_history);
  RUN(twenty_in_the_middle_of_a_message);
  RUN(twenty_without_takeover);
  RUN(the_stuck_do_not_stop_the_others);
  RUN(which_messages_are_compressed);
  RUN(eight_bits_are_for_the_others);
  RUN(empty_messages);
  RUN(limits_are_those_of_the_connection);
  RUN(free_in_every_state);
  RUN(after_a_failed_message);
  RUN(deflaters_that_are_shared);
  RUN(memory_does_not_grow_with_connections_gone);
  RUN(memory_of_many);
  RUN(a_long_message_leaves_no_block);
  RUN(messages_of_usual_lengths_share_a_block);
  RUN(without_memory_anywhere);
  RUN(without_memory_for_one_more);
  wire_free(&text);
  wire_free(&packed);
  wire_free(&back);
  return check_done();
}
