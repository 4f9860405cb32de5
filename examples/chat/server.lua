-- SPDX-License-Identifier: MIT
-- A chat with rooms; its page is on the same port.   lua server.lua [PORT] [once]
-- Messages are fields separated by tabs. A client sends "join ROOM NAME", then what
-- it says. It gets "welcome ROOM NAME", the last 50 messages of the room, and from
-- then on "said TIME NAME TEXT" and "people NAME NAME ...".

local ws = require "ws"

local port, once = tonumber(arg[1]) or 8080, arg[2] == "once"
local folder = arg[0]:match "^(.*/)" or ""
local page = assert(io.open(folder .. "page.html", "rb")):read "*a"
local history, server = {}, nil -- history: room -> list of messages

local function names_in(room)
  local names = {}
  for sock in server:clients() do
    if sock.data and sock.data.room == room then
      names[#names + 1] = sock.data.name
      names[sock.data.name] = true
    end
  end
  table.sort(names)
  return names
end

local function tell_people(room)
  server:publish(room, "people\t" .. table.concat(names_in(room), "\t"))
end

local function join(sock, room, wanted)
  local taken, name, number = names_in(room), wanted, 1
  while taken[name] do
    number = number + 1
    name = wanted .. " " .. number
  end
  sock.data = { room = room, name = name }
  sock:send(("welcome\t%s\t%s"):format(room, name))
  for _, line in ipairs(history[room] or {}) do sock:send(line) end
  sock:subscribe(room)
  tell_people(room)
end

local function say(room, name, text)
  local line = ("said\t%d\t%s\t%s"):format(os.time(), name, (text:gsub("%c", " ")))
  local lines = history[room] or {}
  history[room] = lines
  lines[#lines + 1] = line
  if #lines > 50 then table.remove(lines, 1) end
  server:publish(room, line)
end

local function leave(sock)
  local room = sock.data and sock.data.room
  if not room then return end
  tell_people(room)
  ws.setTimeout(function() -- who comes back within ten minutes finds it as it was
    if #names_in(room) == 0 then history[room] = nil end
  end, 600000)
end

server = assert(ws.serve {
  port = port, maxPayload = 4000,
  request = function(request, response)
    local found = request.path == "/"
    response:writeHead(found and 200 or 404, { ["Content-Type"] = "text/html; charset=utf-8" })
    response:finish(found and page or "There is only the page at <a href=/>/</a>.")
  end,
  message = function(sock, text, opcode)
    if opcode ~= "text" then return sock:close(1003) end
    if sock.data then return say(sock.data.room, sock.data.name, text) end
    local room, name = text:match "^join\t(%C+)\t(%C+)$"
    if not room or #room > 60 or #name > 60 then return sock:close(4000, "join first") end
    join(sock, room, name)
  end,
  close = function(sock)
    leave(sock)
    if once and not server:clients()() then ws.stop() end
  end,
})
io.stdout:setvbuf "line"
print(("chat on http://127.0.0.1:%d/"):format(server.port))
ws.run()
