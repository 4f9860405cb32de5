-- SPDX-License-Identifier: MIT
-- Compressed payloads for the attacks on permessage-deflate, as a hostile peer would
-- write them: with our own deflater, or bit by bit (RFC 1951).

local core = require "ws.core"
local helper = require "spec.helper"
local ws = require "ws"

local deflating = {}

--- The headers that negotiate compression, for a raw client and a raw server.
deflating.OFFER = { ["Sec-WebSocket-Extensions"] = "permessage-deflate" }
deflating.ANSWER = "Sec-WebSocket-Extensions: permessage-deflate\r\n"

--- "Hello" compressed, and the same message again, as a match in the window.
deflating.HELLO = "\242\72\205\201\201\7\0"
deflating.AGAIN = "\242\0\17\0\0"

--- Makes the loop create all the deflaters and inflaters that it keeps, so that blocks
--- counted before and after a test include them.
function deflating.fill_pools()
  local server, url = helper.echo_server { compression = { threshold = 0 } }
  local socks, echoes = {}, 0
  for i = 1, 20 do
    socks[i] = ws.new(url, { compression = { threshold = 0 } })
    socks[i].onopen = function() socks[i]:send "hello" end
    socks[i].onmessage = function() echoes = echoes + 1 end
  end
  helper.wait_until(function() return echoes == 20 end, 5000, "20 echoes")
  for _, sock in ipairs(socks) do sock:terminate() end
  helper.wait_until(function() return server.connections == 0 end)
  server:close()
end

--- Serves on the ground, compressing every echo. Returns the list of messages that the
--- server got, and its URL. `more` adds or replaces options.
function deflating.serve(ground, more)
  local told = {}
  local options = { compression = { threshold = 0 }, message = function(sock, data, opcode)
    told[#told + 1] = data
    sock:send(data, opcode)
  end }
  for name, value in pairs(more or {}) do options[name] = value end
  local _, url = ground:serve(options)
  return told, url
end

local function payload_of(frame)
  local length = frame:byte(2) % 128
  return frame:sub(length == 126 and 5 or length == 127 and 11 or 3)
end

--- Returns a function that compresses message after message, as one stream.
function deflating.stream(options)
  local deflate = { threshold = 0, level = 9 }
  for name, value in pairs(options or {}) do deflate[name] = value end
  local client = core.session { role = "client", url = "ws://h/", deflate = deflate }
  local server = core.session { role = "server", deflate = deflate }
  server:feed(client:output())
  while server:next() do end
  assert(server:accept())
  client:feed(server:output())
  return function(text)
    assert(server:send(text, "binary"))
    local frame = server:output()
    assert(frame:byte() == 0xc2, "it was not compressed")
    return payload_of(frame)
  end
end

--- The messages to which `payloads` inflate, one after the other.
function deflating.inflated(payloads)
  local client = core.session { role = "client", url = "ws://h/", deflate = {} }
  local server = core.session { role = "server", deflate = {} }
  server:feed(client:output())
  while server:next() do end
  assert(server:accept())
  client:feed(server:output())
  local texts = {}
  for _, payload in ipairs(payloads) do
    local length = #payload
    local size = length < 126 and string.char(length)
      or string.char(126, math.floor(length / 256), length % 256)
    client:feed("\194" .. size .. payload)
  end
  while true do
    local event, data = client:next()
    if not event then return texts end
    if event == "message" then texts[#texts + 1] = data end
    if event == "fail" or event == "error" then texts.failed = true end
  end
end

--- A compressed frame as a client sends it, or, with masked = false, a server.
function deflating.frame(payload, how)
  how = how or {}
  return helper.frame(how.opcode or 2, payload,
    { rsv = how.rsv or 4, fin = how.fin, masked = how.masked })
end

--- Text as a stored block (3.2.4), not the last one.
function deflating.stored(text)
  local low, high = #text % 256, math.floor(#text / 256)
  return string.char(0, low, high, 255 - low, 255 - high) .. text
end

-- ---------------------------------------------------------------- bit by bit

local Bits = {}
Bits.__index = Bits

function Bits:bit(bit)
  self.byte, self.count = self.byte + bit * 2 ^ self.count, self.count + 1
  if self.count == 8 then
    self.bytes[#self.bytes + 1] = string.char(self.byte)
    self.byte, self.count = 0, 0
  end
end

-- A number, its lowest bit first.
function Bits:number(value, length)
  for _ = 1, length do
    self:bit(value % 2)
    value = math.floor(value / 2)
  end
end

-- A Huffman code, its highest bit first.
function Bits:code(code, length)
  for i = length - 1, 0, -1 do self:bit(math.floor(code / 2 ^ i) % 2) end
end

local CODE_OF_LENGTH = { [4] = 0, [5] = 1, [8] = 2, [9] = 3 }

-- The lengths of the codes for code lengths: those for 4, 5, 8 and 9 have two bits.
local function length_codes(bits)
  for _, symbol in ipairs { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 } do
    bits:number(CODE_OF_LENGTH[symbol] and 2 or 0, 3)
  end
end

-- An empty block with the most codes there can be: 286 and 30 (3.2.7).
local function greatest_tables(bits)
  bits:number(0, 1)
  bits:number(2, 2)
  bits:number(286 - 257, 5)
  bits:number(30 - 1, 5)
  bits:number(19 - 4, 4)
  length_codes(bits)
  for symbol = 0, 285 do bits:code(CODE_OF_LENGTH[symbol < 226 and 8 or 9], 2) end
  for symbol = 0, 29 do bits:code(CODE_OF_LENGTH[symbol < 2 and 4 or 5], 2) end
  bits:code(226 * 2 + 256 - 226, 9)
end

--- `count` empty blocks, each with the largest tables there are, and the empty
--- stored block that ends a message, without its last four bytes.
function deflating.tables(count)
  local bits = setmetatable({ bytes = {}, byte = 0, count = 0 }, Bits)
  for _ = 1, count do greatest_tables(bits) end
  bits:number(0, 3)
  while bits.count ~= 0 do bits:bit(0) end
  return table.concat(bits.bytes)
end

return deflating
