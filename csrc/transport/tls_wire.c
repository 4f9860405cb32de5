/* SPDX-License-Identifier: MIT */
/* A BIO over a stream. Failures of the stream below are remembered here and not
 * passed through OpenSSL, which would turn them into others. */
#include "transport/tls_wire.h"

#include "bytes/memory.h"
#include "bytes/status.h"

/* What may wait to be sent is the certificates of a handshake (peers accept 100
 * KiB of them) or one record. More than this can only be answers (KeyUpdate)
 * that the peer asks for and does not read. */
#define HELD_MOST ((size_t)128 * 1024)

static void fail_write(ws_tls_wire *wire, int status) {
  wire->write_status = status;
  ws_buffer_deinit(&wire->held);
}

static void hold(ws_tls_wire *wire, const uint8_t *data, size_t len) {
  int status = ws_buffer_append(&wire->held, data, len);
  if (status != WS_OK) fail_write(wire, status);
}

/* Takes everything; what the stream below does not take is held back. After a
 * failure output is discarded, so that what has arrived can still be read. */
static int write_wire(BIO *bio, const char *data, int len) {
  ws_tls_wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (len <= 0) return 0;
  if (wire->write_status != WS_OK) return len;
  ptrdiff_t sent = 0;
  if (wire->held.len == 0) {
    ws_slice slice = {data, (size_t)len};
    sent = ws_stream_write(wire->below, &slice, 1);
    if (sent == WS_EAGAIN) sent = 0;
  }
  if (sent < 0)
    fail_write(wire, (int)sent);
  else if (sent < len)
    hold(wire, (const uint8_t *)data + sent, (size_t)(len - sent));
  return len;
}

static bool is_flooded(ws_tls_wire *wire) {
  return wire->held.len > HELD_MOST && ws_tls_wire_push(wire) == WS_EAGAIN &&
         wire->held.len > HELD_MOST;
}

static ptrdiff_t read_below(ws_tls_wire *wire, uint8_t *data, size_t most) {
  if (is_flooded(wire)) return WS_EBACKPRESSURE;
  return most > 0 ? ws_stream_read(wire->below, data, most) : WS_EAGAIN;
}

static int read_wire(BIO *bio, char *data, int len) {
  ws_tls_wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (len <= 0 || wire->read_status != WS_OK) return -1;
  size_t most = (size_t)len < wire->budget ? (size_t)len : wire->budget;
  ptrdiff_t got = read_below(wire, (uint8_t *)data, most);
  wire->drained = got < (ptrdiff_t)most;
  if (got > 0) {
    wire->budget -= (size_t)got;
    return (int)got;
  }
  if (got == WS_EAGAIN)
    BIO_set_retry_read(bio);
  else
    wire->read_status = (int)got;
  return -1;
}

static long control_wire(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *ws_tls_wire_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
  if (!method) return NULL;
  if (BIO_meth_set_write(method, write_wire) == 1 &&
      BIO_meth_set_read(method, read_wire) == 1 &&
      BIO_meth_set_ctrl(method, control_wire) == 1)
    return method;
  BIO_meth_free(method);
  return NULL;
}

void ws_tls_wire_init(ws_tls_wire *wire, ws_stream *below) {
  *wire = (ws_tls_wire){.below = below};
  ws_buffer_init(&wire->held, ws_memory_resize, 0);
}

void ws_tls_wire_deinit(ws_tls_wire *wire) { ws_buffer_deinit(&wire->held); }

BIO *ws_tls_wire_bio(ws_tls_wire *wire, const BIO_METHOD *method) {
  BIO *bio = BIO_new(method);
  if (!bio) return NULL;
  BIO_set_data(bio, wire);
  BIO_set_init(bio, 1);
  return bio;
}

void ws_tls_wire_allow(ws_tls_wire *wire, size_t budget) {
  wire->budget = budget;
}

void ws_tls_wire_allow_more(ws_tls_wire *wire, size_t content) {
  wire->budget += content;
}

int ws_tls_wire_push(ws_tls_wire *wire) {
  while (wire->held.len > 0) {
    ws_slice slice = {(const char *)wire->held.data, wire->held.len};
    ptrdiff_t sent = ws_stream_write(wire->below, &slice, 1);
    if (sent == WS_EAGAIN || sent == 0) return WS_EAGAIN;
    if (sent < 0) {
      fail_write(wire, (int)sent);
      break;
    }
    ws_buffer_consume(&wire->held, (size_t)sent);
  }
  /* An idle connection keeps no block. */
  ws_buffer_deinit(&wire->held);
  return wire->write_status;
}

bool ws_tls_wire_is_held(const ws_tls_wire *wire) {
  return wire->held.len > 0;
}
