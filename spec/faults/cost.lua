-- SPDX-License-Identifier: MIT
-- What a connection costs: memory in proportion to the bytes it got, whatever their
-- framing; memory while it is idle; turns of the loop while another one floods.
-- Nothing is timed. Run by faulty_lua, which counts the process's memory.

package.path = "./?.lua;" .. package.path

local core = require "ws.core"
local ws = require "ws"
local loop = require "ws.loop"
local scene = require "spec.faults.scene"

local faults = faults -- luacheck: ignore 113
local passed, failed = 0, 0

local function check(name, value, most)
  local good = value <= most
  if good then passed = passed + 1 else failed = failed + 1 end
  print(("%-58s%10d of %10d  %s"):format(name, value, most, good and "ok" or "FAILED"))
end

local function held()
  collectgarbage()
  collectgarbage()
  return faults.bytes()
end

-- ------------------------------------------------------------ bytes for bytes

local function frame(first, payload)
  local length = #payload
  local size = length < 126 and string.char(128 + length)
    or string.char(254, length // 256, length % 256)
  return string.char(first) .. size .. "\0\0\0\0" .. payload
end

-- Joins a message's frames into pieces of some kilobytes.
local function pieces_of(frames)
  local pieces, piece, size = {}, {}, 0
  for _, bytes in ipairs(frames) do
    piece[#piece + 1], size = bytes, size + #bytes
    if size > 4096 then
      pieces[#pieces + 1] = table.concat(piece)
      piece, size = {}, 0
    end
  end
  pieces[#pieces + 1] = table.concat(piece)
  return pieces
end

local function fragmented(payload, size, empty)
  local frames = { frame(2, "") }
  for from = 1, #payload, size do
    for _ = 1, empty or 0 do frames[#frames + 1] = frame(0, "") end
    frames[#frames + 1] = frame(0, payload:sub(from, from + size - 1))
  end
  frames[#frames + 1] = frame(128, "")
  return frames
end

-- By how much memory grows, at most, until the message that comes in these pieces has
-- been delivered. Sampled now and then, and at each message.
local function peak_of(options, pieces, length, upgrade, first)
  local s = scene.new()
  local most, got, base = 0, nil, 0
  local function sample() most = math.max(most, faults.bytes() - base) end
  s:server(options, { message = function(_, data)
    sample()
    got = #data
  end })
  local raw = s:raw()
  raw:send(upgrade or scene.upgrade)
  s:wait(function() return raw:take("\r\n\r\n") end)
  raw:send(first or "")
  s:wait(function() return got or not first end)
  got = nil
  base, most = held(), 0
  for i, piece in ipairs(pieces) do
    raw:send(piece)
    s.loop:turn(0)
    if i % 16 == 0 or #pieces < 16 then
      collectgarbage()
      sample()
    end
  end
  s:wait(function()
    raw:pump()
    return got
  end)
  assert(got == length, "the message is another")
  assert(not s:strike())
  return most
end

local function check_framing(name, data, frames, options, upgrade, first)
  local pieces = pieces_of(frames)
  options = options or { maxPayload = 4194304 }
  local most = peak_of(options, pieces, #data, upgrade, first)
  check(name, most, 2 * #data + 65536)
end

local payload = ("0123456789abcdef"):rep(12500) -- 200,000 bytes
check_framing("one frame after the other, 4,000 bytes each", payload, fragmented(payload, 4000))
check_framing("fragments of one byte", payload:sub(1, 60000), fragmented(payload:sub(1, 60000), 1))
check_framing("fragments of one byte, each behind an empty one", payload:sub(1, 20000),
  fragmented(payload:sub(1, 20000), 1, 1))
check_framing("empty fragments, 200 for each of ten bytes", "0123456789",
  fragmented("0123456789", 1, 200))

-- Compresses with a session in memory. Returns the handshake; a first message, at which
-- the loop creates what its connections share; and the message itself.
local function compressed(data)
  local made = ws.protocol.server { compression = { threshold = 0 }, maxPayload = 1 }
  local client = ws.protocol.client { url = "ws://127.0.0.1/", compression = { threshold = 0 } }
  local upgrade = client:output()
  made:feed(upgrade)
  for event in made:events() do assert(event.type ~= "error") end
  client:feed(made:output())
  for event in client:events() do assert(event.type ~= "error") end
  client:send "first"
  local first = client:output()
  client:send(data, "binary")
  return client:output(), upgrade, first
end

local deflate = { maxPayload = 4194304, deflate = { threshold = 0 } }
local wire, upgrade, first = compressed(("\0"):rep(1000000))
check_framing("compressed to a thousandth", ("\0"):rep(1000000), { wire }, deflate, upgrade,
  first)

-- -------------------------------------------------------------- idle, each side

-- The memory of one side of an open connection that does nothing, Lua's objects
-- included.
local COUNT = 100

local function idle_of(compression)
  local server = assert(ws.serve { port = 0, compression = compression,
    message = function(sock, data) sock:send(data) end })
  local url = "ws://127.0.0.1:" .. server.port
  local socks = {}
  local function open(count)
    for _ = 1, count do
      local sock = ws.new(url, nil, { compression = compression })
      sock.onmessage = function() end
      socks[#socks + 1] = sock
    end
    while server.connections < #socks or socks[#socks].readyState == 0 do ws.poll(10) end
    for _ = 1, 3 do ws.poll(0) end
  end
  open(20) -- creates what all connections share
  local before = held()
  open(COUNT)
  local more = held() - before
  for _, sock in ipairs(socks) do sock:terminate() end
  server:close()
  while loop.get():alive() do ws.poll(10) end
  return more // (2 * COUNT)
end

check("an idle connection, one side", idle_of(false), 4096)
check("the same with deflate negotiated", idle_of(true), 4096)

-- --------------------------------------------------------- one floods the others

-- How many turns an honest client waits for its echo, and how many messages of the
-- flood were served in the longest of them.
local function flooded(bytes, options)
  local s = scene.new()
  local of_flood, most = 0, 0
  s:server(options, { message = function(conn, data, opcode)
    if data == "honest" then conn:send(data, opcode) else of_flood = of_flood + 1 end
  end, ping = function() of_flood = of_flood + 1 end })
  local raw = s:raw()
  raw:send(scene.upgrade)
  s:wait(function() return raw:take("\r\n\r\n") end)
  local honest, turns = s:open(), 0
  for _ = 1, 20 do -- fills the socket's buffers
    if #raw.out < 1000000 then raw:send(bytes) end
    s.loop:turn(0)
  end
  for _ = 1, 20 do
    local before = honest.messages
    honest.conn:send("honest", "binary")
    local taken = 0
    while honest.messages == before do
      if #raw.out < 1000000 then raw:send(bytes) end
      raw:pump()
      local served = of_flood
      s.loop:turn(0)
      most = math.max(most, of_flood - served)
      taken = taken + 1
      assert(taken < 100, "no echo")
    end
    turns = math.max(turns, taken)
  end
  assert(of_flood > 1000, "no flood")
  s:strike()
  return turns, most
end

local function check_flood(name, bytes)
  local turns, served = flooded(bytes, { maxPayload = 65536 })
  check(name .. ": turns to an honest echo", turns, 4)
  check(name .. ": messages of it in one turn", served, 4000)
end

check_flood("a flood of short messages", frame(130, "x"):rep(40000))
check_flood("a flood of pings", frame(137, ""):rep(40000))
check_flood("a flood of tiny fragments",
  (frame(2, "") .. frame(0, "x"):rep(8) .. frame(128, "")):rep(8000))

-- -------------------------------------------------------------- little memory

faults.limitLua(128 * 1024)
local made, little = pcall(core.loop)
faults.limitLua()
check("loops not made where Lua's blocks have 128 KiB at most", made and 0 or 1, 0)
if made then little:close() end

core.failAllocation(0)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
