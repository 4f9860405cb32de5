-- SPDX-License-Identifier: MIT
-- The modules of LÖVE that the game needs. With --headless it needs no window and
-- no devices.

local headless = table.concat(arg, " "):find("--headless", 1, true)
local always = { event = true, timer = true }
local with_window = { font = true, graphics = true, image = true, keyboard = true, window = true }

function love.conf(t)
  t.version = "11.4"
  t.window.title = "ws: a small game"
  for name in pairs(t.modules) do
    t.modules[name] = always[name] or not headless and with_window[name] or false
  end
end
