-- SPDX-License-Identifier: MIT
-- Waiting instead of handlers, and two things at once.
--   lua coroutine_client.lua [URL]      Start echo_server.lua first.

local ws = require "ws"

local url = arg[1] or "ws://127.0.0.1:8080/"
local finished = 0

-- Each of the two is written as if it were alone; while one waits the other runs.
local function asker(name, pause)
  local sock, message = ws.connect(url)
  if not sock then
    print(name .. ": no connection", message)
    return
  end
  for i = 1, 3 do
    sock:send(("%s asks %d"):format(name, i))
    local answer, why = sock:receive(2000) -- milliseconds
    if not answer then
      print(name .. ": no answer", why)
      return
    end
    print(answer)
    ws.sleep(pause)
  end
  sock:close()
  finished = finished + 1
end

ws.spawn(asker, "Ann", 30)
ws.spawn(asker, "Ben", 50)
ws.run()
os.exit(finished == 2 and 0 or 1)
