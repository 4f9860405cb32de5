-- SPDX-License-Identifier: MIT
-- Attacks A51 to A54: permessage-deflate, against both roles, by raw peers whose
-- compressed data is hostile. A55 to A61: deflate_streams_spec.lua.

local deflating = require "spec.attacks.deflating"
local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local frame, close_body = helper.frame, helper.close_body
local HELLO, stored, squeezed = deflating.HELLO, deflating.stored, deflating.frame
local MIB = 2 ^ 20
local SLICE = 16 -- KiB inflated at a time

describe("permessage-deflate:", function()
  setup(deflating.fill_pools)
  local ground = proving.ground(before_each, after_each)
  local told

  local function serve(options) told = deflating.serve(ground, options) end

  local function guest() return ground:open(deflating.OFFER) end

  -- Sends frames to a server and to a client, each of which must answer with this Close.
  local function both_close(code, payloads, options)
    for _, payload in ipairs(payloads) do
      serve(options)
      local raw = guest()
      raw:send(payload(true))
      local opcode, body
      repeat opcode, body = raw:frame() until opcode == 8 or opcode == nil
      assert.equal(8, opcode)
      assert.equal(close_body(code), body:sub(1, 2))
      local client_options = { compression = true, maxPayload = options and options.maxPayload }
      local sock, log, peer = ground:opened(client_options, deflating.ANSWER)
      peer:send(payload(false))
      peer:wait(function() return sock.readyState >= 2 end, "the client to fail")
      peer:wait(function() return #peer.bytes >= 4 end, "a Close")
      opcode, body = peer:frame()
      assert.equal(8, opcode)
      assert.equal(close_body(code), body:sub(1, 2))
      peer:close()
      helper.closed(sock)
      assert.equal("open error close", log.types())
    end
  end

  it("A51 a bomb of 16 KiB ends with 1009, at most a slice over the limit (CVE-2018-1000518 "
    .. "uws-2016-bomb CVE-2026-1526 CVE-2026-27571 CVE-2026-39804 CVE-2026-54464)", function()
    local bomb = deflating.stream()(("\0"):rep(16 * MIB))
    assert.is_true(#bomb < 16400)
    local third = math.floor(#bomb / 3)
    collectgarbage() collectgarbage()
    local before = proving.resident()
    both_close(1009, {
      function(masked) return squeezed(bomb, { masked = masked }) end,
      function(masked) -- the limit is for all fragments together
        return squeezed(bomb:sub(1, third), { fin = false, masked = masked })
          .. frame(0, bomb:sub(third + 1, 2 * third), { fin = false, masked = masked })
          .. frame(0, bomb:sub(2 * third + 1), { masked = masked })
      end,
    }, { maxPayload = 100000 })
    assert.same({}, told)
    assert.is_true(proving.resident() - before < 8 * 1024 * helper.patience)
  end)

  it("A51 a bomb within a bomb is inflated once", function()
    local inner = deflating.stream()(("\0"):rep(MIB))
    serve { maxPayload = 100000 }
    local raw = guest()
    raw:send(squeezed(deflating.stream()(inner)))
    raw:frame()
    assert.same({ inner }, told)
  end)

  it("A52 bombs below the limit: a turn tells few of them, others have their turns", function()
    local count, most = 0, 0
    serve { maxPayload = MIB, message = function(sock, data)
      if #data < MIB then return sock:send(data) end
      count = count + 1
    end }
    local bomb = squeezed(deflating.stream()(("\0"):rep(MIB)))
    assert.is_true(60 * #bomb < 65536, "they fit into one read")
    local raw = guest()
    raw:send(bomb:rep(60))
    while count < 60 do
      local before = count
      ws.poll(1000)
      most = math.max(most, count - before)
    end
    assert.is_true(most <= 2, most .. " MiB in one turn")
  end)

  it("A52 blocks of nothing but tables cost time in proportion", function()
    serve()
    local raw = guest()
    local thousand = deflating.tables(1000)
    proving.linear(function(thousands)
      raw:send(squeezed((thousand .. "\0\0\255\255"):rep(thousands - 1) .. thousand))
      raw:frame()
      assert.equal("", told[#told])
    end, 1)
  end)

  it("A53 bytes that are not deflate: 1007 (CVE-2022-21676 libwebsockets#2120)", function()
    local payloads = {}
    for _, payload in ipairs {
      "\6", -- a reserved kind of block
      "\242\0\17\0\0", -- from before the window's beginning
      "\0\5\0\250\254Hello\0", -- a length that its complement contradicts
      "\4\0\254\255", -- too many code lengths
      "\252" .. ("\255"):rep(40), -- more codes than their lengths have room for
      "\242\72", -- cut short
      "\0\5\0\250\255Hello", -- the empty block is missing
      "\243\72\205\201\201\7\0\6", -- after a last block, something that is not deflate
    } do
      payloads[#payloads + 1] = function(masked) return squeezed(payload, { masked = masked }) end
    end
    both_close(1007, payloads)
  end)

  it("A53 empty and tiny blocks, and last blocks (RFC 7692 7.2.3.4), are read on", function()
    serve()
    local raw = guest()
    local letters = {}
    for i = 1, 5000 do letters[i] = stored "x" end
    raw:send(squeezed(stored(""):rep(20000) .. "\0"))
    raw:send(squeezed(table.concat(letters) .. "\0"))
    raw:send(squeezed(("\1\0\0\255\255"):rep(1000) .. "\0")) -- a thousand last blocks
    raw:send(squeezed("\243\72\205\201\201\7\0\0"))
    raw:wait(function() return #told == 4 end, "four messages")
    assert.same({ "", ("x"):rep(5000), "", "Hello" }, told)
  end)

  it("A54 the four bytes at the end: all lengths around a buffer's (CVE-2026-29035 "
    .. "libwebsockets#1413)", function()
    serve { maxPayload = 3 * SLICE * 1024 }
    local sock = ground:client(ground.url, { compression = { threshold = 0 } })
    local raw = guest()
    helper.wait_until(function() return sock.readyState == 1 end)
    local sent = {}
    for _, around in ipairs { 4, 125, 1024, 4096, SLICE * 1024, 2 * SLICE * 1024 } do
      for length = around - 4, around + 4 do
        local text = ("\0\0\255\255abc"):rep(math.ceil(length / 7)):sub(-length)
        if length == 0 then text = "" end
        sent[#sent + 1] = text
        raw:send(squeezed(stored(text) .. "\0")) -- stored, so of exactly that length
        raw:wait(function() return #told == #sent end)
        sent[#sent + 1] = text
        sock:send(text, "binary")
        raw:wait(function() return #told == #sent end)
      end
    end
    assert.same(sent, told)
  end)

  it("A54 empty messages of every kind, and ones that end like the tail", function()
    serve()
    local raw = guest()
    raw:send(squeezed "\0")
    raw:send(squeezed "")
    raw:send(squeezed("", { fin = false }) .. frame(0, "", { fin = false }) .. frame(0, ""))
    raw:send(squeezed(stored "a\0\0\255\255" .. "\0"))
    raw:send(squeezed("\0\0\0\255\255\0\0\0\255\255\0")) -- the tail of RFC 7692, twice
    raw:wait(function() return #told == 5 end, "five messages")
    assert.same({ "", "", "", "a\0\0\255\255", "" }, told)
  end)
end)

describe("compression that was not agreed:", function()
  local ground = proving.ground(before_each, after_each)

  it("a compressed frame is 1002 for both (CVE-2026-59881 bandit#651 CVE-2022-21676)", function()
    for _, how in ipairs { {}, { fin = false }, { rsv = 2 }, { rsv = 1 }, { opcode = 1 } } do
      ground:serve()
      local raw = ground:open()
      raw:send(squeezed(HELLO, how))
      local opcode, body = raw:frame()
      assert.equal(8, opcode)
      assert.equal(close_body(1002), body:sub(1, 2))
      local sock, log, peer = ground:opened()
      peer:send(squeezed(HELLO, { masked = false, fin = how.fin, rsv = how.rsv,
                                  opcode = how.opcode }))
      opcode, body = peer:frame()
      assert.equal(8, opcode)
      assert.equal(close_body(1002), body:sub(1, 2))
      peer:close()
      helper.closed(sock)
      assert.equal("open error close", log.types())
    end
  end)
end)
