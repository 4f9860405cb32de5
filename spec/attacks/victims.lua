-- SPDX-License-Identifier: MIT
-- Victims of attacks by frames: a server or a client with an open connection to a raw
-- peer, so that one test serves both roles.
--   raw      the peer            sock  the victim's socket
--   log      "message text hello", "error EPROTOCOL", "close 1006"

local helper = require "spec.helper"
local ws = require "ws"

local CLOSE, PONG = 8, 10
local CODES = { [1002] = "EPROTOCOL", [1007] = "EUTF8", [1009] = "ETOOBIG" }

local unpack = table.unpack or rawget(_G, "unpack")

local Victim = {}
Victim.__index = Victim

-- This server answers only the message of the proof.
local function make_server(ground, victim, options, note)
  local all = {
    open = function(sock) victim.sock = victim.sock or sock end,
    message = function(sock, data, opcode)
      if data == "proof" then sock:send(data) return end
      note("message " .. opcode .. " " .. data)
    end,
    error = function(_, _, code) note("error " .. code) end,
    close = function(_, code) note("close " .. code) end,
  }
  for name, value in pairs(options or {}) do all[name] = value end
  ground:serve(all)
  victim.raw = ground:open()
  helper.wait_until(function() return victim.sock end, 5000, "a server's socket")
end

local function make_client(ground, victim, options, note)
  local sock, _, raw = ground:opened(options)
  victim.sock, victim.raw = sock, raw
  sock.onmessage = function(event) note("message " .. event.opcode .. " " .. event.data) end
  sock.onerror = function(event) note("error " .. event.code) end
  sock.onclose = function(event) note("close " .. event.code) end
end

--- A frame as the victim's peer sends it; see helper.frame.
function Victim:frame(opcode, payload, how)
  how = how or {}
  if how.masked == nil then how.masked = self.role == "server" end
  return helper.frame(opcode, payload, how)
end

--- Sends bytes in TCP segments of `size`.
function Victim:send(bytes, size)
  local tcp = self.raw.tcp
  tcp:setoption("tcp-nodelay", true)
  if not size or size >= #bytes then return self.raw:send(bytes) end
  for from = 1, #bytes, size do
    if not tcp:send(bytes:sub(from, from + size - 1)) then return end
    ws.poll(0)
  end
end

--- Fails unless the log becomes exactly this.
function Victim:happened(...)
  local expected = { ... }
  helper.wait_until(function() return #self.log >= #expected end, 5000,
    expected[#expected] or "nothing")
  local got, wanted = table.concat(self.log, "; "), table.concat(expected, "; ")
  if got ~= wanted then error("it happened otherwise: " .. got:sub(1, 400), 2) end
end

--- Fails unless the victim sends a Close with this code, nothing else but pongs before
--- it, ends the connection, and its log is `...`, the error and the close.
function Victim:fails(code, ...)
  local opcode, payload = self.raw:frame()
  while opcode == PONG do opcode, payload = self.raw:frame() end
  if opcode ~= CLOSE then error("no Close frame, but " .. tostring(opcode), 2) end
  local said = payload:byte(1) * 256 + payload:byte(2)
  if said ~= code then error(("a Close with %d, not %d"):format(said, code), 2) end
  if self.raw:all() ~= "" then error("there is something behind the Close", 2) end
  local log = { ... }
  log[#log + 1], log[#log + 2] = "error " .. CODES[code], "close 1006"
  self:happened(unpack(log))
  self.raw:close()
end

local victims = {}

--- See Ground:victim.
function victims.new(ground, role, options)
  local victim = setmetatable({ role = role, log = {} }, Victim)
  local function note(line) victim.log[#victim.log + 1] = line end
  local make = role == "server" and make_server or make_client
  make(ground, victim, options, note)
  return victim
end

return victims
