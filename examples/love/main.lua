-- SPDX-License-Identifier: MIT
-- The game in LÖVE; the arrow keys move.   love . [--headless] [URL] [SECONDS]
-- With --headless nothing is shown and bot.lua plays.

local Bot = require "bot"
local Player = require "player"
local ws = require "ws"

local SPEED = 200 -- pixels a second
local player, bot

function love.load(arguments)
  local headless = arguments[1] == "--headless"
  if headless then table.remove(arguments, 1) end
  player = Player.new(arguments[1] or "ws://127.0.0.1:8080/", 400, 300)
  bot = headless and Bot.new(player, tonumber(arguments[2]) or 10)
end

local function steer(dt)
  local is_down = love.keyboard.isDown
  local dx = (is_down "right" and 1 or 0) - (is_down "left" and 1 or 0)
  local dy = (is_down "down" and 1 or 0) - (is_down "up" and 1 or 0)
  player:move(player.x + dx * SPEED * dt, player.y + dy * SPEED * dt)
end

function love.update(dt)
  ws.poll(0, 64)
  if not bot then return steer(dt) end
  local code = bot:update()
  if code then love.event.quit(code) end
  love.timer.sleep(0.01) -- no screen sets the pace
end

local function circle(id, x, y)
  love.graphics.setColor(0.4 + id * 0.37 % 0.6, 0.4 + id * 0.59 % 0.6, 0.4 + id * 0.83 % 0.6)
  love.graphics.circle("fill", x, y, 12)
end

function love.draw()
  for id, x, y in player:others(player:time()) do circle(id, x, y) end
  circle(player.id or 0, player.x, player.y)
  love.graphics.setColor(1, 1, 1)
  love.graphics.print(player.why or player.gone and "The server has gone." or "Arrow keys", 8, 8)
end

-- The others are to see that we have left, and not that we were lost.
function love.quit()
  if player.gone then return false end
  player:leave()
  local deadline = ws.now() + 1000
  while not player.gone and ws.now() < deadline do ws.poll(20) end
  return false
end
