-- SPDX-License-Identifier: MIT
-- Bytes that OpenSSL already holds are not announced by the descriptor: we must ask
-- for them after the handshake and after a pause.

local helper = require "spec.helper"
local peer = require "spec.peers.peer"
local ws = require "ws"

it("bytes that TLS holds back are read in time", function()
  local result = os.tmpname()
  os.remove(result)
  local server = assert(ws.serve {
    port = 0, tls = { cert = peer.certs .. "server.pem", key = peer.certs .. "leaf.key" },
    message = function(sock)
      sock:send "echo"
      sock:pause()
      ws.setTimeout(function() sock:resume() end, 20)
    end,
  })
  local process = peer.start("held_bytes",
    ("/usr/bin/python3 -B spec/peers/held_bytes.py %d %s"):format(server.port, result))
  local file
  helper.wait_until(function()
    file = io.open(result)
    return file
  end, 60000, "the peer's result")
  local opened, told = file:read "*a":match "(%d+) (%d+)"
  file:close()
  os.remove(result)
  process.stop()
  server:close()
  assert.equal("60", opened)
  assert.equal("5", told)
end)
