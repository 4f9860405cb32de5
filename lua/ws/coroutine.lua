-- SPDX-License-Identifier: MIT
-- Waiting instead of handlers. In a coroutine of the loop, or of a scheduler that
-- drives it (ws.adapter.*), the waiting functions yield; elsewhere they run the
-- loop until they are done.

local arguments = require "ws.arguments"
local inbox = require "ws.inbox"
local loop = require "ws.loop"
local options = require "ws.options"
local telling = require "ws.telling"
local websocket = require "ws.websocket"
local core = require "ws.core"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
---@class ws.WebSocket
local methods = core.connection.methods
local internals = core.connection.internals

local waiting = {}

-- Coroutines of the loop, each with what to do with its error.
local tasks = setmetatable({}, { __mode = "k" })

-- Explains the error that a failed wait raises in a Lua without coroutine.isyieldable.
local function explained(raised)
  if type(raised) ~= "string" or not raised:find "^attempt to yield across" then return raised end
  return raised .. ": nothing can wait inside table.sort, string.gsub and their like; on plain "
    .. "Lua 5.1 neither inside pcall nor in a `for` over messages()"
end

local function resume(thread, ...)
  if coroutine.status(thread) ~= "suspended" then return false end
  local ok, raised = coroutine.resume(thread, ...)
  if coroutine.status(thread) ~= "dead" then return true end
  local on_error = tasks[thread]
  tasks[thread] = nil -- if on_error refers to the thread, 5.1 and LuaJIT would keep both
  if not ok then
    local text = explained(raised)
    loop.report(text, debug.traceback(thread, loop.describe(text)))
    loop.close_variables(thread, raised)
    if type(on_error) == "function" then on_error(text) end
  end
  return true
end

-- Lua 5.1 cannot make a coroutine of a function written in C.
local function is_of_lua(fn)
  return type(fn) == "function" and debug.getinfo(fn, "S").what ~= "C"
end

--- Starts fn(...) in a coroutine of the loop; it runs at once until its first
--- wait. Its error is reported; on_error(err), if given, comes after.
function waiting.task(fn, on_error, ...)
  if not is_of_lua(fn) then
    local callable = fn
    fn = function(...) return callable(...) end
  end
  local thread = coroutine.create(fn)
  tasks[thread] = on_error or true
  resume(thread, ...)
  return thread
end

--- Starts fn(...) in a coroutine of the loop. In it ws.connect, receive, messages
--- and ws.sleep wait without blocking anything else.
---@param fn function called with the other arguments
---@param ... any
---@return thread
function waiting.spawn(fn, ...)
  if not options.is_callable(fn) then
    options.raise("TypeError", "spawn: a function expected, got " .. type(fn), 2)
  end
  return waiting.task(fn, nil, ...)
end

local host -- see waiting.use

--- Lets coroutines of another scheduler wait too (nil: no longer).
--- scheduler.running() returns a token for the running coroutine, or nil when it
--- is not the scheduler's. scheduler.suspend(token) suspends that coroutine until
--- scheduler.wake(token) was called; if it returns too early, it is called again. wake
--- is called inside a turn: it must not resume the coroutine there, and returns whether
--- the coroutine still waits.
function waiting.use(scheduler)
  host = scheduler
end

--- The running coroutine; nil outside any. Inside coxpcall's pcall, in which even
--- Lua 5.1 can wait, it is the one that called pcall.
function waiting.running()
  local coxpcall = package.loaded.coxpcall
  local thread, main = (coxpcall and coxpcall.running or coroutine.running)()
  if not main then return thread end
end
local current = waiting.running

-- The current wait of each coroutine. What an earlier wait waited for (one that raised
-- because the coroutine could not yield, for example) must not end a later wait.
local waits = setmetatable({}, { __mode = "k" })

-- Three ways to wait, in_task, in_host and outside. Each calls start(wake, goes_on),
-- which arranges for wake(...) to be called once, later, and returns what wake was
-- called with. wake returns whether anybody still waited: nobody, if start raised, or
-- if the coroutine was closed meanwhile. goes_on() tells the same without ending the wait.

-- Other code than `wake` may have resumed the coroutine, which ends the wait, too.
local function back_in_task(thread, this, ...)
  if waits[thread] == this then waits[thread] = nil end
  return ...
end

local function in_task(start, thread)
  local this = {}
  start(function(...)
    if waits[thread] ~= this then return false end
    waits[thread] = nil
    return resume(thread, ...)
  end, function() return waits[thread] == this and coroutine.status(thread) ~= "dead" end)
  waits[thread] = this
  return back_in_task(thread, this, coroutine.yield())
end

-- Up to four results, in preallocated places: keeping them cannot fail.
local function new_outcome()
  return { nil, nil, nil, nil, done = false }
end

local function keep(outcome, a, b, c, d)
  outcome.done = true
  outcome[1], outcome[2], outcome[3], outcome[4] = a, b, c, d
end

local function kept(outcome)
  return unpack(outcome, 1, 4)
end

local function in_host(start, token)
  local scheduler, outcome, thread = host, new_outcome(), current()
  start(function(...)
    if waits[token] ~= outcome then return false end
    waits[token] = nil
    keep(outcome, ...)
    return scheduler.wake(token)
  end, function() return waits[token] == outcome and coroutine.status(thread) ~= "dead" end)
  waits[token] = outcome
  while not outcome.done do scheduler.suspend(token) end
  return kept(outcome)
