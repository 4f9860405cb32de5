-- SPDX-License-Identifier: MIT
-- Ports of 127.0.0.1 for programs that cannot choose a free port themselves.

local socket = require "socket"

local ports = {}
local held = {} -- the sockets that hold them until this process ends

--- A port that the system gives to nobody else, because it is bound here. Programs that
--- set SO_REUSEADDR, as servers do, can still listen on it; until one does, connections
--- are refused.
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
