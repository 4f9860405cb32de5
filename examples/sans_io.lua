-- SPDX-License-Identifier: MIT
-- The protocol without this library's sockets or loop: here LuaSocket moves the
-- bytes, but anything else could.   lua sans_io.lua [HOST] [PORT]
-- Start echo_server.lua first.

local socket = require "socket"
local ws = require "ws"

local host, port = arg[1] or "127.0.0.1", tonumber(arg[2]) or 8080
local tcp = assert(socket.connect(host, port))
tcp:settimeout(0) -- receive gives what is there
local client = ws.protocol.client { url = ("ws://%s:%d/"):format(host, port) }
local answer

local handle = {
  open = function() client:send "hello over LuaSocket" end,
  message = function(event)
    answer = event.data
    client:close(1000)
  end,
}

local function write_all(bytes)
  local sent = 0
  while sent < #bytes do
    socket.select(nil, { tcp })
    local last, message, partly = tcp:send(bytes, sent + 1)
    if not last and message ~= "timeout" then return end
    sent = last or partly
  end
end

-- Three steps, again and again: write what the client wants to send, read what has
-- come, and handle the events.
while client.state ~= ws.CLOSED do
  write_all(client:output())
  socket.select({ tcp }, nil)
  local bytes, message, some = tcp:receive(4096)
  client:feed(bytes or some)
  if message and message ~= "timeout" then client:finish() end
  for event in client:events() do
    print(event.type, event.data or event.code or event.message or "")
    if handle[event.type] then handle[event.type](event) end
  end
end
write_all(client:output())
tcp:close()
os.exit(answer == "hello over LuaSocket" and 0 or 1)
