-- SPDX-License-Identifier: MIT
-- The link as specs use it: this process is in the near namespace; sockets and
-- processes made inside link.far() are in the far one. See spec/net/link.c.

local netns = require "net.netns"

local link = { NEAR = "10.97.0.1", FAR = "10.97.0.2" }

local given = assert(os.getenv "WS_LINK", "not behind a link: run `make lossy`")
local numbers = {}
for number in given:gmatch "%d+" do numbers[#numbers + 1] = number end

local function descriptor(number, mode)
  return assert(io.open("/proc/self/fd/" .. number, mode))
end

local orders, answers = descriptor(numbers[1], "w"), descriptor(numbers[2], "r")
local near, far = tonumber(numbers[3]), tonumber(numbers[4])
link.seed = tonumber(numbers[5])

-- Gives an order, which is in force once it is answered; returns the answer.
local function tell(order)
  orders:write(order, "\n")
  orders:flush()
  local answer = assert(answers:read "*l", "the link has ended")
  assert(answer ~= "what?", "the link does not know: " .. order)
  return answer
end

local function back(ok, ...)
  netns.enter(near)
  if not ok then error(..., 0) end
  return ...
end

--- Calls fn(...) in the far namespace; its sockets and its processes stay there.
function link.far(fn, ...)
  netns.enter(far)
  return back(pcall(fn, ...))
end

--- Changes the weather: loss, doubling, damage (percent), delay, jitter
--- (milliseconds) and kbits (a second). `direction` is "out", from near to far,
--- "in" or, by default, "both".
function link.weather(changes, direction)
  for word, value in pairs(changes) do
    tell(("%s %s %f"):format(direction or "both", word, value))
  end
end

--- Cuts the link: nothing passes, or only `packets` more. With `port`, only connections
--- of that port are cut.
function link.cut(direction, packets, port)
  tell(("%s port %d"):format(direction or "both", port or 0))
  tell(("%s pass %d"):format(direction or "both", packets or 0))
end

function link.mend(direction) tell(("%s pass -1"):format(direction or "both")) end

--- Sets good weather, sets counts to 0, and starts the random choices again.
function link.reset() tell "reset" end

local words = { "came", "lost", "doubled", "damaged", "late", "cut", "refused" }

--- What happened to packets since the reset: counts.out.lost and so on.
function link.counts()
  local counts, at = { out = {}, ["in"] = {} }, 0
  for value in tell "counts":gmatch "%d+" do
    local direction = at < #words and counts.out or counts["in"]
    direction[words[at % #words + 1]] = tonumber(value)
    at = at + 1
  end
  return counts
end

--- How many packets have met a cut, in both directions.
function link.stopped()
  local counts = link.counts()
  return counts.out.cut + counts["in"].cut
end

--- Takes the near device down, or brings it up again.
function link.set_up(up)
  local command = up and ("sh spec/net/side.sh %s %s"):format(link.NEAR, link.FAR)
    or "ip link set link0 down"
  assert(os.execute(command))
end

--- Sets the longest packet, in both namespaces.
function link.set_mtu(bytes)
  local command = "ip link set link0 mtu " .. bytes
  assert(os.execute(command))
  assert(link.far(os.execute, command))
end

return link
