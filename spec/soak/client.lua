-- SPDX-License-Identifier: MIT
-- The soak's client: for SECONDS, keeps COUNT connections alive that come and go,
-- half of them with TLS, some slow, some dropped without a Close. Every message
-- begins with its hash, and every echo has to be what was sent.
--   client.lua SEED SECONDS COUNT PLAIN_URL TLS_URL CA
-- Prints "made messages bytes mismatches failures peak", then each kind of error,
-- how often it came, and when last. Each minute it reports its progress.

local ws = require "ws"
local core = require "ws.core"

local seed, seconds, count = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local plain_url, tls_url, ca = arg[4], arg[5], arg[6]

math.randomseed(seed)
local block = {}
for i = 1, 70000 do block[i] = string.char(math.random(0, 255)) end
block = table.concat(block)

local tally = { made = 0, messages = 0, bytes = 0, mismatches = 0, failures = 0, peak = 0 }
local OPENING = 200 -- how many connections may be opening at a time
local RATE = 2000   -- messages a second of all together, however fast the machine is
local alive, opening, deadline = 0, 0, ws.now() + seconds * 1000
local causes = {}

local function payload()
  local size = math.random(20) == 1 and math.random(0, 60000) or math.random(0, 700)
  local from = math.random(1, #block - size)
  return block:sub(from, from + size - 1)
end

local start

local function fill()
  while alive < count and opening < OPENING and ws.now() < deadline do start() end
end

local function failed(event)
  tally.failures = tally.failures + 1
  local cause = causes[event.message] or { times = 0 }
  cause.times, cause.last = cause.times + 1, seconds - (deadline - ws.now()) // 1000
  causes[event.message] = cause
end

local function finish(sock, state)
  state.dropped = math.random(3) == 1
  if state.dropped then sock:terminate() else sock:close(1000) end
end

-- Sends a message, and keeps its hash to compare the echo with.
local function say(sock, state)
  local data = payload()
  data = core.sha1(data) .. data
  state.hash = core.sha1(data)
  sock:send(data, "binary")
end

local function heard(sock, state, data)
  tally.messages, tally.bytes = tally.messages + 1, tally.bytes + #data
  if core.sha1(data) ~= state.hash then tally.mismatches = tally.mismatches + 1 end
  state.left = state.left - 1
  ws.setTimeout(function()
    if sock.readyState ~= ws.OPEN then return end
    if state.left > 0 and ws.now() < deadline then say(sock, state) else finish(sock, state) end
  end, math.random(0, 2000 * count // RATE))
end

function start()
  local secure = math.random(2) == 1
  local state = { left = math.random(1, 30) }
  local slow = math.random(10) == 1
  alive, opening, tally.made = alive + 1, opening + 1, tally.made + 1
  tally.peak = math.max(tally.peak, alive)
  local sock = ws.new(secure and tls_url or plain_url, nil,
    { parallel = true, tls = secure and { ca = ca } or nil })
  local function counted_out() -- it is no longer opening
    if state.counted_out then return end
    state.counted_out, opening = true, opening - 1
  end
  function sock.onopen()
    counted_out()
    say(sock, state)
    fill()
  end
  function sock.onmessage(event)
    local data = event.data
    if not slow then return heard(sock, state, data) end
    sock:pause()
    ws.setTimeout(function()
      if sock.readyState ~= ws.OPEN then return end
      sock:resume()
      heard(sock, state, data)
    end, math.random(1, 200))
  end
  function sock.onerror(event) if not state.dropped then failed(event) end end
  function sock.onclose()
    counted_out()
    alive = alive - 1
    fill()
  end
end

ws.setInterval(function()
  io.stderr:write(("soak: %d s: connections made %d, messages %d, failures %d\n"):format(
    seconds - (deadline - ws.now()) // 1000, tally.made, tally.messages, tally.failures))
end, 60000)

fill()
while alive > 0 and ws.now() < deadline + 60000 do ws.poll(100) end
print(("%d %d %d %d %d %d"):format(tally.made, tally.messages, tally.bytes, tally.mismatches,
  tally.failures + alive, tally.peak))
for message, cause in pairs(causes) do
  print(("%d times, last after %d s: %s"):format(cause.times, cause.last, message))
end
