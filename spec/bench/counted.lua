-- SPDX-License-Identifier: MIT
-- The Lua program whose instructions `make instructions` counts: a client and a
-- server of ws.protocol, in memory.
--   counted.lua KIND SIZE MESSAGES   KIND: binary, text or deflate.

local protocol = require "ws.protocol"

local kind, size, messages = arg[1], tonumber(arg[2]), tonumber(arg[3])
local opcode = kind == "binary" and "binary" or "text"
local unit = kind == "deflate" and '{"id":1042,"name":"Ann","at":[12.25,-3.5]},' or "x"
local payload = unit:rep(math.ceil(size / #unit)):sub(1, size)
local compression = kind == "deflate" and { threshold = 0 } or false

local client = protocol.client { url = "ws://h/", compression = compression }
local server = protocol.server { compression = compression }
local came = 0

local function pass(from, to, handle)
  to:feed(from:output())
  for event in to:events() do handle(event) end
end

local function echo(event)
  if event.type == "message" then server:send(event.data, event.opcode) end
end

local function check(event)
  if event.type ~= "message" then return end
  assert(event.data == payload and event.opcode == opcode, "not what was sent")
  came = came + 1
end

pass(client, server, echo)
pass(server, client, check)
for _ = 1, messages do
  client:send(payload, opcode)
  pass(client, server, echo)
  pass(server, client, check)
end
assert(came == messages, "messages are missing")
