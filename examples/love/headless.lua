-- SPDX-License-Identifier: MIT
-- A client of the game without graphics.   lua headless.lua [URL] [SECONDS]

package.path = (arg[0]:match "^(.*/)" or "") .. "?.lua;" .. package.path

local Bot = require "bot"
local Player = require "player"
local ws = require "ws"

local player = Player.new(arg[1] or "ws://127.0.0.1:8080/", 400, 300)
local bot = Bot.new(player, tonumber(arg[2]) or 10)
local code
repeat
  ws.poll(10, 64)
  code = bot:update()
until code
os.exit(code)
