/* SPDX-License-Identifier: MIT */
/* More compressed connections than the pool has slots, in any order: losing
 * a slot and getting one again later changes no message. */
#include "bytes/memory.h"
#include "fuzz.h"
#include "protocol/deflate_pool.h"

enum { COUNT = 20, MOST = 2048 };

typedef struct line {
  ws_deflate *from, *to;
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
}

static void close_line(line *it) {
  ws_deflate_free(it->from);
  ws_deflate_free(it->to);
  it->from = it->to = NULL;
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

/* Between two pieces of a message, other connections may want inflaters. */
static void deliver(line *it, const uint8_t *text, size_t len, bool alone,
                    fuzz_cuts *cuts) {
  const ws_buffer *made;
  int status = alone ? ws_deflate_message_alone(it->from, text, len, &made)
                     : ws_deflate_message(it->from, text, len, &made);
  PROMISE(status == WS_OK);
  if (alone) ws_deflate_forget(it->from);
  fuzz_input in = {made->data, made->len};
  while (in.len > 0) {
    ws_slice part = fuzz_run(&in, fuzz_cut(cuts, in.len));
    PROMISE(ws_deflate_feed(it->to, fuzz_piece(part.data, part.len),
                            part.len) == WS_OK);
  }
  PROMISE(ws_deflate_end(it->to) == WS_OK);
  PROMISE(it->to->text.len == len);
  PROMISE(len == 0 || memcmp(it->to->text.data, text, len) == 0);
  ws_buffer_deinit(&it->to->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static uint8_t text[MOST];
  fuzz_input in = {data, len};
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  /* Kept from run to run, without owners: zlib's memory is slow to set up. */
  if (!here.resize) ws_deflate_pool_init(&here, ws_memory_resize);
  if (!there.resize) ws_deflate_pool_init(&there, ws_memory_resize);
  for (int i = 0; i < 100 && in.len > 0; i++) {
    uint8_t which = fuzz_byte(&in), kind = fuzz_byte(&in);
    line *it = &lines[which % COUNT];
    if (!it->from) open_line(it, kind);
    size_t size = write_message(text, kind, (size_t)fuzz_byte(&in) * 8);
    deliver(it, text, size, which >= 240, &cuts);
    if (which >= 200 && which < 220) close_line(it);
  }
  for (size_t i = 0; i < COUNT; i++) close_line(&lines[i]);
  return 0;
}
