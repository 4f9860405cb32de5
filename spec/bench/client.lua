-- SPDX-License-Identifier: MIT
-- Our client in the bench:   client.lua PORT CONNECTIONS DEPTH SIZE SECONDS
-- Prints how many messages came back, and its own CPU time per message.

local ws = require "ws"

local port = arg[1]
local connections, depth = tonumber(arg[2]), tonumber(arg[3])
local payload, seconds = ("x"):rep(tonumber(arg[4])), tonumber(arg[5])
local came, opened, sockets = 0, 0, {}

local function go()
  for _, sock in ipairs(sockets) do
    for _ = 1, depth do sock:send(payload, "binary") end
  end
  local before, cpu
  ws.setTimeout(function() before, cpu = came, os.clock() end, 200)
  ws.setTimeout(function()
    local messages = came - before
    print(("messages=%d own_us=%.4f"):format(messages, (os.clock() - cpu) * 1e6 / messages))
    os.exit(0, false)
  end, 200 + 1000 * seconds)
end

for i = 1, connections do
  sockets[i] = ws.new("ws://127.0.0.1:" .. port, {
    compression = false,
    open = function()
      opened = opened + 1
      if opened == connections then go() end
    end,
    message = function(sock, data, opcode)
      came = came + 1
      sock:send(data, opcode)
    end,
  })
end
ws.run()
