/* SPDX-License-Identifier: MIT */
/* For the TLS tests: the certificates of spec/certs.sh, and a pair of streams
 * that are joined in memory, by pipes whose room and bite can be small. */
#pragma once
#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "transport/stream_tls.h"

#include <stdlib.h>

/* ---- certificates ---- */

static char certs_folder[256];
static bool certs_made;

/* WS_CERTS names a folder that exists. Otherwise one is made, which takes a
 * second or two, and certs_end removes it. Run from the top of the tree. */
static inline void certs_begin(void) {
  const char *given = getenv("WS_CERTS");
  char command[600];
  if (given) {
    snprintf(certs_folder, sizeof certs_folder, "%s", given);
    return;
  }
  snprintf(certs_folder, sizeof certs_folder, "/tmp/ws-certs-XXXXXX");
  if (!mkdtemp(certs_folder)) exit(2);
  certs_made = true;
  snprintf(command, sizeof command, "sh spec/certs.sh %s", certs_folder);
  if (system(command) != 0) exit(2);
}

static inline void certs_end(void) {
  char command[600];
  if (!certs_made) return;
  snprintf(command, sizeof command, "rm -r %s", certs_folder);
  if (system(command) != 0) exit(2);
}

/* The path of a file there, valid for a few calls; NULL gives no path. */
static inline ws_slice cert_path(const char *file) {
  static char paths[8][320];
  static unsigned next;
  if (!file) return (ws_slice){0};
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", certs_folder, file);
  return (ws_slice){path, strlen(path)};
}

/* A file's text, for options that take PEM instead of a path. To be freed. */
static inline char *cert_text(const char *file) {
  char *text = calloc(1, 65536);
  FILE *in = fopen(cert_path(file).data, "r");
  if (!text || !in) exit(2);
  if (fread(text, 1, 65535, in) == 0) exit(2);
  fclose(in);
  return text;
}

/* ---- contexts ---- */

static char tls_why[320];

static inline ws_tls *tls_make(const ws_tls_options *options) {
  ws_tls *tls = NULL;
  int status = ws_tls_new(options, &tls, tls_why, sizeof tls_why);
  if (status != WS_OK) fprintf(stderr, "ws_tls_new: %s\n", tls_why);
  return status == WS_OK ? tls : NULL;
}

/* A server with that certificate; by default, with the key that most have. */
static inline ws_tls *tls_server(const char *cert, const char *key) {
  ws_tls_options options = {.server = true,
                            .cert = cert_path(cert),
                            .key = cert_path(key ? key : "leaf.key")};
  return tls_make(&options);
}

static inline ws_tls *tls_client(const char *ca) {
  ws_tls_options options = {.ca = cert_path(ca)};
  return tls_make(&options);
}

/* ---- a pair in memory ---- */

#define PIPE_ROOM 65536

/* The block is twice the room, so that bytes are seldom moved to its front and
 * many small reads cost only as much as their bytes. */
typedef struct memory_pipe {
  uint8_t block[2 * PIPE_ROOM];
  size_t at; /* where its bytes begin */
  size_t len;
  size_t room;   /* most bytes that it holds */
  size_t bite;   /* most bytes that one read or write moves */
  size_t reads;  /* how many calls moved something */
  size_t writes;
  size_t total;  /* bytes ever written */
  bool ended;
} memory_pipe;

typedef struct memory_end {
  ws_stream stream;
  memory_pipe *in, *out;
} memory_end;

/* The bytes it holds; from there on, PIPE_ROOM bytes may be used. */
static inline uint8_t *pipe_data(memory_pipe *pipe) {
  return pipe->block + pipe->at;
}

/* Makes it empty; its block is not cleared. */
static inline void pipe_begin(memory_pipe *pipe, size_t room, size_t bite) {
  pipe->at = pipe->len = pipe->reads = pipe->writes = pipe->total = 0;
  pipe->room = room;
  pipe->bite = bite;
  pipe->ended = false;
}

static inline void pipe_consume(memory_pipe *pipe, size_t len) {
  pipe->at += len;
  pipe->len -= len;
  if (pipe->at < PIPE_ROOM) return;
  memmove(pipe->block, pipe_data(pipe), pipe->len);
  pipe->at = 0;
}

static inline int memory_ok(ws_stream *stream) { return stream ? WS_OK : -1; }

static inline ptrdiff_t memory_read(ws_stream *stream, uint8_t *data,
                                    size_t len) {
  memory_pipe *in = ((memory_end *)stream)->in;
  if (in->len == 0) return in->ended ? WS_EOF : WS_EAGAIN;
  if (len > in->len) len = in->len;
  if (len > in->bite) len = in->bite;
  memcpy(data, pipe_data(in), len);
  pipe_consume(in, len);
  in->reads++;
  return (ptrdiff_t)len;
}

static inline ptrdiff_t memory_write(ws_stream *stream,
                                     const ws_slice *slices, size_t count) {
  memory_pipe *out = ((memory_end *)stream)->out;
  size_t len = count > 0 ? slices[0].len : 0;
  if (out->ended) return WS_EPIPE;
  if (len > out->bite) len = out->bite;
  if (len > out->room - out->len) len = out->room - out->len;
  if (len == 0) return WS_EAGAIN;
  memcpy(pipe_data(out) + out->len, slices[0].data, len);
  out->len += len;
  out->total += len;
  out->writes++;
  return (ptrdiff_t)len;
}

