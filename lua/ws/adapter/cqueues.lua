-- SPDX-License-Identifier: MIT
-- Runs the loop inside a cqueues controller. The module itself is an object for
-- cqueues.poll; attach() is all that users need.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local driving = require "ws.adapter.driving"
local loop = require "ws.loop"

--- Runs the loop inside a cqueues controller. The module is also an object for
--- cqueues.poll.
---@class ws.adapter.cqueues
local adapter = {}

--- For cqueues.poll: the loop's descriptor; nil where its poller has none.
---@return integer|nil
function adapter:pollfd() -- luacheck: ignore 212
  return loop.fd()
end

--- For cqueues.poll.
---@return string
function adapter:events() -- luacheck: ignore 212
  return "r"
end

--- For cqueues.poll: seconds until ws.poll(0) has work even if the descriptor is
--- silent.
---@return number|nil
function adapter:timeout() -- luacheck: ignore 212
  local ms = loop.next_timeout()
  return ms and ms / 1000
end

-- ------------------------------------------------------------- the driver

local controller -- the one attached to
local driver     -- stands for the coroutine there that turns the loop while that is alive
local changed    -- a condition, signalled when a turn is due earlier than it planned

-- What the driver waits for, between two turns.
local pollable = {}
function pollable.pollfd() return driving.fd() end
function pollable.events() return driving.fd() and "r" end
function pollable.timeout()
  local ms = driving.plan()
  return ms and ms / 1000
end

local function turn(me)
  local ok, message = pcall(driving.turn)
  if ok then return end
  if driver == me then driver = nil end -- the next step starts another
  error(message, 0)
end

local function drive(me)
  while driver == me and driving.alive() do
    cqueues.poll(pollable, changed)
    if driver == me then turn(me) end
  end
  if driver == me then driver = nil end
end

local function start()
  driver = {}
  controller:wrap(drive, driver)
end

local host

-- A controller may have been closed meanwhile.
local function is_there()
  if cqueues.type(controller) == "controller" then return true end
  driving.stop(host)
end

local function check()
  if not is_there() then return end
  if not driver then
    if driving.alive() then start() end
  elseif driving.is_early() then
    changed:signal()
  end
end

-- Checks before and after each step, because coroutines may have asked something of
-- the loop meanwhile. Steps of any controller count, as controllers nest.
local function checked(...)
  if controller then check() end
  return ...
end

local step
step = cqueues.interpose("step", function(self, timeout)
  checked()
  return checked(step(self, timeout))
end)

-- ----------------------------------------------------------- the coroutines

local scheduler = {}

function scheduler.running()
  local running, direct = cqueues.running()
  if running and direct then return condition.new() end
end

function scheduler.suspend(token)
  token:wait()
end

function scheduler.wake(token)
  return token:signal() ~= 0
end

host = { scheduler = scheduler }

function host.wanted()
  if is_there() and not driver then start() end
end

function host.stop()
  controller, driver = nil, nil
  changed:signal()
end

--- Runs the loop inside a controller: handlers are called in its steps; receive,
--- messages, ws.connect and ws.sleep yield to it in its coroutines. While the loop
--- has nothing to wait for, the controller has nothing to do with it.
---@param cq? userdata a cqueues controller; by default the running one
---@return userdata cq
function adapter.attach(cq)
  cq = cq or cqueues.running()
  if cqueues.type(cq) ~= "controller" then
    error("TypeError: attach: a cqueues controller expected, got " .. type(cq), 2)
  end
  if controller and controller ~= cq then driving.stop(host) end
  changed = changed or condition.new()
  controller = cq
  driving.begin(host)
  return cq
end

--- Gives the loop back: ws.run() or another adapter may drive it.
function adapter.detach()
  driving.stop(host)
end

return adapter
