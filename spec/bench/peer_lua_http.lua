-- SPDX-License-Identifier: MIT
-- lua-http in the bench: prints its port and serves an echo.

local server = require "http.server"
local websocket = require "http.websocket"

local function serve(_, stream)
  local socket = websocket.new_from_stream(stream, stream:get_headers())
  if not socket or not socket:accept() then return end
  for data, opcode in socket:each() do
    if not socket:send(data, opcode) then return end
  end
end

local listening = assert(server.listen {
  host = "127.0.0.1", port = 0, tls = false, onstream = serve, onerror = function() end,
})
assert(listening:listen())
local _, _, port = listening:localname()
print(port)
io.stdout:flush()
assert(listening:loop())
