-- SPDX-License-Identifier: MIT
-- For the specs of ws.core: turning a loop until something holds, an echo server, proof
-- that a loop still works and that nothing was left behind. The specs of `ws` have
-- spec/helper.lua instead.

local core = require "ws.core"

local turning = {}

-- Gives raw connections as methods the internal functions, which otherwise only lua/ws
-- calls. At the end of the spec they go again: the next may run in the same process.
local methods, internals = core.connection.methods, core.connection.internals
for name, fn in pairs(internals) do methods[name] = fn end
local subscribe = require "busted".subscribe -- not in spec/lua/two_states.lua
if subscribe then
  subscribe({ "file", "end" }, function()
    for name in pairs(internals) do methods[name] = nil end
    return nil, true
  end)
end

turning.unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- Turns the loop until condition() holds, and returns its value. Fails after `ms`
--- (5000).
function turning.wait(loop, condition, what, ms)
  local deadline = core.now() + (ms or 5000)
  local value = condition()
  while not value do
    if core.now() > deadline then
      error("waited in vain for " .. (what or "a condition"), 2)
    end
    loop:turn(20)
    value = condition()
  end
  return value
end

--- Turns the loop until nothing keeps it alive.
function turning.finish(loop)
  turning.wait(loop, function() return not loop:alive() end, "the end of all", 8000)
  loop:turn(0)
end

-- How many references of luaL_ref are in use: values in the registry with a number as
-- key. Its free places hold numbers.
local function references()
  local count = 0
  for key, value in pairs(debug.getregistry()) do
    if type(key) == "number" and type(value) ~= "number" then count = count + 1 end
  end
  return count
end

--- How many blocks and references are alive after a full collection.
function turning.live()
  if jit then jit.flush() end -- luacheck: ignore 113 (traces keep what they met)
  collectgarbage() collectgarbage() collectgarbage()
  return core.live() + references()
end

--- The same, once every connection of the loop is gone and collected; its servers stay.
function turning.settled(loop)
  local deadline = core.now() + 3000
  local least = turning.live()
  local same = 0
  while same < 10 and core.now() < deadline do
    loop:turn(5)
    local now = turning.live()
    same = now == least and same + 1 or 0
    least = now
  end
  return least
end

--- Fails when more blocks or references are alive than before. Fewer are fine: an object
--- that an earlier test still held may be gone by now. A name that is being looked up
--- holds its block until the system has answered, so this waits for a while, turning the
--- loop if it is given.
function turning.no_more(before, why, loop)
  local deadline = core.now() + 5000
  local now = turning.live()
  while now > before and core.now() < deadline do
    if loop then loop:turn(5) end
    now = turning.live()
  end
  if now > before then
    error(("%d blocks and references alive, %d before%s"):format(now, before,
      why and ": " .. why or ""), 2)
  end
end

