/* SPDX-License-Identifier: MIT */
/* Sec-WebSocket-Extensions: its grammar, strict and lax; permessage-deflate
 * negotiated by either side with the input, and by both with each other. */
#include "fuzz.h"
#include "protocol/deflate_offer.h"
#include "protocol/extension.h"

static int read_param(ws_slice value, const ws_extension_param *param,
                      fuzz_log *log) {
  PROMISE(fuzz_inside(param->name, value.data, value.len));
  PROMISE(fuzz_inside(param->value, value.data, value.len));
  PROMISE(ws_slice_is_token(param->name));
  int number = ws_extension_number(param);
  PROMISE(number >= -1 && number <= 9999);
  fuzz_log_bytes(log, param->name.data, param->name.len);
  fuzz_log_bytes(log, param->value.data, param->value.len);
  fuzz_log_number(log, number);
  return number;
}

/* A log of all that is in it; `*status` is 0 when the grammar is right. */
static fuzz_log read_all(ws_slice value, bool lax, int *status) {
  ws_extension_reader reader;
  ws_extension_param param;
  ws_slice name;
  fuzz_log log = {0};
  ws_extension_start(&reader, value, lax);
  while ((*status = ws_extension_next(&reader, &name)) > 0) {
    PROMISE(ws_slice_is_token(name));
    PROMISE(fuzz_inside(name, value.data, value.len));
    fuzz_log_bytes(&log, name.data, name.len);
    int more;
    while ((more = ws_extension_next_param(&reader, &param)) > 0)
      (void)read_param(value, &param, &log);
    if (more < 0) {
      *status = more;
      break;
    }
  }
  return log;
}

/* Skipping the parameters must end as reading them does. */
static int skip_all(ws_slice value, bool lax) {
  ws_extension_reader reader;
  ws_slice name;
  int more;
  ws_extension_start(&reader, value, lax);
  while ((more = ws_extension_next(&reader, &name)) > 0) continue;
  return more;
}

static ws_deflate_options take_options(fuzz_input *in) {
  uint8_t flags = fuzz_byte(in), bits = fuzz_byte(in);
  uint8_t server = bits & 7, client = bits >> 3 & 7;
  return (ws_deflate_options){
      .enabled = true,
      .server_no_context = flags & 1,
      .client_no_context = flags & 2,
      .server_bits = (uint8_t)(flags & 4 ? 8 + server : 0),
      .client_bits = (uint8_t)(flags & 8 ? 8 + client : 0)};
}

static void check_agreed(const ws_deflate_agreed *agreed) {
  PROMISE(agreed->server_bits >= 8 && agreed->server_bits <= 15);
  PROMISE(agreed->client_bits >= 8 && agreed->client_bits <= 15);
}

static bool choose(const ws_deflate_options *options, ws_slice offer,
                   ws_deflate_agreed *agreed, char *text, size_t *len) {
  static ws_http_head head;
  head.header_count = 1;
  head.headers[0] = (ws_http_header){
      ws_slice_of("Sec-WebSocket-Extensions"), offer};
  *agreed = (ws_deflate_agreed){.on = false};
  *len = ws_deflate_choose(options, &head, agreed, text);
  PROMISE(*len <= WS_DEFLATE_TEXT && agreed->on == (*len > 0));
  if (agreed->on) check_agreed(agreed);
  return agreed->on;
}

/* Whatever the two want, the server takes the client's offer, the client takes
 * the server's answer, and both understand the same. */
static void check_two(const ws_deflate_options *client,
                      const ws_deflate_options *server) {
  char offer[WS_DEFLATE_TEXT], answer[WS_DEFLATE_TEXT];
  ws_deflate_agreed theirs, ours;
  size_t len, offered = ws_deflate_offer(client, offer);
  PROMISE(offered <= sizeof offer);
  if (!choose(server, (ws_slice){offer, offered}, &theirs, answer, &len))
    return;
  const char *why =
      ws_deflate_judge(client, (ws_slice){answer, len}, &ours);
  PROMISE(why == NULL && ours.on);
  PROMISE(ours.server_bits == theirs.server_bits);
  PROMISE(ours.client_bits == theirs.client_bits);
  PROMISE(ours.server_no_context == theirs.server_no_context);
  PROMISE(ours.client_no_context == theirs.client_no_context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  ws_deflate_options client = take_options(&in), server = take_options(&in);
  ws_slice value = {(char *)fuzz_piece(in.data, in.len), in.len};
  int strict_status, lax_status;
  fuzz_log strict = read_all(value, false, &strict_status);
  fuzz_log lax = read_all(value, true, &lax_status);
  PROMISE(skip_all(value, false) == strict_status);
  PROMISE(skip_all(value, true) == lax_status);
  if (strict_status == 0) PROMISE(lax_status == 0);
  if (strict_status == 0) PROMISE(fuzz_log_same(&strict, &lax));

  char text[WS_DEFLATE_TEXT];
  ws_deflate_agreed agreed;
  (void)choose(&server, value, &agreed, text, &len);
  if (!ws_deflate_judge(&client, value, &agreed) && agreed.on)
    check_agreed(&agreed);
  check_two(&client, &server);
  return 0;
}
