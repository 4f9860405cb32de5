-- SPDX-License-Identifier: MIT
-- What each thread of spec/lua/two_states.c runs in its own Lua state: a server,
-- clients that look up names, echoes, then closing. Returns how many echoes came, and
-- how many are expected.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local CLIENTS, MESSAGES = 8, 20

local loop, errors = turning.loop()
local server = turning.server(loop)
local echoes, opened, closed = 0, 0, 0

local handlers = core.handlers {
  open = function(conn)
    opened = opened + 1
    conn:send("1", "text")
  end,
  message = function(conn, data)
    echoes = echoes + 1
    if tonumber(data) == MESSAGES then conn:rawClose(1000) return end
    conn:send(tostring(tonumber(data) + 1), "text")
  end,
  close = function() closed = closed + 1 end,
}

-- "localhost" goes through the resolver's threads.
local url = ("ws://localhost:%d/"):format(server:port())
for _ = 1, CLIENTS do
  loop:connect { url = url, handlers = handlers, family = 4 }
end
turning.wait(loop, function() return closed == CLIENTS end, "the closing of all", 60000)
server:close()
assert(opened == CLIENTS and #errors == 0)
-- Names that are still being looked up when the state is closed.
loop:connect { url = "ws://nothing.invalid/", handlers = handlers }
loop:turn(0)
return echoes, CLIENTS * MESSAGES
