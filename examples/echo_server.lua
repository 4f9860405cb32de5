-- SPDX-License-Identifier: MIT
-- Sends every message back.   lua echo_server.lua [PORT] [once]
-- With "once" it ends when its last client is gone.

local ws = require "ws"

local port, once = tonumber(arg[1]) or 8080, arg[2] == "once"
io.stdout:setvbuf "line"

local server
server = assert(ws.serve {
  host = "127.0.0.1", -- "0.0.0.0" lets others in
  port = port,

  open = function(sock, request)
    print(("%s connected to %s"):format(sock.remoteAddress, request.path))
  end,
  message = function(sock, data, opcode)
    sock:send(data, opcode)
  end,
  close = function(_, code, reason)
    print(("closed: %d %s"):format(code, reason))
    local another = server:clients()
    if once and not another() then server:close() end
  end,
})

print(("listening on ws://%s:%d/"):format(server.host, server.port))
ws.run()
