-- SPDX-License-Identifier: MIT
-- The browser's WebSocket, in Lua.   lua echo_client.lua [URL] [TEXT...]
-- Start echo_server.lua first.

local ws = require "ws"

local url = arg[1] or "ws://127.0.0.1:8080/"
local texts = { select(2, ...) }
if #texts == 0 then texts = { "hello", "grüß dich", "bye" } end

local echoed = 0
local sock = ws.new(url)

function sock.onopen()
  print("open", sock.url)
  for _, text in ipairs(texts) do sock:send(text) end
end

function sock.onmessage(event)
  print("message", event.data)
  echoed = echoed + 1
  if echoed == #texts then sock:close(1000, "done") end
end

function sock.onerror(event)
  print("error", event.message)
end

function sock.onclose(event)
  print("close", event.code, event.reason)
end

ws.run() -- returns when nothing is left to wait for
os.exit(echoed == #texts and 0 or 1)
