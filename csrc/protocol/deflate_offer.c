/* SPDX-License-Identifier: MIT */
/* The negotiation of permessage-deflate (RFC 7692 sections 5 and 7.1). */
#include "protocol/deflate_offer.h"

#include "protocol/extension.h"

#include <string.h>

#define NAME "permessage-deflate"
#define SERVER_NO_CONTEXT "server_no_context_takeover"
#define CLIENT_NO_CONTEXT "client_no_context_takeover"
#define SERVER_BITS "server_max_window_bits"
#define CLIENT_BITS "client_max_window_bits"

/* ------------------------------------------------------------ writing */

typedef struct text {
  char *data; /* WS_DEFLATE_TEXT bytes, enough for every parameter once */
  size_t len;
} text;

static void add(text *into, const char *words) {
  size_t len = strlen(words);
  memcpy(into->data + into->len, words, len);
  into->len += len;
}

static void add_flag(text *into, const char *name) {
  add(into, "; ");
  add(into, name);
}

static void add_bits(text *into, const char *name, unsigned bits) {
  const char digit[] = {(char)('0' + bits % 10), '\0'};
  add_flag(into, name);
  add(into, bits < 10 ? "=" : "=1");
  add(into, digit);
}

/* ------------------------------------------------------------ reading */

/* One element of the header: what its parameters say. */
typedef struct element {
  bool server_no_context;
  bool client_no_context;
  bool has_client_bits;
  uint8_t server_bits; /* 0: not there */
  uint8_t client_bits; /* 0: not there, or there without a value */
} element;

static bool take_flag(const ws_extension_param *param, bool *flag) {
  if (param->has_value || *flag) return false;
  *flag = true;
  return true;
}

/* 7.1.2: 8 to 15, decimal, no leading zeros. */
static bool take_bits(const ws_extension_param *param, uint8_t *bits) {
  int number = ws_extension_number(param); /* -1 when there is none */
  if (number < 8 || number > 15) return false;
  *bits = (uint8_t)number;
  return true;
}

/* Case counts, as in browsers. */
static bool is(ws_slice name, const char *word) {
  return ws_slice_equal(name, ws_slice_of(word));
}

static bool take_param(const ws_extension_param *param, element *found) {
  ws_slice name = param->name;
  if (is(name, SERVER_NO_CONTEXT))
    return take_flag(param, &found->server_no_context);
  if (is(name, CLIENT_NO_CONTEXT))
    return take_flag(param, &found->client_no_context);
  if (is(name, SERVER_BITS))
    return found->server_bits == 0 && take_bits(param, &found->server_bits);
  if (!is(name, CLIENT_BITS)) return false;
  if (found->has_client_bits) return false;
  found->has_client_bits = true;
  return !param->has_value || take_bits(param, &found->client_bits);
}

/* Reads all parameters of the element; false if one is unknown, repeated or has
 * a bad value. */
static bool read_element(ws_extension_reader *reader, element *found) {
  ws_extension_param param;
  bool good = true;
  int more;
  *found = (element){0};
  while ((more = ws_extension_next_param(reader, &param)) > 0)
    good = take_param(&param, found) && good;
  return good && more == 0;
}

static uint8_t least(unsigned a, unsigned b) {
  return (uint8_t)(a < b ? a : b);
}

static uint8_t wished(uint8_t bits) { return bits == 0 ? 15 : bits; }

/* ------------------------------------------------------------- client */

size_t ws_deflate_offer(const ws_deflate_options *options,
                        char into[WS_DEFLATE_TEXT]) {
  text offer = {into, 0};
  add(&offer, NAME);
  if (options->server_no_context) add_flag(&offer, SERVER_NO_CONTEXT);
  if (options->client_no_context) add_flag(&offer, CLIENT_NO_CONTEXT);
  if (options->server_bits)
    add_bits(&offer, SERVER_BITS, options->server_bits);
  if (options->client_bits)
    add_bits(&offer, CLIENT_BITS, options->client_bits);
  else
    add_flag(&offer, CLIENT_BITS);
  return offer.len;
}

static const char not_offered[] =
    "the server chose an extension that was not offered";

