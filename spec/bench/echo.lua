-- SPDX-License-Identifier: MIT
-- Our servers in the bench: echo.lua MODE [PORT], prints its port and serves.
-- With PORT (0: any) others may share it.

local ws = require "ws"

local mode = arg[1] or "echo"
local options = {
  port = tonumber(arg[2]) or 0, reusePort = arg[2] ~= nil,
  maxPayload = 16 * 1024 * 1024, idleTimeout = 0,
}

local function echo(sock, data, opcode) sock:send(data, opcode) end

local modes = {
  echo = function() options.message = echo end,

  -- Lent instead of made a string.
  views = function() options.message, options.views = echo, true end,

  -- The browser's way: an event table a message.
  events = function()
    function options.open(sock)
      sock.onmessage = function(event) event.target:send(event.data, event.opcode) end
    end
  end,

  deflate = function()
    options.message, options.compression = echo, true
  end,

  tls = function()
    options.message = echo
    options.tls = { cert = "build/certs/server.pem", key = "build/certs/leaf.key" }
  end,
}

local server
function modes.broadcast()
  function options.open(sock) sock:subscribe "all" end
  function options.message(_, data, opcode) server:publish("all", data, opcode) end
end

modes[mode]()
server = assert(ws.serve(options))
print(server.port)
io.stdout:flush()
ws.run()
