-- SPDX-License-Identifier: MIT
-- Ports of 127.0.0.1 for programs that have to be told theirs.

local socket = require "socket"

local ports = {}
local held = {} -- what holds them, until this process ends

--- A port that nobody else gets, nor a second call here: it is bound. Who sets
--- SO_REUSEADDR, as servers do, can listen at it all the same; until then
--- connections are refused.
---@return integer port
function ports.reserve()
  local holder = assert(socket.tcp4())
  assert(holder:setoption("reuseaddr", true))
  assert(holder:bind("127.0.0.1", 0))
  held[#held + 1] = holder
  local _, port = holder:getsockname()
  return math.floor(tonumber(port))
end

return ports