/* 7.1.1 and 7.1.2: an answer may add parameters, but not leave out those that
 * were asked for. */
static const char *judge_element(const ws_deflate_options *options,
                                 const element *found) {
  if (found->has_client_bits && found->client_bits == 0)
    return "the server chose client_max_window_bits without a value";
  if (options->server_no_context && !found->server_no_context)
    return "the server did not agree to server_no_context_takeover";
  if (options->server_bits &&
      (found->server_bits == 0 || found->server_bits > options->server_bits))
    return "the server did not agree to server_max_window_bits";
  return NULL;
}

const char *ws_deflate_judge(const ws_deflate_options *options,
                             ws_slice answer, ws_deflate_agreed *agreed) {
  ws_extension_reader reader;
  ws_slice name;
  element found;
  *agreed = (ws_deflate_agreed){0};
  if (answer.len == 0) return NULL;
  ws_extension_start(&reader, answer, false);
  if (ws_extension_next(&reader, &name) <= 0 || !options->enabled ||
      !is(name, NAME))
    return not_offered;
  if (!read_element(&reader, &found))
    return "the server chose permessage-deflate with a bad parameter";
  const char *why = judge_element(options, &found);
  if (why) return why;
  /* handshake_client.c has refused repetitions: this is another extension. */
  if (ws_extension_next(&reader, &name) != 0) return not_offered;
  agreed->on = true;
  agreed->server_no_context = found.server_no_context;
  agreed->client_no_context =
      found.client_no_context || options->client_no_context;
  agreed->server_bits = wished(found.server_bits);
  /* An answer above what was offered is tolerated; our window stays smaller. */
  agreed->client_bits =
      least(wished(found.client_bits), wished(options->client_bits));
  return NULL;
}

/* ------------------------------------------------------------- server */

static size_t answer_offer(const ws_deflate_options *options,
                           const element *offer, ws_deflate_agreed *agreed,
                           char into[WS_DEFLATE_TEXT]) {
  text answer = {into, 0};
  agreed->on = true;
  agreed->server_no_context =
      offer->server_no_context || options->server_no_context;
  agreed->client_no_context =
      offer->client_no_context || options->client_no_context;
  agreed->server_bits =
      least(wished(offer->server_bits), wished(options->server_bits));
  agreed->client_bits = 15;
  /* 7.1.2.2: only what was offered may be answered. */
  if (offer->has_client_bits)
    agreed->client_bits =
        least(wished(offer->client_bits), wished(options->client_bits));
  add(&answer, NAME);
  if (agreed->server_no_context) add_flag(&answer, SERVER_NO_CONTEXT);
  if (agreed->client_no_context) add_flag(&answer, CLIENT_NO_CONTEXT);
  if (offer->server_bits || agreed->server_bits < 15)
    add_bits(&answer, SERVER_BITS, agreed->server_bits);
  if (agreed->client_bits < 15)
    add_bits(&answer, CLIENT_BITS, agreed->client_bits);
  return answer.len;
}

static size_t choose_in(const ws_deflate_options *options, ws_slice value,
                        ws_deflate_agreed *agreed,
                        char into[WS_DEFLATE_TEXT]) {
  ws_extension_reader reader;
  ws_slice name;
  element offer;
  ws_extension_start(&reader, value, true);
  while (ws_extension_next(&reader, &name) > 0) {
    if (!is(name, NAME)) continue;
    if (read_element(&reader, &offer))
      return answer_offer(options, &offer, agreed, into);
  }
  return 0;
}

size_t ws_deflate_choose(const ws_deflate_options *options,
                         const ws_http_head *head, ws_deflate_agreed *agreed,
                         char into[WS_DEFLATE_TEXT]) {
  ws_slice name = ws_slice_of("sec-websocket-extensions");
  *agreed = (ws_deflate_agreed){0};
  if (!options->enabled) return 0;
  for (size_t i = 0; i < head->header_count; i++) {
    if (!ws_slice_equal_nocase(head->headers[i].name, name)) continue;
    size_t len = choose_in(options, head->headers[i].value, agreed, into);
    if (len > 0) return len;
  }
  return 0;
}
