-- SPDX-License-Identifier: MIT
-- Waiting instead of handlers: in a coroutine of the loop, or of a scheduler
-- that drives it (ws.adapter.*), the waiting functions yield; elsewhere they
-- run the loop until done.

local inbox = require "ws.inbox"
local loop = require "ws.loop"
local options = require "ws.options"
local websocket = require "ws.websocket"
local core = require "ws.core"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local methods = core.connection.methods

local waiting = {}

-- Coroutines of the loop, each with what to do with its error.
local tasks = setmetatable({}, { __mode = "k" })

local function resume(thread, ...)
  if coroutine.status(thread) ~= "suspended" then return false end
  local ok, raised = coroutine.resume(thread, ...)
  if not ok then
    local on_error = tasks[thread]
    local text = type(raised) == "string" and raised or nil
    loop.report(raised, debug.traceback(thread, text))
    if type(on_error) == "function" then on_error(raised) end
  end
  return true
end

--- Starts fn(...) in a coroutine of the loop; it runs at once until its first
--- wait. Its error is reported; on_error(err), if given, comes after.
function waiting.task(fn, on_error, ...)
  if type(fn) ~= "function" then -- it has a __call
    local callable = fn
    fn = function(...) return callable(...) end
  end
  local thread = coroutine.create(fn)
  tasks[thread] = on_error or true
  resume(thread, ...)
  return thread
end

--- Starts fn(...) in a coroutine of the loop, in which ws.connect, receive,
--- messages and ws.sleep wait without holding up anything else.
---@param fn function
---@return thread
function waiting.spawn(fn, ...)
  if not options.is_callable(fn) then
    options.raise("TypeError", "spawn: a function expected, got " .. type(fn), 2)
  end
  return waiting.task(fn, nil, ...)
end

local host -- see waiting.use

--- Lets coroutines of another scheduler wait too (nil: no longer).
--- scheduler.running() is a token for the coroutine that runs, nil when it is
--- none of the scheduler's. scheduler.suspend(token) gives way, at least until
--- scheduler.wake(token) was called; that happens inside a turn, must not
--- resume the coroutine there, and says whether it still waits.
function waiting.use(scheduler)
  host = scheduler
end

-- Outside any coroutine: runs the loop until it is done.
local function run_until(outcome)
  local running = loop.get()
  while not outcome.results and running:alive() do loop.turn() end
end

local function give_way_until(outcome, scheduler, token)
  while not outcome.results do scheduler.suspend(token) end
end

local function wait_in_task(thread, start)
  local done = false
  start(function(...)
    if done then return false end
    done = true
    return resume(thread, ...)
  end)
  return coroutine.yield()
end

--- Waits: start(wake) arranges for wake(...) to be called once, later, and
--- what it is called with is returned. wake says whether somebody still
--- waited. `name` is the waiting function's, for the error.
local function wait(start, name)
  local thread = coroutine.running()
  if thread and tasks[thread] then return wait_in_task(thread, start) end
  if loop.turning() then
    error(name .. ": cannot wait inside a handler: use ws.spawn(function() ... end)", 3)
  end
  local scheduler, outcome = host, {}
  local token = scheduler and scheduler.running()
  start(function(...)
    if outcome.results then return false end
    outcome.results, outcome.count = { ... }, select("#", ...)
    return not token or scheduler.wake(token)
  end)
  if token then give_way_until(outcome, scheduler, token) else run_until(outcome) end
  if not outcome.results then return nil, "closed" end -- nobody is left to say
  return unpack(outcome.results, 1, outcome.count)
end

--- Waits for `ms` milliseconds.
function waiting.sleep(ms)
  if type(ms) ~= "number" then
    options.raise("TypeError", "sleep: milliseconds expected, got " .. type(ms), 2)
  end
  wait(function(wake) loop.set_timeout(wake, ms) end, "ws.sleep")
end

--- Opens a connection and waits until it is open.
---@return userdata|nil sock
---@return string|nil message
---@return string|nil code
function waiting.connect(url, protocols, given)
  local thread = coroutine.running()
  if loop.turning() and not (thread and tasks[thread]) then
    error("ws.connect: cannot wait inside a handler: use ws.spawn(function() ... end)", 2)
  end
  local sock = websocket.construct(2, url, protocols, given)
  local box = websocket.use_inbox(sock)
  local ok, message, code = wait(function(wake) box.opening = wake end, "ws.connect")
  if ok then return sock end
  return nil, message, code
end

--- The next message: data, "text" or "binary". nil, "closed", code, reason
--- when there will be none; nil, "timeout" after `ms` milliseconds.
---@param ms? number
function methods:receive(ms)
  if ms ~= nil and type(ms) ~= "number" then
    options.raise("TypeError", "receive: milliseconds expected, got " .. type(ms), 2)
  end
  local box = websocket.use_inbox(self)
  box.used = true
  local data, opcode = inbox.pop(box)
  if data then return data, opcode end
  if box.closed then return inbox.ending(box) end
  if self.readyState == 3 then return nil, "closed", 1006, "" end
  local first, second, code, reason = wait(function(wake)
    local timer
    local function waiter(...)
      loop.clear(timer)
      return wake(...)
    end
    inbox.wait(box, waiter)
    if ms then
      timer = loop.set_timeout(function()
        inbox.forget(box, waiter)
        wake(nil, "timeout")
      end, ms)
    end
  end, "receive")
  if second == "closed" then return first, second, code, reason end
  return first, second -- no tail call: errors name the caller's line
end

--- Iterates over messages until the connection is closed:
--- for data, opcode in sock:messages() do ... end
function methods:messages()
  return function()
    local data, opcode = self:receive()
    if data ~= nil then return data, opcode end
  end
end

return waiting
