-- SPDX-License-Identifier: MIT
-- Runs the loop inside Copas, whose steps wait with LuaSocket's select. The module
-- itself is an object for select; attach() is all that users need.

local copas = require "copas"
local driving = require "ws.adapter.driving"
local loop = require "ws.loop"
local threads = require "ws.adapter.threads"

--- Runs the loop inside Copas. The module is also an object for LuaSocket's select.
---@class ws.adapter.copas
local adapter = {}

--- For LuaSocket's select: the loop's descriptor; nil where its poller has
--- none.
---@return integer|nil
function adapter:getfd() -- luacheck: ignore 212
  return loop.fd()
end

--- For LuaSocket's select: whether ws.poll(0) has work even if the descriptor is
--- silent.
---@return boolean
function adapter:dirty() -- luacheck: ignore 212
  return loop.next_timeout() == 0
end

-- --------------------------------------------------------------- the driver

-- Copas takes this for a server, because of its name. Nothing is accepted: all that
-- matters is when the descriptor is readable.
local watched = setmetatable({ readable = false, added = false },
  { __tostring = function() return "tcp: ws" end })
function watched.getfd() return driving.fd() end
function watched.dirty() return driving.is_early() end -- Copas 2 may have run coroutines
function watched.settimeout() return true end
function watched.accept() watched.readable = true end
function watched.close() return true end -- for copas.cancelall

-- If this Copas can remove servers, it has ours only during a step, so that it notices
-- when it has nothing else to do.
local function watch()
  if watched.added or not driving.fd() then return end
  watched.added = true
  copas.addserver(watched, function() end)
end

local function unwatch()
  if not watched.added or not copas.removeserver then return end
  watched.added = false
  copas.removeserver(watched, true)
end

local function shorter(seconds, ms)
  if not ms then return seconds end
  if seconds and seconds >= 0 and seconds * 1000 < ms then return seconds end
  return ms / 1000
end

local function after_step(...)
  unwatch()
  if watched.readable or driving.due() == 0 or not driving.fd() then
    watched.readable = false
    driving.turn()
  end
  return ...
end

local step, finished = copas.step, copas.finished
local host = {}

local function driven_step(timeout)
  local ms = driving.plan()
  if ms or driving.alive() then watch() end
  return after_step(step(shorter(timeout, ms)))
end

local function both_finished()
  if driving.alive() then return false end
  unwatch()
  return finished()
end

-- ------------------------------------------------------------ the coroutines

-- Copas has had sleep and wakeup since version 2.
local scheduler
if copas.wakeup then
  scheduler = threads.of {
    suspend = copas.pauseforever or function() copas.sleep(-1) end,
    resume = copas.wakeup,
  }
else
  -- In an older Copas a coroutine waits by yielding a socket and a queue for it.
  local nowhere = { insert = function() end, push = function() end }
  scheduler = threads.of {
    suspend = function() coroutine.yield(watched, nowhere) end,
    resume = copas.addthread,
  }
end
host.scheduler = scheduler
host.wanted = watch

function host.stop()
  copas.step, copas.finished = step, finished
  unwatch()
end

--- Runs the loop inside Copas: handlers are called in its steps; receive, messages,
--- ws.connect and ws.sleep yield to it in its coroutines. copas.loop() goes on while
--- either loop has something to wait for.
function adapter.attach()
  driving.begin(host)
  copas.step = driven_step
  copas.finished = finished and both_finished
end

--- Gives the loop back: ws.run() or another adapter may drive it.
function adapter.detach()
  driving.stop(host)
end

return adapter
