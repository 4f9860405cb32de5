-- SPDX-License-Identifier: MIT
-- The server of a small game: players tell it where they are, and 20 times a second
-- it tells all of them where everybody is.   lua server.lua [PORT] [once]
-- A player sends "X Y". It gets "you ID WIDTH HEIGHT" once, then "at TIME" with
-- a line "ID X Y" for each player whose place is known; TIME is in milliseconds.

local ws = require "ws"

local port, once = tonumber(arg[1]) or 8080, arg[2] == "once"
local width, height, step = 800, 600, 50 -- step: milliseconds, 20 Hz
local last_id = 0

local server
server = assert(ws.serve {
  port = port,
  maxPayload = 64,
  maxBackpressure = 65536, -- who is that far behind plays no more
  open = function(sock)
    last_id = last_id + 1
    sock.data = { id = last_id }
    sock:send(("you %d %d %d"):format(last_id, width, height))
    sock:subscribe "positions"
  end,
  message = function(sock, data)
    local x, y = data:match "^(%d+%.?%d*) (%d+%.?%d*)$"
    if not x then return sock:close(4000, "expected: X Y") end
    sock.data.x = math.min(tonumber(x), width)
    sock.data.y = math.min(tonumber(y), height)
  end,
  close = function()
    if once and not server:clients()() then ws.stop() end
  end,
})

ws.setInterval(function()
  local lines = { ("at %.1f"):format(ws.now()) }
  for sock in server:clients() do
    local player = sock.data
    if player.x then
      lines[#lines + 1] = ("%d %.1f %.1f"):format(player.id, player.x, player.y)
    end
  end
  server:publish("positions", table.concat(lines, "\n"))
end, step)

io.stdout:setvbuf "line"
print(("game on ws://127.0.0.1:%d/"):format(server.port))
ws.run()
