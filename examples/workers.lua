-- SPDX-License-Identifier: MIT
-- A server on several cores: processes that share one port.
--   lua workers.lua [WORKERS] [PORT] [GUESTS]
-- With GUESTS, that many clients connect and are answered; then everything is
-- closed. The first worker starts the others. Each of these keeps a WebSocket to the
-- first, and ends when that closes: so none is left over, however the first one ends.

local ws = require "ws"

io.stdout:setvbuf "line"

local function serve(number, port)
  return assert(ws.serve {
    port = port, reusePort = true, -- the system hands out the connections
    message = function(sock, data) sock:send(("%s from worker %d"):format(data, number)) end,
  })
end

-- Ctrl-C makes ws.run raise. Without this the first worker would end before its servers
-- have closed, and some versions of Lua would then wait for the others forever.
local function run(...)
  local ok, message = pcall(ws.run)
  if ok then return true end
  io.stderr:write(tostring(message), "\n")
  for _, server in ipairs { ... } do server:close() end
  ws.run()
  return false
end

if arg[1] == "worker" then
  local number, port, control = tonumber(arg[2]), tonumber(arg[3]), arg[4]
  local server = serve(number, port)
  local first = ws.new("ws://127.0.0.1:" .. control)
  function first.onclose() server:close() end -- says 1001 to everyone
  os.exit(run(server) and 0 or 1)
end

local count, port, guests = tonumber(arg[1]) or 2, tonumber(arg[2]) or 8080, tonumber(arg[3])
local server, control = serve(1, port), nil
local started, answered, closed, served = 1, 0, 0, {}

local function visit()
  local sock = ws.new(("ws://127.0.0.1:%d/"):format(server.port))
  function sock.onopen() sock:send "hello" end
  function sock.onmessage(event)
    answered = answered + 1
    served[event.data] = (served[event.data] or 0) + 1
    if answered < guests then return end
    control:close()
    server:close()
  end
  function sock.onclose(event)
    if event.wasClean and event.code == 1001 then closed = closed + 1 end
  end
end

local function all_are_there()
  print(("%d workers on ws://127.0.0.1:%d/"):format(count, server.port))
  for _ = 1, guests or 0 do visit() end
end

control = assert(ws.serve { port = 0, idleTimeout = 0, open = function()
  started = started + 1
  if started == count then all_are_there() end
end })

local pipes = {}
for number = 2, count do
  pipes[number] = assert(io.popen(("exec '%s' '%s' worker %d %d %d"):format(
    arg[-1], arg[0], number, server.port, control.port), "w"))
end
if count == 1 then all_are_there() end
local good = run(server, control)

for answer, times in pairs(served) do print(times .. " times " .. answer) end
good = good and closed == (guests or closed)
for number = 2, count do good = pipes[number]:close() and good end -- waits for its end
os.exit(good and 0 or 1)
