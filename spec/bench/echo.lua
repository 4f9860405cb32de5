-- SPDX-License-Identifier: MIT
-- Our servers in the bench: echo.lua MODE [PORT] prints its port and serves.
-- When PORT is given (0: any), several processes may share the port.

local ws = require "ws"

local mode = arg[1] or "echo"
local options = {
  port = tonumber(arg[2]) or 0, reusePort = arg[2] ~= nil,
  maxPayload = 16 * 1024 * 1024, idleTimeout = 0,
}

local function echo(sock, data, opcode) sock:send(data, opcode) end

local modes = {
  echo = function() options.message = echo end,

  -- Payloads are lent to the handler instead of becoming strings.
  views = function() options.message, options.views = echo, true end,

  -- As in browsers: one event table per message.
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
