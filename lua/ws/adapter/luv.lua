-- SPDX-License-Identifier: MIT
-- Runs the loop inside libuv's, with luv or in Neovim. In Neovim turns are made through
-- vim.schedule, so that handlers may call all of its API.

local driving = require "ws.adapter.driving"
local threads = require "ws.adapter.threads"

local vim = rawget(_G, "vim")
local uv = vim and (vim.uv or vim.loop) or require "luv"

--- Runs the loop inside libuv's, with luv or in Neovim.
---@class ws.adapter.luv
local adapter = {}

-- Made once and only stopped later: luv 1.44 crashes when a state ends before its loop
-- has run once more to get rid of what was closed.
local poll    -- watches the loop's descriptor, nil where its poller has none
local timer   -- for the loop's deadlines; does not keep libuv's loop running
local prepare -- called before libuv waits: checks what was asked of the loop meanwhile
local keeper  -- poll, or timer: keeps libuv's loop running while ours is alive
local attached, scheduled = false, false

local host = { scheduler = threads.of() }
local ready

local function start_poll()
  if poll then uv.poll_start(poll, "r", ready) end
end

local function plan()
  local ms = driving.plan()
  if not ms then return uv.timer_stop(timer) end
  uv.update_time()
  uv.timer_start(timer, ms, 0, ready)
end

local function keep(alive)
  if not alive then return uv.unref(keeper) end
  uv.ref(keeper)
  if not poll and not uv.is_active(timer) then uv.timer_start(timer, 0, 0, ready) end
end

local function before_waiting()
  if scheduled then return end
  keep(driving.alive())
  if driving.is_early() then plan() end
end

local function settle(ok, raised)
  if attached then -- a handler may have detached
    plan()
    keep(driving.alive())
  end
  if not ok then error(raised, 0) end
end

local function turn()
  settle(pcall(driving.turn))
end

-- The descriptor stays readable until the turn: libuv must not report that over and
-- over.
local function turn_later()
  if scheduled then return end
  scheduled = true
  if poll then uv.poll_stop(poll) end
  vim.schedule(function()
    scheduled = false
    if not attached then return end
    start_poll()
    turn()
  end)
end

ready = vim and turn_later or turn

function host.wanted()
  keep(true)
end

-- A program may have closed all of libuv's handles, ours too.
local function is_made()
  return prepare ~= nil and not uv.is_closing(prepare)
end

function host.stop()
  attached = false
  if not is_made() then return end
  uv.prepare_stop(prepare)
  uv.timer_stop(timer)
  if poll then uv.poll_stop(poll) end
end

local function make()
  timer, prepare = uv.new_timer(), uv.new_prepare()
  poll = driving.fd() and uv.new_poll(driving.fd())
  keeper = poll or timer
  uv.unref(timer)
  uv.unref(prepare)
end

--- Runs the loop inside libuv's: handlers are called there; receive, messages,
--- ws.connect and ws.sleep yield to it in any coroutine. uv.run() goes on while
--- either loop has something to wait for.
function adapter.attach()
  if attached and is_made() then return end
  driving.begin(host)
  if not is_made() then make() end
  attached = true
  uv.prepare_start(prepare, before_waiting)
  start_poll()
  keep(true)
end

--- Gives the loop back: ws.run() or another adapter may drive it.
function adapter.detach()
  driving.stop(host)
end

return adapter