end

-- Runs the loop until the wait is done, or over() says that nothing more will come,
-- because an event was lost when memory ran out. What ws.onerror raises ends the wait;
-- but if the wait's result came in the same turn, it is raised later.
local function outside(start, _, over)
  local running, outcome, waiting_now = loop.get(), new_outcome(), false
  start(function(...)
    if not waiting_now or outcome.done then return false end
    keep(outcome, ...)
    return true
  end, function() return waiting_now and not outcome.done end)
  waiting_now = true
  while not outcome.done and running:alive() and not (over and over()) do
    local ok, raised = pcall(loop.turn)
    if not ok and outcome.done then
      loop.raise_later(raised)
    elseif not ok then
      outcome.done = true -- results that come later are not for this wait
      error(raised, 0)
    end
  end
  if not outcome.done then return nil, "closed" end -- nothing will call wake any more
  return kept(outcome)
end

local is_yieldable = coroutine.isyieldable -- luacheck: ignore 143

local function check_yieldable(name, level)
  if not is_yieldable or is_yieldable() then return end
  error(name .. ": cannot wait inside a function that is written in C (table.sort, "
    .. "string.gsub ...)", level + 1)
end

-- Which of the three to use here, and its token; raises where nothing can wait.
-- `name` is that of the waiting function, for the error at `level`.
local function way_to_wait(name, level)
  level = level + 1
  local thread = current()
  if thread and tasks[thread] then
    check_yieldable(name, level)
    return in_task, thread
  end
  if loop.turning() then
    local where = thread == loop.thread() and "a handler" or "a coroutine of your own"
    error(("%s: cannot wait inside %s: use ws.spawn(function() ... end)"):format(name, where),
      level)
  end
  local token = host and host.running()
  if not token then return outside end
  check_yieldable(name, level)
  return in_host, token
end

-- `level` is that of the waiting function's caller, seen from the caller of wait.
local function wait(start, name, level, over)
  local way, token = way_to_wait(name, level + 1)
  return way(start, token, over)
end

--- Waits for some milliseconds.
---@param ms number milliseconds
function waiting.sleep(ms)
  if type(ms) ~= "number" then
    options.raise("TypeError", "sleep: milliseconds expected, got " .. type(ms), 2)
  end
  wait(function(wake) loop.set_timeout(wake, ms) end, "ws.sleep", 2)
end

--- Opens a connection and waits until it is open.
---@param url string ws:, wss:, http: or https:
---@param protocols? string|string[]|ws.ClientOptions subprotocols in order of
--- preference, or the options
---@param given? ws.ClientOptions
---@return ws.WebSocket|nil sock bad arguments raise, as in ws.new
---@return string|nil message why it failed
---@return string|nil code "ECONNREFUSED", "ENOTFOUND", "ETLS", "EHANDSHAKE" ...
function waiting.connect(url, protocols, given)
  local way, token = way_to_wait("ws.connect", 2)
  local sock = websocket.construct(2, url, protocols, given)
  local made, box = pcall(telling.use_inbox, sock)
  if not made then
    sock:terminate()
    error(box, 2)
  end
  local ok, message, code = way(function(wake) box.opening = wake end, token,
    function() return sock.readyState % 2 == 1 end) -- OPEN, CLOSED
  if ok then return sock end
  sock:terminate() -- in case it is OPEN, and only its event was lost
  return nil, message, code
end

-- For receive and messages: `name` and `level` are for their errors.
local function next_message(sock, ms, name, level)
  local box = telling.use_inbox_only(sock)
  local data, opcode = inbox.pop(box)
  if data then return data, opcode end
  if sock.readyState == 3 then return nil, "closed", internals.ended(sock) end
  local first, second, code, reason = wait(function(wake, goes_on)
    local timer
    local function waiter(...)
      local waited = wake(...)
      loop.clear(timer)
      return waited
    end
    inbox.wait(box, waiter, goes_on)
    if ms then
      timer = loop.set_timeout(function()
        inbox.forget(box, waiter)
        wake(nil, "timeout")
      end, ms)
    end
  end, name, level + 1, function() return sock.readyState == 3 end)
  return first, second, code, reason -- no tail call: levels count
end

--- Waits for the next message and returns data, then "text" or "binary". When there
--- will be no more, returns nil, "closed", code, reason; after `ms` milliseconds
--- nil, "timeout".
---@param ms? number the longest wait in milliseconds
---@return string|nil data
---@return string|nil opcode or, without data, "closed" or "timeout"
---@return integer|nil code the close code
---@return string|nil reason
function methods:receive(ms)
  arguments.socket(self, "receive", 2)
  if ms ~= nil and type(ms) ~= "number" then
    options.raise("TypeError", "receive: milliseconds expected, got " .. type(ms), 2)
  end
  local first, second, code, reason = next_message(self, ms, "receive", 2)
  if second == "closed" then return first, second, code, reason end
  return first, second -- no tail call: errors name the caller's line
end

--- Iterates over messages until the connection is closed:
--- for data, opcode in sock:messages() do ... end
---@return fun(): string|nil, string|nil next
function methods:messages()
  arguments.socket(self, "messages", 2)
  return function()
    local data, opcode = next_message(self, nil, "messages", 2)
    if data ~= nil then return data, opcode end
  end
end

return waiting
