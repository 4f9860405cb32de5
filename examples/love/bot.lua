-- SPDX-License-Identifier: MIT
-- Plays instead of a person: walks in a circle and prints where it sees the
-- others, a line "TIME ID X Y" for each. For clients without graphics.

local ws = require "ws"

local PATIENCE = 10000 -- milliseconds to wait for somebody who moves
local RADIUS, PERIOD = 150, 4000 -- pixels, milliseconds

local Bot = {}
Bot.__index = Bot

--- Plays for that long after it has seen somebody move.
function Bot.new(player, seconds)
  return setmetatable({
    player = player, x = player.x, y = player.y, seconds = seconds,
    ends = ws.now() + PATIENCE, first = {},
  }, Bot)
end

--- Whether this one has moved since it was first seen.
function Bot:has_moved(id, x, y)
  local first = self.first[id] or { x = x, y = y }
  self.first[id] = first
  return first.x ~= x or first.y ~= y
end

function Bot:look()
  local time = self.player:time()
  for id, x, y in self.player:others(time) do
    print(("%.3f %d %.3f %.3f"):format(time, id, x, y))
    if not self.seen and self:has_moved(id, x, y) then
      self.seen, self.ends = true, ws.now() + self.seconds * 1000
    end
  end
end

--- In every frame. Nothing while it plays, at the end the code to exit with: 0
--- when it has seen somebody move and left in peace.
function Bot:update()
  local player, angle = self.player, ws.now() / PERIOD * 2 * math.pi
  if player.gone then
    io.stderr:write(player.why and player.why .. "\n" or "")
    return self.seen and not player.why and 0 or 1
  end
  if ws.now() > self.ends then return player:leave() end
  player:move(self.x + RADIUS * math.cos(angle), self.y + RADIUS * math.sin(angle))
  self:look()
end

return Bot
