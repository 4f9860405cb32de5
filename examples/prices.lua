-- SPDX-License-Identifier: MIT
-- A changing price, sent to everyone who asked for it.
--   lua prices.lua [PORT] [TICKS]       With TICKS it ends after that many.
-- A client names what it wants to follow: "gold" or "tea".

local ws = require "ws"

local port, ticks = tonumber(arg[1]) or 8080, tonumber(arg[2])
local prices = { gold = 2000, tea = 12 }

local server = assert(ws.serve {
  port = port,
  message = function(sock, name)
    if not prices[name] then return sock:close(4000, "no such price") end
    sock:subscribe(name)
    sock:send(("%s %.2f"):format(name, prices[name]))
  end,
})
print(("prices on ws://127.0.0.1:%d/"):format(server.port))

local function change()
  for name, price in pairs(prices) do
    prices[name] = price * (0.99 + math.random() / 50)
    -- The message is framed once, however many follow this price.
    server:publish(name, ("%s %.2f"):format(name, prices[name]))
  end
end

local tick
tick = ws.setInterval(function()
  change()
  if not ticks then return end
  ticks = ticks - 1
  if ticks > 0 then return end
  ws.clearInterval(tick)
  server:close()
end, 250)

-- Three clients, here in the same process; elsewhere the code would be the same.
local got = 0
local function follow(who, name)
  local sock = ws.new(("ws://127.0.0.1:%d/"):format(server.port))
  function sock.onopen() sock:send(name) end
  function sock.onmessage(event)
    print(who, event.data)
    got = got + 1
  end
end
follow("Ann", "gold")
follow("Ben", "gold")
follow("Cid", "tea")

ws.run()
os.exit(got >= 6 and 0 or 1)
