-- SPDX-License-Identifier: MIT
-- A scheduler for waiting.use, for host loops in which any coroutine but the main one
-- may yield: it resumes them between turns. Not for hosts with conditions or signals
-- of their own.

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
--- coroutine.resume, reporting errors). driving.turn() calls
--- scheduler.resume_woken().
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

  function scheduler.resume_woken()
    local list = woken
    woken = {}
    for _, thread in ipairs(list) do
      if coroutine.status(thread) == "suspended" then go_on(thread) end
    end
  end

  return scheduler
end

return threads
