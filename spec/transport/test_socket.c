/* SPDX-License-Identifier: MIT */
/* What sockets promise on every system, as far as Wine shows it for Windows.
 * More about those of POSIX is in test_socket_posix.c. */
#include "transport/socket.h"

#include "bytes/status.h"
#include "check.h"
#include "loop/poller.h"
#include "transport/entropy.h"

static const ws_poller_kind *kind = &ws_poller_poll;

/* Waits up to five seconds with the poll poller; returns the events. */
static unsigned await(ws_fd fd, unsigned wants) {
  ws_poller *poller;
  ws_ready ready = {NULL, 0};
  if (kind->create(&poller) != WS_OK) return 0;
  if (kind->add(poller, fd, wants, &ready) == WS_OK)
    (void)kind->wait(poller, &ready, 1, 5000);
  kind->free(poller);
  return ready.events;
}

static ws_address listen_on(const char *text, ws_fd *listener) {
  const ws_listen_options options = {0, false};
  ws_address where;
  CHECK(ws_address_parse(&where, ws_slice_of(text), 0));
  CHECK_INT(ws_socket_listen(&where, &options, listener), WS_OK);
  CHECK(ws_socket_local(*listener, &where));
  return where;
}

TEST(a_pair_carries_bytes_both_ways) {
  ws_fd pair[2];
  char got[8];
  const ws_slice parts[2] = {{"ab", 2}, {"cd", 2}};
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  CHECK_INT(ws_socket_read(pair[0], got, sizeof got), WS_EAGAIN);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(ws_socket_write(pair[i], parts, 2), 4);
    CHECK(await(pair[1 - i], WS_READABLE) & WS_READABLE);
    ptrdiff_t len = ws_socket_read(pair[1 - i], got, sizeof got);
    CHECK_BYTES(got, (size_t)(len > 0 ? len : 0), "abcd");
  }
  ws_socket_shutdown(pair[0]);
  CHECK(await(pair[1], WS_READABLE) != 0); /* for WSAPoll it is a hang-up */
  CHECK_INT(ws_socket_read(pair[1], got, sizeof got), WS_EOF);
  ws_socket_close(pair[0]);
  ws_socket_close(pair[1]);
}

static void connect_to(const char *text, int family) {
  ws_fd listener, client, server;
  ws_address where = listen_on(text, &listener), peer, local;
  int status = ws_socket_connect(&where, &client);
  CHECK(status == WS_OK || status == WS_EAGAIN);
  CHECK(await(listener, WS_READABLE) & WS_READABLE);
  CHECK_INT(ws_socket_accept(listener, &server, &peer), WS_OK);
  CHECK(await(client, WS_WRITABLE) & WS_WRITABLE);
  CHECK_INT(ws_socket_connected(client), WS_OK);
  CHECK(ws_socket_local(client, &local));
  CHECK_INT(ws_address_family(&peer), family);
  CHECK_INT(ws_address_port(&peer), ws_address_port(&local));
  CHECK_INT(ws_socket_accept(listener, &(ws_fd){0}, &peer), WS_EAGAIN);
  ws_socket_reset_on_close(server);
  ws_socket_close(server);
  CHECK(await(client, WS_READABLE) != 0);
  ptrdiff_t end = ws_socket_read(client, &peer, 1);
  CHECK(end == WS_ECONNRESET || end == WS_EOF); /* the latter in Wine */
  ws_socket_close(client);
  ws_socket_close(listener);
}

TEST(connect_and_be_dropped_by_ipv4) { connect_to("127.0.0.1", 4); }
TEST(connect_and_be_dropped_by_ipv6) { connect_to("::1", 6); }

TEST(nobody_listens) {
  ws_fd fd;
  ws_address where = listen_on("127.0.0.1", &fd);
  ws_socket_close(fd);
  int status = ws_socket_connect(&where, &fd);
  if (status == WS_EAGAIN) {
    CHECK(await(fd, WS_WRITABLE) != 0);
    status = ws_socket_connected(fd);
    ws_socket_close(fd);
  }
  CHECK_INT(status, WS_ECONNREFUSED);
}

TEST(a_port_is_not_shared) {
  const ws_listen_options options = {0, false};
  ws_fd first, second;
  ws_address where = listen_on("127.0.0.1", &first);
  CHECK_INT(ws_socket_listen(&where, &options, &second), WS_EADDRINUSE);
  CHECK(second == WS_FD_NONE);
  ws_socket_close(first);
  CHECK_INT(ws_socket_listen(&where, &options, &first), WS_OK);
  ws_socket_close(first);
}

TEST(random_bytes_differ) {
  uint8_t a[4000] = {0}, b[4000] = {0};
  for (size_t len = 16; len <= sizeof a; len *= 5) {
    CHECK_INT(ws_entropy(a, len), WS_OK);
    CHECK_INT(ws_entropy(b, len), WS_OK);
    CHECK(memcmp(a, b, len) != 0);
  }
  ws_entropy_fail(1);
  CHECK_INT(ws_entropy(a, 4), WS_ERANDOM);
  ws_entropy_fail(0);
}

int main(void) {
  RUN(a_pair_carries_bytes_both_ways);
  RUN(connect_and_be_dropped_by_ipv4);
  RUN(connect_and_be_dropped_by_ipv6);
  RUN(nobody_listens);
  RUN(a_port_is_not_shared);
  RUN(random_bytes_differ);
  return check_done();
}
