-- SPDX-License-Identifier: MIT
-- An installed ws at work: an echo, plain and compressed, the protocol alone,
-- the optional modules that need nothing else; plain Lua and nothing of the
-- tree. rock.lua [VERSION]

local ws = require "ws"

if arg[1] then assert(ws.VERSION == arg[1], "this is version " .. ws.VERSION) end
for _, path in ipairs { package.path, package.cpath } do
  assert(not path:find(";;", 1, true) and not path:find("./?", 1, true), "the paths are: " .. path)
end

local server = assert(ws.serve {
  port = 0, compression = true,
  message = function(sock, data, opcode) sock:send(data, opcode) end,
})
local sock = assert(ws.connect("ws://127.0.0.1:" .. server.port))
assert(sock.extensions:find "permessage%-deflate")
sock:send "from the rock"
assert(sock:receive(5000) == "from the rock")
sock:close()
server:close()
ws.run()
assert(#ws.protocol.client { url = "ws://example.com/" }:output() > 0)
assert(ws.new("wss://127.0.0.1:1/").readyState == 0) -- TLS is built in
print("the rock works: ws " .. ws.VERSION)
