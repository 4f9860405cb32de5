/* SPDX-License-Identifier: MIT */
/* Replaces deflate.c where zlib is left out of the build: no object can be
 * made, so the other functions are never called with one. */
#include "protocol/deflate.h"

#include "bytes/status.h"

const bool ws_deflate_built_in = false;

ws_deflater *ws_deflater_new(ws_resize *resize, unsigned bits, int level) {
  (void)resize;
  (void)bits;
  (void)level;
  return NULL;
}

void ws_deflater_free(ws_deflater *deflater) { (void)deflater; }

void ws_deflater_reset(ws_deflater *deflater) { (void)deflater; }

int ws_deflater_message(ws_deflater *deflater, const void *data, size_t len,
                        ws_buffer *out) {
  (void)deflater;
  (void)data;
  (void)len;
  (void)out;
  return WS_EUNSUPPORTED;
}

ws_inflater *ws_inflater_new(ws_resize *resize) {
  (void)resize;
  return NULL;
}

void ws_inflater_free(ws_inflater *inflater) { (void)inflater; }

void ws_inflater_reset(ws_inflater *inflater) { (void)inflater; }

int ws_inflater_feed(ws_inflater *inflater, const void *data, size_t len,
                     ws_buffer *out, size_t most) {
  (void)inflater;
  (void)data;
  (void)len;
  (void)out;
  (void)most;
  return WS_EUNSUPPORTED;
}

int ws_inflater_end(ws_inflater *inflater, ws_buffer *out, size_t most) {
  (void)inflater;
  (void)out;
  (void)most;
  return WS_EUNSUPPORTED;
}

size_t ws_inflater_window(ws_inflater *inflater, uint8_t window[WS_WINDOW]) {
  (void)inflater;
  (void)window;
  return 0;
}

int ws_inflater_set_window(ws_inflater *inflater, const uint8_t *window,
                           size_t len) {
  (void)inflater;
  (void)window;
  (void)len;
  return WS_EUNSUPPORTED;
}