--- Makes a loop; returns it and the list to which its errors are added.
function turning.loop()
  local loop = assert(core.loop(os.getenv("WS_POLLER")))
  local errors = {}
  loop:onError(function(message, traceback)
    errors[#errors + 1] = { message = message, traceback = traceback }
  end)
  return loop, errors
end

local function echo(conn, data, opcode) conn:send(data, opcode) end

local event_names = { "open", "message", "close", "error", "drain", "ping", "pong" }

--- Handlers that write a log, and the log: log[i] is {name, arguments...}, log[name] is
--- how many there were of that name, log.last(name) returns the last one's arguments.
--- `more` holds functions that are called after logging.
function turning.recording(more)
  local log, last, functions = {}, {}, {}
  for _, name in ipairs(event_names) do
    functions[name] = function(conn, ...)
      log[#log + 1] = { name, ... }
      log[name] = (log[name] or 0) + 1
      last[name] = { n = select("#", ...), ... }
      if more and more[name] then return more[name](conn, ...) end
    end
  end
  function log.last(name) return turning.unpack(last[name], 1, last[name].n) end
  return core.handlers(functions), log
end

--- An echo server on 127.0.0.1; `more` adds or replaces options.
function turning.server(loop, more)
  local options = { host = "127.0.0.1", port = 0 }
  for name, value in pairs(more or {}) do options[name] = value end
  options.handlers = options.handlers or core.handlers { message = echo }
  local server = assert(loop:listen(options))
  local scheme = options.tls and "wss" or "ws"
  return server, ("%s://127.0.0.1:%d/"):format(scheme, server:port())
end

--- A client with these functions as handlers; `more` adds options.
function turning.client(loop, url, functions, more)
  local options = { url = url, handlers = core.handlers(functions or {}) }
  for name, value in pairs(more or {}) do options[name] = value end
  return loop:connect(options)
end

--- Proves that a server works: a fresh client connects, gets its echo, closes cleanly.
function turning.prove(loop, url, options)
  local got, closed
  turning.client(loop, url, {
    open = function(conn) conn:send("proof") end,
    message = function(conn, data) got = data conn:rawClose(1000) end,
    close = function(_, code, _, clean) closed = clean and code end,
    error = function(_, message) error(message, 0) end,
  }, options)
  turning.wait(loop, function() return closed end, "the proof's echo")
  assert(got == "proof", "the echo is wrong")
end

--- A loop with an echo server, its log (unless `options` has handlers), and functions
--- for what specs often do with them.
function turning.party(options)
  local party = {}
  party.loop, party.errors = turning.loop()
  local handlers
  handlers, party.log = turning.recording { message = echo }
  local more = { handlers = handlers }
  for name, value in pairs(options or {}) do more[name] = value end
  party.server, party.url = turning.server(party.loop, more)

  function party.wait(condition, what) return turning.wait(party.loop, condition, what) end

  --- Opens a client; returns it and its log. `functions` are called after logging.
  function party.client(functions, its)
    local its_handlers, log = turning.recording(functions)
    local given = { url = party.url, handlers = its_handlers }
    for name, value in pairs(its or {}) do given[name] = value end
    local conn = party.loop:connect(given)
    party.wait(function() return log.open or log.close end, "a client to open")
    return conn, log
  end

  --- Proves that the server works. Meanwhile `calm` is set, so that handlers of the spec
  --- do nothing special.
  function party.prove(its)
    party.calm = true
    turning.prove(party.loop, party.url, its)
    party.calm = false
  end

  function party.finish() party.loop:close() end

  return party
end

--- Returns what fn raises; fails when it raises nothing.
function turning.raised(fn, ...)
  local ok, message = pcall(fn, ...)
  if ok then error("nothing was raised", 2) end
  return message
end

--- A raw TCP connection to a server of the loop: raw.send(bytes), raw.bytes (all that
--- came), raw.ended, raw.wait(condition).
function turning.raw(loop, server)
  local raw = { bytes = "" }
  local tcp = assert(require "socket".connect("127.0.0.1", server:port()))
  tcp:settimeout(0)

  local function read()
    local data, why, rest = tcp:receive(65536)
    raw.bytes = raw.bytes .. (data or rest or "")
    raw.ended = raw.ended or why == "closed"
  end

  function raw.send(bytes) assert(tcp:send(bytes)) end

  function raw.wait(condition, what)
    return turning.wait(loop, function()
      read()
      loop:turn(1)
      return condition()
    end, what)
  end

  --- Waits until the other side has ended; returns all that came.
  function raw.all() return raw.wait(function() return raw.ended and raw.bytes end, "the end") end

  function raw.close() tcp:close() end

  function raw.reset()
    tcp:setoption("linger", { on = true, timeout = 0 })
    tcp:close()
  end

  return raw
end

--- An upgrade request; `more` holds header lines, each with its CR LF.
function turning.upgrade(path, more)
  return ("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    .. "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    .. "Sec-WebSocket-Version: 13\r\n%s\r\n"):format(path or "/", more or "")
end

-- -------------------------------------------------------- other processes

--- The interpreter that runs the specs.
function turning.interpreter()
  local given = rawget(_G, "arg") or {}
  local n = 0
  while given[n - 1] do n = n - 1 end
  if n < 0 and not given[n]:find("busted", 1, true) then return given[n] end
  return os.getenv("LUA") or "lua5.4"
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- finally(fn) makes an object whose finalizer calls fn. In Lua 5.1, tables have none.
local finally = [[local function finally(fn)
  if not newproxy then return setmetatable({}, { __gc = fn }) end
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = fn
  return proxy
end
]]

--- Runs the chunk, which can use `finally`, in a process of its own; returns its exit
--- status and its output. `first` is for the shell, such as a limit or an environment
--- variable.
function turning.child(chunk, first)
  local path = os.tmpname()
  local command = ("%s %s -e %s >%s 2>&1"):format(first or "", turning.interpreter(),
    quoted(finally .. chunk), quoted(path))
  local ok, kind, code = os.execute(command)
  if type(ok) == "number" then code = ok > 255 and math.floor(ok / 256) or ok
  elseif kind == "signal" then code = 128 + code end
  local file = assert(io.open(path, "rb"))
  local output = file:read("*a")
  file:close()
  os.remove(path)
  return code, output
end

-- ----------------------------------------------------------- wrong arguments

--- Values that methods must survive: huge, odd, empty and of all types.
turning.odd_values = {
  "", "a\0b", "\255\254", ("x"):rep(70000), 0, -1, 1.5, 0 / 0, 1 / 0, -1 / 0,
  2 ^ 53, 2 ^ 63, -2 ^ 63, 1e308, true, false, {}, print,
  coroutine.create(function() end),
  io.stdout,
}

--- Calls fn(...) with every odd value in every position after `self`; true
--- when no call did anything but return or raise a string.
function turning.survives(fn, self, positions)
  for position = 1, positions or 3 do
    for i = 0, #turning.odd_values do
      local arguments = { self, nil, nil, nil, nil }
      for before = 1, position - 1 do arguments[before + 1] = "text" end
      arguments[position + 1] = turning.odd_values[i]
      local ok, message = pcall(fn, turning.unpack(arguments, 1, position + 1))
      if not ok and type(message) ~= "string" then return false, message end
    end
  end
  return true
end

--- Values that are not an object of the required type.
function turning.wrong_selves(...)
  local list = { "text", 5, true, {}, print, coroutine.create(function() end), io.stdout, ... }
  list[0] = nil
  return list
end

return turning
