-- SPDX-License-Identifier: MIT
rockspec_format = "3.0"
package = "lua-ws"
version = "scm-1"
source = { url = "git+https://example.invalid/lua-ws.git" }
description = {
  summary = "WebSocket for Lua: the browser's object and a server on one C core",
  detailed = [[
ws.new(url) gives the browser's own WebSocket object, ws.serve{...} a server;
TLS, its own event loop, coroutines, and the protocol alone for other loops.]],
  license = "MIT",
  labels = { "websocket", "network", "server", "client" },
}
dependencies = { "lua >= 5.1, < 5.5" }
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h", library = "ssl" },
  ZLIB = { header = "zlib.h", library = "z" },
}

local common = {
  "csrc/bytes/base64.c",
  "csrc/bytes/buffer.c",
  "csrc/bytes/mask.c",
  "csrc/bytes/mask_avx2.c",
  "csrc/bytes/mask_vectors.c",
  "csrc/bytes/mask_words.c",
  "csrc/bytes/memory.c",
  "csrc/bytes/sha1.c",
  "csrc/bytes/slice.c",
  "csrc/bytes/status.c",
  "csrc/bytes/utf8.c",
  "csrc/bytes/utf8_avx2.c",
  "csrc/bytes/utf8_scalar.c",
  "csrc/bytes/utf8_tables.c",
  "csrc/bytes/utf8_vectors.c",
  "csrc/connection/client.c",
  "csrc/connection/connection.c",
  "csrc/connection/connection_answer.c",
  "csrc/connection/connection_open.c",
  "csrc/connection/connection_read.c",
  "csrc/connection/connection_time.c",
  "csrc/connection/connection_together.c",
  "csrc/connection/connection_write.c",
  "csrc/connection/cork.c",
  "csrc/connection/dial.c",
  "csrc/connection/hub.c",
  "csrc/connection/outbox.c",
  "csrc/connection/permits.c",
  "csrc/connection/proxy.c",
  "csrc/connection/publication.c",
  "csrc/connection/server.c",
  "csrc/connection/topics.c",
  "csrc/loop/clock.c",
  "csrc/loop/loop.c",
  "csrc/loop/poll_posix.c",
  "csrc/loop/timers.c",
  "csrc/lua/lua_bytes.c",
  "csrc/lua/lua_client.c",
  "csrc/lua/lua_config.c",
  "csrc/lua/lua_connection.c",
  "csrc/lua/lua_connection_type.c",
  "csrc/lua/lua_core.c",
  "csrc/lua/lua_events.c",
  "csrc/lua/lua_gate.c",
  "csrc/lua/lua_handlers.c",
  "csrc/lua/lua_link.c",
  "csrc/lua/lua_loop.c",
  "csrc/lua/lua_message.c",
  "csrc/lua/lua_request.c",
  "csrc/lua/lua_send.c",
  "csrc/lua/lua_server.c",
  "csrc/lua/lua_session.c",
  "csrc/lua/lua_timer.c",
  "csrc/lua/lua_tls.c",
  "csrc/lua/lua_util.c",
  "csrc/lua/lua_view.c",
  "csrc/protocol/authority.c",
  "csrc/protocol/blocked_port.c",
  "csrc/protocol/deflate.c",
  "csrc/protocol/deflate_offer.c",
  "csrc/protocol/deflate_pool.c",
  "csrc/protocol/excerpt.c",
  "csrc/protocol/extension.c",
  "csrc/protocol/frame.c",
  "csrc/protocol/handshake.c",
  "csrc/protocol/handshake_client.c",
  "csrc/protocol/handshake_server.c",
  "csrc/protocol/http.c",
  "csrc/protocol/http_chunks.c",
  "csrc/protocol/opening.c",
  "csrc/protocol/receiver.c",
  "csrc/protocol/receiver_header.c",
  "csrc/protocol/redirect.c",
  "csrc/protocol/sender.c",
  "csrc/protocol/session.c",
  "csrc/protocol/session_answer.c",
  "csrc/protocol/tunnel.c",
  "csrc/protocol/url.c",
  "csrc/protocol/url_host.c",
  "csrc/transport/address.c",
  "csrc/transport/entropy.c",
  "csrc/transport/pin_posix.c",
  "csrc/transport/resolve.c",
  "csrc/transport/socket_posix.c",
  "csrc/transport/stream_fault.c",
  "csrc/transport/stream_tcp.c",
  "csrc/transport/stream_tls_openssl.c",
  "csrc/transport/system_error.c",
  "csrc/transport/thread_posix.c",
  "csrc/transport/tls_context.c",
  "csrc/transport/tls_error.c",
  "csrc/transport/tls_name.c",
  "csrc/transport/tls_peer.c",
  "csrc/transport/tls_pem.c",
  "csrc/transport/tls_roots_posix.c",
  "csrc/transport/tls_wire.c",
}