static inline int memory_close(ws_stream *stream) {
  ((memory_end *)stream)->out->ended = true;
  return WS_OK;
}

static inline unsigned memory_wants(ws_stream *stream) {
  (void)stream;
  return 0;
}

static inline ws_fd memory_fd(ws_stream *stream) {
  (void)stream;
  return WS_FD_NONE;
}

static inline const char *memory_why(ws_stream *stream) {
  (void)stream;
  return NULL;
}

static inline void memory_free(ws_stream *stream) {
  ((memory_end *)stream)->out->ended = true;
  free(stream);
}

static const ws_stream_kind memory_kind = {
    memory_ok,    memory_read, memory_write, memory_ok,   memory_close,
    memory_wants, memory_fd,   memory_why,   memory_free, NULL,
};

static inline ws_stream *memory_end_new(memory_pipe *in, memory_pipe *out) {
  memory_end *end = calloc(1, sizeof *end);
  if (!end) exit(2);
  end->stream.kind = &memory_kind;
  end->in = in;
  end->out = out;
  return &end->stream;
}

/* ---- two TLS streams over it ---- */

typedef struct tls_pair {
  memory_pipe to_server, to_client;
  ws_stream *client, *server;
  int client_status, server_status;
} tls_pair;

static inline void pair_pipes(tls_pair *pair, size_t room, size_t bite) {
  pipe_begin(&pair->to_server, room, bite);
  pipe_begin(&pair->to_client, room, bite);
}

/* The caller keeps both contexts. For slow pipes use a bite of 1, say. */
static inline void pair_begin(tls_pair *pair, ws_tls *client, ws_tls *server,
                              const char *host, size_t room, size_t bite) {
  pair_pipes(pair, room, bite);
  ws_stream *below = memory_end_new(&pair->to_client, &pair->to_server);
  ws_slice none = {0};
  if (ws_stream_tls_new(below, client, ws_slice_of(host), none,
                        &pair->client) != WS_OK)
    exit(2);
  below = memory_end_new(&pair->to_server, &pair->to_client);
  if (ws_stream_tls_new(below, server, none, none, &pair->server) != WS_OK)
    exit(2);
}

static inline bool is_over(int status) { return status != WS_EAGAIN; }

static inline size_t pair_moves(const tls_pair *pair) {
  return pair->to_server.reads + pair->to_server.writes +
         pair->to_client.reads + pair->to_client.writes;
}

/* Runs both sides' handshakes until they are done or nothing moves any more. */
static inline void pair_shake(tls_pair *pair) {
  size_t moves;
  pair->client_status = pair->server_status = WS_EAGAIN;
  do {
    moves = pair_moves(pair);
    if (!is_over(pair->client_status))
      pair->client_status = ws_stream_open(pair->client);
    (void)ws_stream_flush(pair->client);
    if (!is_over(pair->server_status))
      pair->server_status = ws_stream_open(pair->server);
    (void)ws_stream_flush(pair->server);
  } while (moves != pair_moves(pair));
}

static inline void pair_end(tls_pair *pair) {
  ws_stream_free(pair->client);
  ws_stream_free(pair->server);
}

/* Writes a string once; returns how much was taken. */
static inline ptrdiff_t put(ws_stream *stream, const char *text) {
  ws_slice slice = ws_slice_of(text);
  return ws_stream_write(stream, &slice, 1);
}

/* ---- the certificate matrix: which server is accepted for which host ---- */

typedef struct cert_row {
  const char *number; /* the row's, as in "matrix 58" */
  const char *cert;   /* the server's */
  const char *key;    /* NULL: leaf.key */
  const char *host;   /* which the client wants */
  const char *refusal; /* part of why, or NULL: it must be accepted */
} cert_row;

static inline bool row_holds(const cert_row *row, const tls_pair *pair,
                             bool verify) {
  ws_tls_info info = {0};
  const char *why = ws_stream_why(pair->client);
  bool open = ws_stream_tls_info(pair->client, &info);
  bool good;
  if (row->refusal && verify)
    good = pair->client_status == WS_ETLS && !open && why &&
           strstr(why, row->refusal) && strstr(why, "(host ");
  else
    good = pair->client_status == WS_OK && open && info.verified == verify;
  if (!good)
    fprintf(stderr, "row %s (%s asked as %s): status %d, why: %s\n",
            row->number, row->cert, row->host, pair->client_status,
            why ? why : "(none)");
  return good;
}

/* A handshake of `client` with a server that has the row's certificate. */
static inline bool row_try(const cert_row *row, ws_tls *client, bool verify) {
  static tls_pair pair;
  ws_tls *server = tls_server(row->cert, row->key);
  if (!server) return false;
  pair_begin(&pair, client, server, row->host, PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  bool good = row_holds(row, &pair, verify);
  pair_end(&pair);
  ws_tls_unref(server);
  return good;
}
