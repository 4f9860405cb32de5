-- SPDX-License-Identifier: MIT
-- What fuzz_lua.c runs. The input is a program of calls to `ws` and `ws.core`, read
-- byte by byte, also from inside handlers. Promises: wrong use raises a string; each
-- socket closes once, and has no events after that; a server's connection that opened
-- also closes; nothing is left behind.

package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
local ws = require "ws"
local core = require "ws.core"

local SLOTS, DEPTH = 8, 6

local odd_values = {
  "", "a\0b", "\255\254", ("x"):rep(70000), "text", 0, -1, 1.5, 0 / 0, 1 / 0, 2 ^ 53, 2 ^ 63,
  1e308, true, false, {}, print, coroutine.create(function() end), io.stdout, 1000, 4999,
  { compress = false }, "ws://[::1]/", "chat", math.maxinteger, math.mininteger,
}

-- --------------------------------------------------------- the program

local program, at, depth = "", 1, 0

local function byte()
  local value = program:byte(at) or 0
  at = at + 1
  return value
end

local function text()
  local len = byte()
  local found = program:sub(at, at + len - 1)
  at = at + len
  return found
end

local function odd()
  local n = byte() % (#odd_values + 1)
  return odd_values[n]
end

-- ------------------------------------------------------------- objects

local socks = {}                                 -- sockets, by slot
local records = {}                               -- what this run's sockets did
local all = setmetatable({}, { __mode = "v" })   -- this run's sockets, while they live
local timers, tasks, protocols, views = {}, {}, {}, {}
local began, ended = 0, 0                        -- connections of the server
local server, path
local step

local function pick(list) return list[byte() % SLOTS + 1] end

-- Wrong use may raise only strings; anything else is a bug of ours.
local function try(fn, ...)
  local ok, message = pcall(fn, ...)
  if not ok and type(message) ~= "string" and message ~= odd_values then
    error("raised a " .. type(message), 0)
  end
  return ok and message
end

-- What an owner does in a handler: it runs some more of the program.
local function react(wants)
  if not wants or at > #program or depth >= DEPTH then return end
  depth = depth + 1
  local ok, message = pcall(step)
  depth = depth - 1
  if not ok then error(message, 0) end
end

local function note(record, name)
  assert(record.closes == 0, name .. " after close")
  react(record.reacts)
end

-- Errors of handlers come here, so a broken promise is kept until the end.
local broken
ws.onerror = function(message)
  if tostring(message):find("after close") then broken = message end
end

local function open_socket()
  local flags = byte()
  local record = { closes = 0, reacts = flags & 1 ~= 0 }
  local sock = try(ws.new, "ws://localhost/", flags & 2 ~= 0 and "chat" or nil, {
    path = path, compression = flags & 4 ~= 0, maxPayload = flags & 8 ~= 0 and 100 or nil,
    highWaterMark = flags & 16 ~= 0 and 10 or nil, views = flags & 32 ~= 0, proxy = false })
  if not sock then return end
  records[#records + 1] = record
  all[#all + 1] = sock
  for _, name in ipairs { "open", "error", "ping", "pong", "drain" } do
    sock["on" .. name] = function() note(record, name) end
  end
  sock.onmessage = function(event)
    note(record, "message")
    views[byte() % SLOTS + 1] = event.data -- valid only until the handler returns
  end
  sock.onclose = function()
    record.closes = record.closes + 1
    react(record.reacts)
  end
  socks[byte() % SLOTS + 1] = sock
end

local reacting = false
local function serve(more)
  local options = {
    path = path, compression = true, maxPayload = 65536, protocols = { "chat" },
    open = function(sock)
      began = began + 1
      sock:subscribe("room")
      if reacting then socks[byte() % SLOTS + 1] = sock end
      react(reacting)
    end,
    message = function(sock, data, opcode)
      sock:send(data, opcode)
      react(reacting)
    end,
    close = function()
      ended = ended + 1
      react(reacting)
    end,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(ws.serve(options))
end

-- ----------------------------------------------------------- operations

-- Internal methods, which only lua/ws should call; programs can call them, too.
for _, name in ipairs { "rawClose", "ended", "isServer", "accept", "refuse", "openEnded",
                        "writeRaw", "finishRaw" } do
  core.connection.methods[name] = core.connection.internals[name]
end

-- Methods that wait.
local unfit = { receive = true, messages = true }
local function names_of(methods)
  local names = {}
  for name, value in pairs(methods) do
    if type(value) == "function" and not unfit[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end
local methods = names_of(core.connection.methods)
local properties = names_of(core.connection.getters)
local functions = { "url", "isToken", "headerValueOk", "ownsHeader", "reasonPhrase", "mask",
                    "handlers", "session", "tls", "utf8", "sha1", "base64" }

local function new_protocol()
  local made
  if byte() & 1 == 0 then made = try(ws.protocol.server, {})
  else made = try(ws.protocol.client, { url = "ws://h/" }) end
  protocols[byte() % SLOTS + 1] = made or nil
end

-- Lets two protocols talk, or feeds one with the program's own bytes.
local function feed_protocol()
  local from, to, bytes = pick(protocols), pick(protocols), text()
  if not to then return end
  try(function()
    to:feed(from and from:output() or bytes)
    for event in to:events() do
      if event.type == "message" and to.state == 1 then to:send(event.data) end
    end
  end)
end

local function collect_some()
  if byte() & 3 == 0 then collectgarbage() else collectgarbage("step", byte()) end
end

local function call_any(object, names)
  local name = names[byte() % #names + 1]
  try(function(...) return object[name](object, ...) end, odd(), odd(), odd())
end

local operations = {
  open_socket,
  function() local s, data = pick(socks), text() try(function() s:send(data) end) end,
  function()
    local s, data, times = pick(socks), text(), byte()
    try(function() s:send(data:rep(times * 8), byte() & 1 == 0 and "binary" or "text") end)
  end,
  function()
    local s, code, why = pick(socks), byte(), text()
    try(function() s:close(code > 0 and 2990 + code or nil, code > 0 and why or nil) end)
  end,
  function() local s = pick(socks) try(function() s:terminate() end) end,
  function() local s = pick(socks) try(function() s:pause() end) end,
  function() local s = pick(socks) try(function() s:resume() end) end,
  function() local s = pick(socks) try(function() s:ping(text()) end) end,
  function() local s = pick(socks) try(function() s:subscribe(text()) end) end,
  function() local s = pick(socks) try(function() s:publish("room", text()) end) end,
  function() try(function() server:publish("room", text()) end) end,
  function() local s = pick(socks) if s then call_any(s, methods) end end,
  function()
    local s, name = pick(socks), properties[byte() % #properties + 1]
    try(function() return s[name] end)
  end,
  function()
    local name = functions[byte() % #functions + 1]
    try(function(...) return core[name](...) end, odd(), odd())
  end,
  collect_some,
  function() if depth == 0 then ws.poll(0) else try(ws.poll, 0) end end,
  function() for _ = 1, depth == 0 and 4 or 0 do ws.poll(0) end end,
  function() socks[byte() % SLOTS + 1] = nil end,
  function() reacting = byte() & 1 == 0 end,
  function() if depth > 0 then error(byte() & 1 == 0 and "thrown" or odd_values, 0) end end,
  function()
    timers[#timers + 1] = ws.setTimeout(function() react(true) end, byte() % 2)
  end,
  function() try(ws.clearTimeout, timers[byte()] or odd()) end,
  function()
    local s = pick(socks)
    ws.spawn(function() tasks[#tasks + 1] = try(function() return s:receive(byte() % 2) end) end)
  end,
  function() ws.spawn(function() ws.sleep(0) react(true) end) end,
  new_protocol,
  feed_protocol,
  function()
    local s = pick(socks)
    try(function() s:addEventListener("message", function() react(true) end, { once = true }) end)
  end,
  function() try(ws.new, odd(), odd(), odd()) end,
  function() local view = pick(views) try(function() return #view, view:sub(1, byte()) end) end,
  function() local s, view = pick(socks), pick(views) try(function() s:send(view) end) end,
  function() local s = pick(socks) try(function() s.onmessage = odd() end) end,
  function()
    local n = byte()
    core.failAllocation(n + 1)
    try(step)
    core.failAllocation(0)
  end,
}

function step()
  local operation = operations[byte() % #operations + 1]
  operation()
end

-- --------------------------------------------------------------- a run

local function finished()
  for _, record in ipairs(records) do
    if record.closes == 0 then return false end
  end
  return began == ended
end

local function settle()
  program, reacting = "", false
  for _ = 1, 2000 do
    for _, timer in ipairs(timers) do try(ws.clearTimeout, timer) end
    for _, sock in pairs(all) do sock:terminate() end
    for client in server:clients() do client:terminate() end
    ws.poll(0)
    if finished() then return end
  end
  error(("%d of %d server's connections ended, or a socket has no close event"):format(ended,
    began), 0)
end

local function forget()
  socks, records, timers, tasks, protocols, views = {}, {}, {}, {}, {}, {}
  all = setmetatable({}, { __mode = "v" })
  began, ended, depth = 0, 0, 0
end

local runs, most = 0, nil
local function check_leaks()
  runs = runs + 1
  if runs % 500 ~= 0 then return end
  collectgarbage() collectgarbage()
  ws.poll(0)
  local live = core.live()
  most = most or live + 300
  assert(live <= most, "blocks are left behind: " .. live)
end

path = os.tmpname()
os.remove(path)
server = serve()

return function(bytes)
  program, at = bytes, 1
  while at <= #program do step() end
  settle()
  core.failAllocation(0)
  for _, record in ipairs(records) do assert(record.closes == 1, "closed more than once") end
  assert(not broken, broken)
  forget()
  check_leaks()
end
