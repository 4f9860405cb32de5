-- SPDX-License-Identifier: MIT
-- What the adapters for other loops share: who drives our loop, when its next turn
-- is due, and the turn itself. Knows none of those loops.

local core = require "ws.core"
local loop = require "ws.loop"
local waiting = require "ws.coroutine"

local driving = {}

-- Milliseconds between turns where the poller has no descriptor to wait for.
local INTERVAL = 10

local inner  -- the core's loop
local driver -- the host that drives it now, see driving.begin
local planned -- when its next turn is if the descriptor stays silent; nil: never

--- From now on `host`, and nobody else, drives the loop. host.scheduler: see
--- waiting.use. host.wanted() is called when the loop, perhaps idle until now, is
--- about to be used; host.stop() when another takes over, or nobody.
function driving.begin(host)
  if driver ~= host then driving.stop(driver) end
  inner = loop.get()
  driver, planned = host, nil
  waiting.use(host.scheduler)
  loop.on_use(host.wanted)
end

--- If `host` drives the loop, nobody does any more.
function driving.stop(host)
  if host == nil or driver ~= host then return end
  driver = nil
  waiting.use(nil)
  loop.on_use(nil)
  host.stop()
end

--- The descriptor to wait for, until it is readable; nil where there is none.
function driving.fd()
  return inner:fd()
end

--- Milliseconds until a turn is due even if the descriptor stays silent; nil:
--- never.
function driving.due()
  local ms = inner:timeout()
  if inner:fd() or not inner:alive() then return ms end
  return ms and ms < INTERVAL and ms or INTERVAL
end

--- Like due(), and notes that the host will make a turn then.
function driving.plan()
  local ms = driving.due()
  planned = ms and core.now() + ms
  return ms
end

--- Whether a turn is due earlier than was planned.
function driving.is_early()
  local ms = driving.due()
  if not ms then return false end
  return not planned or core.now() + ms < planned - 1
end

--- Whether anything is left to wait for.
function driving.alive()
  return inner:alive()
end

--- One turn that does not wait. Raises what ws.onerror raised.
function driving.turn()
  loop.poll(0)
end

return driving
