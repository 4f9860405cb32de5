-- SPDX-License-Identifier: MIT
-- Raw TCP peers in the same process, which faults do not affect: clients that send
-- whatever they like, servers that answer, proxies that pass bytes on.

local socket = require "socket"

local faults = faults -- luacheck: ignore 113

local Peer = {}
Peer.__index = Peer

local raw_peer = {}

local function peer_of(scene, tcp)
  tcp:settimeout(0)
  tcp:setoption("tcp-nodelay", true)
  return setmetatable({ scene = scene, tcp = tcp, bytes = "", out = "", ended = false }, Peer)
end

local function spare(name, fn)
  Peer[name] = function(...) return faults.suspended(fn, ...) end
end

--- Connects to that port.
function raw_peer.connect(scene, port)
  return faults.suspended(function()
    local tcp = assert(socket.tcp())
    tcp:settimeout(2)
    assert(tcp:connect("127.0.0.1", port))
    return peer_of(scene, tcp)
  end)
end

--- A listener; its field `port` is the port it got.
function raw_peer.listen(scene)
  return faults.suspended(function()
    local tcp = assert(socket.bind("127.0.0.1", 0))
    local peer = peer_of(scene, tcp)
    peer.port = tonumber((select(2, tcp:getsockname())))
    peer.taken = {}
    return peer
  end)
end

--- The peer that has connected, or nil.
spare("accept", function(self)
  local tcp = self.tcp:accept()
  if not tcp then return nil end
  local peer = peer_of(self.scene, tcp)
  self.taken[#self.taken + 1] = peer
  return peer
end)

--- Reads and writes what it can without waiting; returns itself.
spare("pump", function(self)
  if self.closed then return self end
  local data, why, partial = self.tcp:receive(65536)
  self.bytes = self.bytes .. (data or partial or "")
  if not data and why ~= "timeout" then self.ended = true end
  if #self.out > 0 then
    local last, _, put = self.tcp:send(self.out)
    self.out = self.out:sub((last or put or 0) + 1)
  end
  return self
end)

--- Sends what can be sent now, and keeps the rest for `pump`.
spare("send", function(self, bytes)
  self.out = self.out .. bytes
  return self:pump()
end)

--- Takes the bytes up to the end of `pattern`; nil if it has not come yet.
spare("take", function(self, pattern)
  self:pump()
  local _, last = self.bytes:find(pattern)
  if not last then return nil end
  local taken = self.bytes:sub(1, last)
  self.bytes = self.bytes:sub(last + 1)
  return taken
end)

spare("close", function(self)
  self.closed = true
  self.tcp:close()
  for _, peer in ipairs(self.taken or {}) do peer:close() end
end)

--- Passes on bytes and the end between two peers, both ways.
spare("join", function(a, b)
  for from, to in pairs { [a] = b, [b] = a } do
    from:pump()
    to.out, from.bytes = to.out .. from.bytes, ""
    to:pump()
    if from.ended and #to.out == 0 and not to.closed then to.tcp:shutdown("send") end
  end
end)

return raw_peer
