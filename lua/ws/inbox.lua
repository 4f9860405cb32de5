-- SPDX-License-Identifier: MIT
-- Messages that wait for receive(): a queue, and functions that wait for messages.
-- When it holds more than highWaterMark bytes, the socket stops reading from the
-- network, until no more than half of that is left.

local internals = require "ws.core".connection.internals

local inbox = {}

local LIMIT = 1048576
local OVERHEAD = 128 -- what keeping a message costs beside its bytes
local SWEEP_LEAST = 16

--- A new, empty inbox.
function inbox.new(sock, limit)
  return {
    sock = sock, limit = limit or LIMIT, first = 1, last = 0, bytes = 0, held = false,
    telling = false, -- while kept messages are passed to a listener
    waiters = {}, -- { wake =, goes_on = }, first come first served
    sweep_at = SWEEP_LEAST, -- with how many of them some may be over
  }
end

local function box_of(sock)
  local state = internals.state(sock)
  return state and state.inbox
end

--- True when messages are kept for receive(): always once it has been called,
--- before that only while nobody listens.
function inbox.takes(box, listeners)
  return box ~= nil and (box.used or not listeners)
end

function inbox.holds_any(box)
  return box.first <= box.last
end

-- Stops the socket from reading from the network, or lets it read again.
local function hold(box, held)
  if box.held == held then return end
  box.held = held
  internals.hold(box.sock, held)
end

--- While kept messages are passed to a listener, nothing may overtake them.
function inbox.set_telling(box, telling)
  box.telling = telling
  hold(box, telling or box.bytes > box.limit / 2)
end

-- Wakes the first waiter that still waits.
local function wake(box, ...)
  while box.waiters[1] do
    local waiter = table.remove(box.waiters, 1)
    if waiter.wake(...) then return true end
  end
  return false
end

--- A message came: it goes to the first waiter, or is kept.
function inbox.push(sock, data, opcode)
  local box = box_of(sock)
  if wake(box, data, opcode) then return end
  box.last = box.last + 1
  box[box.last] = { data, opcode }
  box.bytes = box.bytes + #data + OVERHEAD
  if box.bytes > box.limit then hold(box, true) end
end

--- Takes the oldest message: data, opcode; nil when there is none.
function inbox.pop(box)
  if not inbox.holds_any(box) then return nil end
  local message = box[box.first]
  box[box.first] = nil
  box.first = box.first + 1
  box.bytes = box.bytes - #message[1] - OVERHEAD
  if not box.telling and box.bytes <= box.limit / 2 then hold(box, false) end
  return message[1], message[2]
end

-- Forgets waits that have ended otherwise: their coroutines were closed, for example. On
-- a socket that gets no messages they would gather for ever.
local function sweep(box)
  local rest = {}
  for _, waiter in ipairs(box.waiters) do
    if waiter.goes_on() then rest[#rest + 1] = waiter
    else waiter.wake() end -- wakes nobody, but stops its timer
  end
  box.waiters, box.sweep_at = rest, 2 * #rest + SWEEP_LEAST
end

--- Adds a waiter: wake is called with data, opcode or with nil, "closed", code, reason,
--- and returns whether anybody still waited. goes_on() returns whether somebody does.
function inbox.wait(box, wake_waiter, goes_on)
  if #box.waiters >= box.sweep_at then sweep(box) end
  box.waiters[#box.waiters + 1] = { wake = wake_waiter, goes_on = goes_on }
end

function inbox.forget(box, wake_waiter)
  for i, waiter in ipairs(box.waiters) do
    if waiter.wake == wake_waiter then
      table.remove(box.waiters, i)
      return
    end
  end
end

local function settle_opening(box, ...)
  local opening = box.opening
  box.opening = nil
  if opening then return opening(...) end
  return true
end

function inbox.opened(sock)
  local box = box_of(sock)
  -- If the coroutine that waited in ws.connect is gone, nobody else has the socket.
  if box and not settle_opening(box, true) then sock:terminate() end
end

function inbox.failed(sock, message, code)
  local box = box_of(sock)
  if box then box.failure = { message = message, code = code } end
end

function inbox.closed(sock, code, reason)
  local box = box_of(sock)
  if not box then return end
  local failure = box.failure or { message = "closed", code = "ECONNABORTED" }
  settle_opening(box, nil, failure.message, failure.code)
  while wake(box, nil, "closed", code, reason) do end -- luacheck: ignore 542
end

return inbox
