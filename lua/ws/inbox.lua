-- SPDX-License-Identifier: MIT
-- Messages that wait for receive(): a queue with waiters. It holds up to
-- highWaterMark bytes, then the socket stops reading from the network until
-- some are taken.

local inbox = {}

local LIMIT = 1048576

--- A new, empty inbox.
function inbox.new(sock, limit)
  return {
    sock = sock, limit = limit or LIMIT, first = 1, last = 0, bytes = 0, held = false,
    waiters = {}, -- wake functions, first come first served
  }
end

local function box_of(sock)
  local state = sock:state()
  return state and state.inbox
end

--- True when messages are kept for receive(): once it was called, and before
--- as long as nobody listens.
function inbox.takes(box, listeners)
  return box ~= nil and (box.used or not listeners)
end

-- Wakes the first waiter that still waits.
local function wake(box, ...)
  while box.waiters[1] do
    local waiter = table.remove(box.waiters, 1)
    if waiter(...) then return true end
  end
  return false
end

--- A message came: for the first waiter, or kept.
function inbox.push(sock, data, opcode)
  local box = box_of(sock)
  if wake(box, data, opcode) then return end
  box.last = box.last + 1
  box[box.last] = { data, opcode }
  box.bytes = box.bytes + #data
  if box.bytes > box.limit and not box.held then
    box.held = true
    sock:hold(true)
  end
end

--- Takes the oldest message: data, opcode; nil when there is none.
function inbox.pop(box)
  if box.first > box.last then return nil end
  local message = box[box.first]
  box[box.first] = nil
  box.first = box.first + 1
  box.bytes = box.bytes - #message[1]
  if box.held and box.bytes <= box.limit / 2 then
    box.held = false
    box.sock:hold(false)
  end
  return message[1], message[2]
end

--- Adds a waiter: wake(data, opcode) or wake(nil, "closed", code, reason),
--- which says whether it still waited.
function inbox.wait(box, waiter)
  box.waiters[#box.waiters + 1] = waiter
end

function inbox.forget(box, waiter)
  for i, other in ipairs(box.waiters) do
    if other == waiter then
      table.remove(box.waiters, i)
      return
    end
  end
end

--- What receive() gives at the end: nil, "closed", code, reason; nothing
--- before it.
function inbox.ending(box)
  if box.closed then return nil, "closed", box.closed.code, box.closed.reason end
end

local function settle_opening(box, ...)
  local opening = box.opening
  box.opening = nil
  if opening then return opening(...) end
  return true
end

function inbox.opened(sock)
  local box = box_of(sock)
  -- The coroutine that waited in ws.connect is gone: so is the socket.
  if box and not settle_opening(box, true) then sock:terminate() end
end

function inbox.failed(sock, message, code)
  local box = box_of(sock)
  if box then box.failure = { message = message, code = code } end
end

function inbox.closed(sock, code, reason)
  local box = box_of(sock)
  if not box then return end
  box.closed = { code = code, reason = reason }
  local failure = box.failure or { message = "closed", code = "ECLOSED" }
  settle_opening(box, nil, failure.message, failure.code)
  while wake(box, nil, "closed", code, reason) do end -- luacheck: ignore 542
end

return inbox
