-- SPDX-License-Identifier: MIT
-- The chat in a terminal: each line you type is said; Ctrl-D leaves.
--   lua client.lua NAME [ROOM] [URL]    Start server.lua first.
-- It also shows how another loop, here LuaSocket's select, drives this one.

local socket = require "socket"
local ws = require "ws"

local name, room = arg[1] or "guest", arg[2] or "lobby"
local sock = ws.new(arg[3] or "ws://127.0.0.1:8080/")
local welcome, clean = false, false

local show = {
  welcome = function(room_name, my_name)
    welcome = true
    print(("You are %s in %s."):format(my_name, room_name))
  end,
  people = function(...) print("  here: " .. table.concat({ ... }, ", ")) end,
  said = function(time, who, text)
    print(("%s %s: %s"):format(os.date("%H:%M", tonumber(time)), who, text))
  end,
}

function sock.onopen() sock:send(("join\t%s\t%s"):format(room, name)) end
function sock.onerror(event) print(event.message) end

function sock.onmessage(event)
  local kind, rest = event.data:match "^(%a+)\t(.*)$"
  local fields = {}
  for field in (rest .. "\t"):gmatch "(.-)\t" do table.insert(fields, field) end
  show[kind]((table.unpack or unpack)(fields)) -- luacheck: ignore 113
end

function sock.onclose(event)
  clean = event.wasClean
  print("Left", event.reason)
end

-- What select waits for: the descriptors of the keyboard and of ws.
local function descriptor(number)
  return { getfd = function() return number end, dirty = function() return false end }
end
local keyboard, network = descriptor(0), descriptor(ws.fd())
io.stdin:setvbuf "no" -- what is read ahead would be hidden from select
io.stdout:setvbuf "line"

while sock.readyState ~= ws.CLOSED do
  local typing = welcome and sock.readyState == ws.OPEN
  local timeout = ws.nextTimeout()
  local ready = socket.select({ network, typing and keyboard or nil }, nil,
    timeout and timeout / 1000)
  if ready[keyboard] then
    local line = io.read "*l"
    if line then sock:send(line) else sock:close() end
  end
  ws.poll()
end
os.exit(welcome and clean and 0 or 1)
