-- SPDX-License-Identifier: MIT
-- What LÖVE is asked for. With --headless no window, no sound, no devices.

local headless = table.concat(arg, " "):find("--headless", 1, true)

function love.conf(t)
  t.version = "11.4"
  t.window.title = "ws: a small game"
  for name in pairs(t.modules) do
    t.modules[name] = name == "event" or name == "timer" or not headless
  end
  t.modules.physics = false
end