-- Not chosen here: "csrc/transport/stream_tls_none.c" (a build without TLS),
-- "csrc/protocol/deflate_none.c" (one without zlib) and "csrc/loop/pollers_other.c" (a system with
-- nothing but poll).
-- Windows' files are not chosen either: make windows builds them, no rock.
-- "csrc/loop/poll_win32.c", "csrc/transport/entropy_win32.c",
-- "csrc/transport/pin_win32.c", "csrc/transport/socket_win32.c",
-- "csrc/transport/system_error_win32.c", "csrc/transport/thread_win32.c",
-- "csrc/transport/tls_roots_win32.c"

local function core(pollers)
  local sources = {}
  for i = 1, #common do sources[i] = common[i] end
  for i = 1, #pollers do sources[#sources + 1] = pollers[i] end
  return {
    ["ws.core"] = {
      sources = sources,
      defines = { "_GNU_SOURCE" },
      incdirs = { "csrc", "$(OPENSSL_INCDIR)", "$(ZLIB_INCDIR)" },
      libdirs = { "$(OPENSSL_LIBDIR)", "$(ZLIB_LIBDIR)" },
      libraries = { "ssl", "crypto", "z", "pthread" },
    },
  }
end

local bsd = core { "csrc/loop/poller_kqueue.c", "csrc/loop/poller_poll.c",
  "csrc/loop/pollers_bsd.c" }

build = {
  type = "builtin",
  modules = {
    ["ws.adapter.copas"] = "lua/ws/adapter/copas.lua",
    ["ws.adapter.cqueues"] = "lua/ws/adapter/cqueues.lua",
    ["ws.adapter.driving"] = "lua/ws/adapter/driving.lua",
    ["ws.adapter.luv"] = "lua/ws/adapter/luv.lua",
    ["ws.adapter.resty"] = "lua/ws/adapter/resty.lua",
    ["ws.adapter.resty_frames"] = "lua/ws/adapter/resty_frames.lua",
    ["ws.adapter.resty_socket"] = "lua/ws/adapter/resty_socket.lua",
    ["ws.adapter.threads"] = "lua/ws/adapter/threads.lua",
    ["ws.addresses"] = "lua/ws/addresses.lua",
    ["ws.arguments"] = "lua/ws/arguments.lua",
    ["ws.client_config"] = "lua/ws/client_config.lua",
    ["ws.compression"] = "lua/ws/compression.lua",
    ["ws.coroutine"] = "lua/ws/coroutine.lua",
    ["ws.event_target"] = "lua/ws/event_target.lua",
    ["ws.events"] = "lua/ws/events.lua",
    ["ws.inbox"] = "lua/ws/inbox.lua",
    ["ws"] = "lua/ws/init.lua",
    ["ws.judge"] = "lua/ws/judge.lua",
    ["ws.loop"] = "lua/ws/loop.lua",
    ["ws.meta.objects"] = "lua/ws/meta/objects.lua",
    ["ws.meta.options"] = "lua/ws/meta/options.lua",
    ["ws.options"] = "lua/ws/options.lua",
    ["ws.protocol"] = "lua/ws/protocol.lua",
    ["ws.proxy"] = "lua/ws/proxy.lua",
    ["ws.response"] = "lua/ws/response.lua",
    ["ws.server"] = "lua/ws/server.lua",
    ["ws.telling"] = "lua/ws/telling.lua",
    ["ws.tls"] = "lua/ws/tls.lua",
    ["ws.websocket"] = "lua/ws/websocket.lua",
  },
  platforms = {
    linux = {
      modules = core { "csrc/loop/poller_epoll.c", "csrc/loop/poller_poll.c",
        "csrc/loop/pollers_linux.c" },
    },
    macosx = { modules = bsd },
    freebsd = { modules = bsd },
    openbsd = { modules = bsd },
    netbsd = { modules = bsd },
  },
}
test = { type = "command", script = "spec/tools/rock_test.lua" }
