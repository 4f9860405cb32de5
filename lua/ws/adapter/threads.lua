-- SPDX-License-Identifier: MIT
-- A scheduler for waiting.use, for host loops in which any coroutine but the main one
-- may yield: it resumes them after the turn that woke them, even if not the host made
-- that turn. Not for hosts with conditions or signals of their own.

local loop = require "ws.loop"
local waiting = require "ws.coroutine"

local threads = {}

local function report(thread, ok, raised)
  if ok then return end
  loop.report(raised, debug.traceback(thread, loop.describe(raised)))
  loop.close_variables(thread, raised)
end

local function resume(thread)
  report(thread, coroutine.resume(thread))
end

--- A scheduler, see waiting.use. how.suspend() suspends the running coroutine (by
--- default coroutine.yield); how.resume(thread) resumes it (by default
--- coroutine.resume, reporting errors).
---@param how? table
function threads.of(how)
  how = how or {}
  local suspend, go_on = how.suspend or coroutine.yield, how.resume or resume
  local woken = {}
  local scheduler = { running = waiting.running }

  function scheduler.suspend() suspend() end

  function scheduler.wake(thread)
    if coroutine.status(thread) ~= "suspended" then return false end
    woken[#woken + 1] = thread
    return true
  end

  loop.after_turn(function()
    if not woken[1] then return end
    local list = woken
    woken = {}
    for _, thread in ipairs(list) do
      if coroutine.status(thread) == "suspended" then go_on(thread) end
    end
  end)

  return scheduler
end

return threads
