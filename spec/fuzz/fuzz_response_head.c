/* SPDX-License-Identifier: MIT */
/* Response heads: the same as for request heads, the client's judgement of a
 * 101, and where a redirect leads. */
#include "heads.h"
#include "protocol/deflate_offer.h"
#include "protocol/handshake.h"
#include "protocol/redirect.h"

/* The accept value for the example key of RFC 6455 section 1.3. */
static const char accept_value[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static ws_buffer text;

static void check_again(const ws_http_head *head) {
  static ws_http_head again;
  char line[32];
  int len = snprintf(line, sizeof line, "HTTP/%u.%u %u ", head->major,
                     head->minor, head->status);
  ws_buffer_consume(&text, text.len);
  heads_add(&text, (ws_slice){line, (size_t)len});
  heads_add(&text, head->reason);
  heads_add(&text, (ws_slice){"\r\n", 2});
  heads_write_lines(&text, head);
  PROMISE(ws_http_parse_response(&again, (char *)text.data, text.len) ==
          WS_OK);
  PROMISE(again.status == head->status);
  PROMISE(ws_slice_equal(again.reason, head->reason));
  heads_same_lines(&again, head);
}

static void check_judged(const ws_http_head *head, const char *bytes,
                         size_t len, bool offered) {
  static const ws_slice protocols[] = {{"chat", 4}, {"v2", 2}};
  const ws_deflate_options options = {.enabled = true, .level = 6};
  ws_handshake_answer answer;
  ws_deflate_agreed agreed;
  const char *why = NULL;
  int status = ws_handshake_judge_response(head, accept_value, protocols, 2,
                                           offered, &answer, &why);
  PROMISE((status == WS_OK) == (why == NULL));
  if (status != WS_OK) return;
  PROMISE(ws_http_has_token(head, "Upgrade", "websocket"));
  PROMISE(fuzz_inside(answer.extensions, bytes, len));
  if (answer.protocol.len > 0)
    PROMISE(ws_slice_equal(answer.protocol, protocols[0]) ||
            ws_slice_equal(answer.protocol, protocols[1]));
  if (!offered) PROMISE(answer.extensions.len == 0);
  if (ws_deflate_judge(&options, answer.extensions, &agreed) || !agreed.on)
    return;
  PROMISE(agreed.server_bits >= 8 && agreed.server_bits <= 15);
  PROMISE(agreed.client_bits >= 8 && agreed.client_bits <= 15);
}

static void check_redirect(const ws_http_head *head) {
  static ws_url base;
  const char *why = NULL;
  if (!base.text.len)
    PROMISE(ws_url_parse(&base, ws_slice_of("wss://a.test:81/b/c?d"),
                         fuzz_resize, &why) == WS_OK);
  ws_url url, again;
  if (ws_redirect_url(head, &base, fuzz_resize, &url, &why) != WS_OK) {
    PROMISE(why != NULL);
    return;
  }
  PROMISE(ws_redirect_same_origin(&url, &url));
  PROMISE(ws_url_parse(&again, fuzz_text(&url.text), fuzz_resize, &why) ==
          WS_OK);
  PROMISE(ws_redirect_same_origin(&url, &again));
  ws_url_deinit(&again);
  ws_url_deinit(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static ws_http_head head;
  fuzz_input in = {data, len};
  if (!text.resize) ws_buffer_init(&text, fuzz_resize, 0);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  const char *bytes = (char *)fuzz_piece(in.data, in.len);
  size_t end = heads_find_end(bytes, in.len, &cuts);
  int status = ws_http_parse_response(&head, bytes, end ? end : in.len);
  PROMISE(status == WS_OK || status == WS_EHTTP || status == WS_EHEADTOOBIG);
  if (status != WS_OK) return 0;
  PROMISE(end > 0 && head.status >= 100 && head.status <= 999);
  PROMISE(fuzz_inside(head.reason, bytes, end));
  heads_check_lines(&head, bytes, end);
  heads_check_body(&head, true);
  if (head.status == 101) check_judged(&head, bytes, end, true);
  if (head.status == 101) check_judged(&head, bytes, end, false);
  if (ws_redirect_is(&head)) check_redirect(&head);
  check_again(&head);
  return 0;
}
