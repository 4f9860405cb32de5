-- SPDX-License-Identifier: MIT
-- Runs in the host: an echo over ws and, unless the host's switches left them
-- out, over wss and with compression.

local ws = require "ws"

local switches = ...
local has_tls = not switches:find("WS_NO_TLS", 1, true)
local has_deflate = not switches:find("WS_NO_DEFLATE", 1, true)
local text = ("to be compressed "):rep(500)

local function echo(message, data) message:send(data) end

local function try(scheme, server_tls, client_tls)
  local server = assert(ws.serve { port = 0, compression = true, tls = server_tls, message = echo })
  local sock = assert(ws.connect(("%s://127.0.0.1:%d"):format(scheme, server.port), nil,
    { tls = client_tls, proxy = false }))
  assert((sock.extensions ~= "") == has_deflate, "extensions: " .. sock.extensions)
  sock:send(text)
  assert(sock:receive(5000) == text, "no echo over " .. scheme)
  sock:close()
  server:close()
  ws.run()
end

-- A client that offers compression gets it exactly when it is built in.
local side = ws.protocol.server { compression = true }
side:feed(table.concat({ "GET / HTTP/1.1", "Host: localhost", "Upgrade: websocket",
  "Connection: Upgrade", "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Extensions: permessage-deflate", "\r\n" }, "\r\n"))
for _ in side:events() do end
local answer = side:output()
assert(answer:find("^HTTP/1.1 101 "), answer)
assert((answer:find("permessage-deflate", 1, true) ~= nil) == has_deflate, answer)

try("ws")
if has_tls then
  try("wss", { cert = "build/certs/server.pem", key = "build/certs/leaf.key" },
    { ca = "build/certs/root.pem" })
else
  local ok, server, why = pcall(ws.serve, { port = 0, message = echo,
    tls = { cert = "build/certs/server.pem", key = "build/certs/leaf.key" } })
  why = ok and why or server
  assert(tostring(why):find("left out", 1, true), "TLS was to be left out: " .. tostring(why))
end
