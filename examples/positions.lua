-- SPDX-License-Identifier: MIT
-- A game's positions, 20 times a second: players send where they steer, the
-- server moves them all and tells everyone in one message.
--   lua positions.lua [PORT] [SECONDS]

local ws = require "ws"

local port, seconds = tonumber(arg[1]) or 8080, tonumber(arg[2])
local step = 50 -- milliseconds: 20 Hz
local last_id = 0

local server = assert(ws.serve {
  port = port,
  open = function(sock)
    last_id = last_id + 1
    sock.data = { id = last_id, x = 0, y = 0, dx = 0, dy = 0 }
    sock:subscribe "positions"
  end,
  message = function(sock, data) -- "DX DY", units a second
    local dx, dy = data:match "^(%-?%d+) (%-?%d+)$"
    if not dx then return sock:close(4000, "expected: DX DY") end
    sock.data.dx, sock.data.dy = tonumber(dx), tonumber(dy)
  end,
})
print(("positions on ws://127.0.0.1:%d/"):format(server.port))

local ticker = ws.setInterval(function()
  local lines = {}
  for sock in server:clients() do
    local player = sock.data
    player.x = player.x + player.dx * step / 1000
    player.y = player.y + player.dy * step / 1000
    lines[#lines + 1] = ("%d %.2f %.2f"):format(player.id, player.x, player.y)
  end
  server:publish("positions", table.concat(lines, "\n"))
end, step)

-- Two players in the same process; the first shows what it sees.
local seen = 0
local function play(steer, show)
  local sock = ws.new(("ws://127.0.0.1:%d/"):format(server.port))
  function sock.onopen() sock:send(steer) end
  function sock.onmessage(event)
    seen = seen + 1
    if show then print((event.data:gsub("\n", "   "))) end
  end
end
play("10 5", true)
play "-4 0"

if seconds then
  ws.setTimeout(function() ws.clearInterval(ticker) server:close() end, seconds * 1000)
end
ws.run()
os.exit(seen > 0 and 0 or 1)
