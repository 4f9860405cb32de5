-- SPDX-License-Identifier: MIT
-- A player of the game: tells the server where it is and knows where the others
-- are. It has no graphics and no loop: the program that uses it calls ws.poll.

local ws = require "ws"

local STEP = 50 -- milliseconds between two of our positions
local DELAY = 100 -- how far in the past others are shown: two states of the server
local KEPT = 32 -- states, when nobody looks at them
local DRIFT = 0.05 -- by how much a state may be later than the last, milliseconds

local Player = {}
Player.__index = Player

--- `id`, `width` and `height` are nil until the server has told them; `gone` is
--- true once the connection has ended, and `why` says what went wrong.
function Player.new(url, x, y)
  local self = setmetatable({ x = x, y = y, states = {} }, Player)
  local sock = ws.new(url, { closeTimeout = 1000 })
  local ticker
  self.sock = sock
  function sock.onopen()
    ticker = ws.setInterval(function() self:tell() end, STEP)
  end
  function sock.onmessage(event) self:hear(event.data) end
  function sock.onerror(event) self.why = event.message end
  function sock.onclose(event)
    ws.clearInterval(ticker)
    self.gone = true
    if not event.wasClean then self.why = self.why or "the connection was lost" end
  end
  return self
end

function Player:leave() self.sock:close(1000) end

--- Goes somewhere, but not beyond the edges.
function Player:move(x, y)
  self.x = math.max(0, math.min(x, self.width or x))
  self.y = math.max(0, math.min(y, self.height or y))
end

--- Tells where we are, unless it is known or the network is slower than we are:
--- the next position makes this one worthless.
function Player:tell()
  if self.sock.readyState ~= ws.OPEN or self.sock.bufferedAmount > 0 then return end
  local place = ("%.1f %.1f"):format(self.x, self.y)
  if place ~= self.told then self.sock:send(place) end
  self.told = place
end

function Player:hear(text)
  local id, width, height = text:match "^you (%d+) (%d+) (%d+)$"
  if not id then return self:keep(text) end
  self.id, self.width, self.height = tonumber(id), tonumber(width), tonumber(height)
end

--- Keeps a state of the world. Our clock is as far ahead of the server's as the
--- quickest state says; slowly less, for clocks drift and networks change.
function Player:keep(text)
  local time = text:match "^at ([%d.]+)"
  if not time then return end -- words of a newer server
  local state = { time = tonumber(time), places = {} }
  for id, x, y in text:gmatch "\n(%d+) ([%d.]+) ([%d.]+)" do
    state.places[tonumber(id)] = { x = tonumber(x), y = tonumber(y) }
  end
  local ahead = ws.now() - state.time
  self.ahead = math.min(ahead, (self.ahead or ahead) + DRIFT)
  table.insert(self.states, state)
  if #self.states > KEPT then table.remove(self.states, 1) end
end

--- The moment of the server's clock at which others are shown; nil before the
--- first state.
function Player:time()
  return self.ahead and ws.now() - self.ahead - DELAY
end

--- The two states around that moment, and how far it is from the first to the
--- second (0 to 1). Before the first and after the last, the world stands still.
local function around(states, time)
  while states[2] and states[2].time <= time do table.remove(states, 1) end
  local from, to = states[1], states[2]
  if not to or time <= from.time then return from, from, 0 end
  return from, to, (time - from.time) / (to.time - from.time)
end

--- for id, x, y in player:others(time) do … end
function Player:others(time)
  if not time then return function() end end
  local from, to, part = around(self.states, time)
  local id, place
  return function()
    repeat id, place = next(from.places, id) until id ~= self.id
    if not id then return nil end
    local there = to.places[id] or place -- it has left: stays till the next state
    return id, place.x + (there.x - place.x) * part, place.y + (there.y - place.y) * part
  end
end

return Player
