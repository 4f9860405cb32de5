/* SPDX-License-Identifier: MIT */
/* More compressed connections than the pool has slots, in any order: losing
 * a slot and getting one again later changes no message, nor does it when all
 * slots are in the middle of one. */
#include "bytes/memory.h"
#include "fuzz.h"
#include "protocol/deflate_pool.h"

enum { COUNT = 20, MOST = 2048 };

typedef struct line {
  ws_deflate *from, *to;
  ws_buffer packed; /* what has yet to arrive of a message */
  bool sending;
  uint8_t text[MOST]; /* that message */
  size_t len;
} line;

static ws_deflate_pool here, there;
static line lines[COUNT];

static void open_line(line *it, uint8_t flags) {
  const ws_deflate_options options = {.enabled = true, .level = 1};
  const ws_deflate_agreed agreed = {
      .on = true,
      .client_no_context = flags & 1,
      .client_bits = (uint8_t)(9 + (flags >> 1) % 7),
      .server_bits = 15};
  it->from = ws_deflate_new(&here, &options, &agreed, false, MOST);
  it->to = ws_deflate_new(&there, &options, &agreed, true, MOST);
  PROMISE(it->from && it->to);
  ws_buffer_init(&it->packed, ws_memory_resize, 0);
}

static void close_line(line *it) {
  ws_deflate_free(it->from);
  ws_deflate_free(it->to);
  ws_buffer_deinit(&it->packed);
  it->from = it->to = NULL;
  it->sending = false;
}

/* Repeats words, so that messages refer to earlier ones. */
static size_t write_message(uint8_t *text, uint8_t kind, size_t len) {
  static const char *const words[] = {"websocket ", "frame ", "\"id\":",
                                      "0123456789abcdef", "\0\0\0\0\0\0\0"};
  size_t used = 0;
  while (used < len) {
    const char *word = words[kind % 5];
    size_t part = kind % 5 == 4 ? 7 : strlen(word);
    if (part > len - used) part = len - used;
    memcpy(text + used, word, part);
    used += part;
    kind = (uint8_t)(kind * 5 + 1);
  }
  return used;
}

static void send(line *it, uint8_t kind, size_t len, bool alone) {
  const ws_buffer *made;
  it->len = write_message(it->text, kind, len);
  int status = alone
                   ? ws_deflate_message_alone(it->from, it->text, len, &made)
                   : ws_deflate_message(it->from, it->text, len, &made);
  PROMISE(status == WS_OK);
  if (alone) ws_deflate_forget(it->from);
  PROMISE(ws_buffer_append(&it->packed, made->data, made->len) == WS_OK);
  it->sending = true;
}

/* The next piece; other lines go on before the one after it. */
static void deliver(line *it, fuzz_cuts *cuts) {
  size_t part = fuzz_cut(cuts, it->packed.len);
  PROMISE(ws_deflate_feed(it->to, fuzz_piece(it->packed.data, part), part) ==
          WS_OK);
  ws_buffer_consume(&it->packed, part);
  if (it->packed.len > 0) return;
  PROMISE(ws_deflate_end(it->to) == WS_OK);
  PROMISE(it->to->text.len == it->len);
  PROMISE(it->len == 0 || memcmp(it->to->text.data, it->text, it->len) == 0);
  ws_buffer_deinit(&it->to->text);
  it->sending = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  /* Kept from run to run, without owners: zlib's memory is slow to set up. */
  if (!here.resize) ws_deflate_pool_init(&here, ws_memory_resize);
  if (!there.resize) ws_deflate_pool_init(&there, ws_memory_resize);
  for (int i = 0; i < 100 && in.len > 0; i++) {
    uint8_t which = fuzz_byte(&in), kind = fuzz_byte(&in);
    size_t size = (size_t)fuzz_byte(&in) * 8;
    line *it = &lines[which % COUNT];
    if (!it->from) open_line(it, kind);
    if (!it->sending) send(it, kind, size, which >= 240);
    deliver(it, &cuts);
    if (which >= 200 && which < 220) close_line(it);
  }
  for (size_t i = 0; i < COUNT; i++) {
    while (lines[i].sending) deliver(&lines[i], &cuts);
    close_line(&lines[i]);
  }
  return 0;
}
