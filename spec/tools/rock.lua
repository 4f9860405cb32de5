-- SPDX-License-Identifier: MIT
-- Uses an installed ws: a compressed echo, the protocol alone, and TLS, or, in a
-- build with `tls=none`, the error that says so. Needs only Lua and nothing of the
-- tree. rock.lua [VERSION [none]]

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
local made, sock_or_why = pcall(ws.new, "wss://127.0.0.1:1/")
if arg[2] == "none" then
  assert(not made and sock_or_why:find "TLS is left out of this build", tostring(sock_or_why))
else
  assert(made and sock_or_why.readyState == 0, tostring(sock_or_why))
end
print("the rock works: ws " .. ws.VERSION)
