-- SPDX-License-Identifier: MIT
-- The installed rock at work: an echo, plain Lua and nothing of the tree.

local ws = require "ws"

local server = assert(ws.serve {
  port = 0,
  message = function(sock, data, opcode) sock:send(data, opcode) end,
})
local sock = assert(ws.connect("ws://127.0.0.1:" .. server.port))
sock:send "from the rock"
assert(sock:receive(5000) == "from the rock")
sock:close()
server:close()
ws.run()
print("the rock works: ws " .. ws.VERSION)
