-- SPDX-License-Identifier: MIT
-- The one loop of a Lua state: running it, its timers, and what becomes of
-- errors in handlers.

local core = require "ws.core"
local options = require "ws.options"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local loop = {}

local current          -- the core's loop, made on first use
local error_handler    -- ws.onerror
local failure          -- what the error handler itself raised, boxed
local stopping = false
local on_use           -- see loop.on_use
local after_turn = {}  -- see loop.after_turn

--- Sets a function to be called before each use of the loop; nil for none. It is for
--- an adapter that drives the loop and may have been idle until now.
function loop.on_use(fn)
  on_use = fn
end

--- Has fn() called after each turn from now on, whoever makes it.
function loop.after_turn(fn)
  after_turn[#after_turn + 1] = fn
end

--- The core's loop.
function loop.get()
  if not current then
    local made, message = core.loop(os.getenv("WS_POLLER"))
    if not made then error("cannot make a loop: " .. message, 2) end
    made:onError(loop.report)
    current = made
  end
  if on_use then on_use() end
  return current
end

--- True inside a turn, where nothing may wait.
function loop.turning()
  return current ~= nil and current:turning()
end

--- The coroutine in which handlers run.
function loop.thread()
  return loop.get():thread()
end

--- What was raised, as text to pass to debug.traceback: with other values that makes no
--- traceback, or one that does not say what was raised.
function loop.describe(raised)
  local kind = type(raised)
  if kind == "string" or kind == "number" then return tostring(raised) end
  local meta = getmetatable(raised)
  if type(meta) == "table" and meta.__tostring then
    local ok, text = pcall(tostring, raised)
    if ok and type(text) == "string" then return text end
  end
  return "error object of type " .. kind
end

--- Makes the current or next ws.run or ws.poll raise `raised`.
function loop.raise_later(raised)
  if not failure then
    failure = { raised }
    return
  end
  io.stderr:write("ws: raised by ws.onerror, too: ", loop.describe(raised), "\n")
end

local function raise_failure()
  if not failure then return end
  local raised = failure[1]
  failure = nil
  error(raised, 0)
end

-- At Ctrl-C the program luajit raises this in whatever runs; lua does so in the main
-- coroutine only, where no handlers run.
local function is_interrupt(raised)
  return jit and type(raised) == "string" -- luacheck: ignore 113
    and (raised == "interrupted!" or raised:find ":%d+: interrupted!$")
end

--- Passes an error of a handler to ws.onerror(message, traceback), or prints it.
--- Never raises: an interrupt, and what ws.onerror raises, is raised later, by ws.run
--- or ws.poll.
function loop.report(message, traceback)
  if is_interrupt(message) then
    loop.raise_later(message)
    return
  end
  if not error_handler then
    io.stderr:write(traceback or loop.describe(message), "\n")
    return
  end
  local ok, raised = pcall(error_handler, message, traceback)
  if not ok then loop.raise_later(raised) end
end

local close = coroutine.close -- luacheck: ignore 143

--- Closes the variables declared <close> of a coroutine that `raised` has ended (Lua 5.4),
--- which is left to whoever resumes it.
function loop.close_variables(thread, raised)
  if not close then return end
  local closed, instead = close(thread)
  if not closed and not rawequal(instead, raised) then loop.report(instead) end
end

function loop.error_handler()
  return error_handler
end

function loop.set_error_handler(handler, level)
  if handler ~= nil and not options.is_callable(handler) then
    options.raise("TypeError", "onerror: a function expected, got " .. type(handler),
      level + 1)
  end
  error_handler = handler
end

--- One turn, waiting at most `ms` milliseconds (nil: until something happens)
--- and serving at most `most` events (nil: all).
function loop.turn(ms, most)
  local running = loop.get()
  local ok, served = pcall(running.turn, running, ms, most)
  for _, fn in ipairs(after_turn) do fn() end
  if not ok then error(served, 0) end
  raise_failure()
  return served
end

local function refuse_nesting(name)
  if loop.turning() then
    error(name .. ": the loop is already running (this is inside a handler)", 3)
  end
end

--- Runs until nothing is left to wait for, or ws.stop() was called.
function loop.run()
  refuse_nesting("ws.run")
  stopping = false
  raise_failure()
  local running = loop.get()
  while not stopping and running:alive() do loop.turn() end
end

--- Makes ws.run() return at the end of this turn.
function loop.stop()
  stopping = true
end

local function is_count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0 and value < math.huge
end

--- Makes one turn of the loop: for a game's frame, or inside another event loop.
---@param ms? number the longest wait in milliseconds, 0 by default
---@param maxEvents? integer the most events to handle: the rest wait, in order,
--- for the next call
---@return integer served the number of events handled
function loop.poll(ms, maxEvents)
  refuse_nesting("ws.poll")
  if ms ~= nil and type(ms) ~= "number" then
    options.raise("TypeError", "poll: milliseconds expected, got " .. type(ms), 2)
  end
  if maxEvents ~= nil and not is_count(maxEvents) then
    options.raise("TypeError", "poll: a whole number of events expected, at least 1", 2)
  end
  return loop.turn(ms or 0, maxEvents)
end

--- A file descriptor that is readable when ws.poll(0) has work; nil where the
--- system's poller has none.
---@return integer|nil
function loop.fd()
  return loop.get():fd()
end

--- Milliseconds until ws.poll(0) has work even if the descriptor stays silent;
--- nil: never.
---@return number|nil
function loop.next_timeout()
  return loop.get():timeout()
end

-- ------------------------------------------------------------------- timers

local timers = {} -- id -> core timer
local last_id = 0

local function start(fn, ms, repeats, name, ...)
  if not options.is_callable(fn) then
    options.raise("TypeError", name .. ": a function expected, got " .. type(fn), 3)
  end
  ms = tonumber(ms) or 0
  if ms ~= ms or ms < 0 then ms = 0 end
  last_id = last_id + 1
  local id, count, arguments = last_id, select("#", ...), { ... }
  timers[id] = false -- its place: if memory ran out later, nobody could stop the timer
  timers[id] = loop.get():timer(ms, repeats, function()
    if not repeats then timers[id] = nil end
    fn(unpack(arguments, 1, count))
  end)
  return id
end

--- Calls fn(...) once (HTML, "Timers").
---@param fn function
---@param ms? number the delay in milliseconds; 0 by default
---@param ... any
---@return integer id for ws.clearTimeout
function loop.set_timeout(fn, ms, ...)
  local id = start(fn, ms, false, "setTimeout", ...)
  return id -- no tail call: errors name the caller's line
end

--- Calls fn(...) repeatedly.
---@param fn function
---@param ms? number the interval in milliseconds
---@param ... any
---@return integer id for ws.clearInterval
function loop.set_interval(fn, ms, ...)
  local id = start(fn, ms, true, "setInterval", ...)
  return id
end

--- Stops a timer of either kind. An unknown id is fine.
---@param id integer|nil
function loop.clear(id)
  local timer = id ~= nil and timers[id]
  if not timer then return end
  timer:stop() -- first, as memory may run out even here
  timers[id] = nil
end

return loop
