-- SPDX-License-Identifier: MIT
-- Attacks A55 to A61: permessage-deflate over many messages: windows, their sizes
-- and how connections share them, memory, secrets.

local core = require "ws.core"
local deflating = require "spec.attacks.deflating"
local helper = require "spec.helper"
local proving = require "spec.attacks.proving"

local frame, close_body = helper.frame, helper.close_body
local HELLO, AGAIN = deflating.HELLO, deflating.AGAIN
local stored, squeezed = deflating.stored, deflating.frame
local MIB = 2 ^ 20

describe("streams of permessage-deflate:", function()
  setup(deflating.fill_pools)
  local ground = proving.ground(before_each, after_each)
  local told, url

  local function serve(options) told, url = deflating.serve(ground, options) end

  local function guest() return ground:open(deflating.OFFER) end

  it("A55 pings between compressed messages and their fragments (aiohttp#13274)", function()
    serve()
    local raw = guest()
    raw:send(frame(10, "pong") .. squeezed(HELLO) .. frame(9, "1") .. squeezed(AGAIN)
      .. frame(10, "late") .. squeezed(HELLO:sub(1, 3), { fin = false }) .. frame(9, "2")
      .. frame(10, "") .. frame(0, HELLO:sub(4)))
    raw:wait(function() return #told == 3 end, "three messages")
    assert.same({ "Hello", "Hello", "Hello" }, told)
    local sock, _, peer = ground:opened({ compression = true }, deflating.ANSWER)
    local got = {}
    sock.onmessage = function(event) got[#got + 1] = event.data end
    local as_server = { masked = false }
    peer:send(frame(10, "pong", as_server) .. squeezed(HELLO, as_server)
      .. frame(9, "1", as_server) .. squeezed(AGAIN, as_server))
    peer:wait(function() return #got == 2 end, "two messages")
    assert.same({ "Hello", "Hello" }, got)
  end)

  it("A55 no connection inflates what another one sent, though they share pools", function()
    serve()
    for _ = 1, 20 do -- more than there are inflaters
      local raw = guest()
      raw:send(squeezed(HELLO))
      raw:frame()
    end
    for _ = 1, 20 do
      local raw = guest()
      raw:send(squeezed(AGAIN))
      local opcode, body = raw:frame()
      assert.equal(8, opcode)
      assert.equal(close_body(1007), body:sub(1, 2))
    end
    assert.equal(20, #told)
  end)

  it("A55 others go on in their windows after one was refused by the limit", function()
    serve { maxPayload = 1000 }
    local first, second = guest(), guest()
    for _, raw in ipairs { first, second } do raw:send(squeezed(HELLO)) raw:frame() end
    first:send(squeezed(deflating.stream()(("x"):rep(5000))))
    assert.equal(8, (first:frame()))
    second:send(squeezed(AGAIN))
    second:frame()
    assert.same({ "Hello", "Hello", "Hello" }, told)
  end)

  it("A56 a window of 8 bits is never what our deflater uses (zlib#171)", function()
    serve()
    local raw = ground:open { ["Sec-WebSocket-Extensions"] =
      "permessage-deflate; server_max_window_bits=8" }
    local text = core.base64(core.sha1 "x"):rep(40)
    raw:send(squeezed(stored(text) .. "\0"))
    raw:wait(function() return #raw.bytes > 0 end)
    assert.equal(0x82, raw.bytes:byte()) -- not compressed
    assert.equal(text, (select(2, raw:frame())))
  end)

  it("A56 impossible windows are refused by both (CVE-2026-2229)", function()
    serve()
    for _, value in ipairs { "0", "7", "16", "015", "-9", "9;9", "99999999999999999999", "\"",
                             "9 9" } do
      local raw = ground:raw(helper.handshake { ["Sec-WebSocket-Extensions"] =
        "permessage-deflate; server_max_window_bits=" .. value })
      local status, headers = raw:head()
      assert.is_true(status == 400 or status == 101, value)
      assert.is_nil(headers["sec-websocket-extensions"], value)
      local sock, log, peer = ground:meet { compression = true }
      peer:welcome("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="
        .. value .. "\r\n")
      helper.closed(sock)
      assert.equal("error close", log.types(), value)
    end
  end)

  it("A56 a peer that breaks its promise of a small window is read within bounds", function()
    serve()
    local raw = ground:open { ["Sec-WebSocket-Extensions"] =
      "permessage-deflate; client_max_window_bits=9" }
    local squeeze, text = deflating.stream(), {}
    for i = 1, 1000 do text[i] = core.base64(core.sha1(tostring(i))) end
    text = table.concat(text)
    for _ = 1, 3 do raw:send(squeezed(squeeze(text))) end
    raw:wait(function() return #told == 3 or #raw.bytes > 3 and raw.ended end)
    for _, data in ipairs(told) do assert.equal(text, data) end
  end)

  it("A58 memory fails at every step of a compressed echo: that connection only "
    .. "(bandit#478)", function()
    ground:expect_errors()
    serve()
    local ends, echoes = 0, 0
    for n = 1, 60 do
      local sock, log = ground:client(url, { compression = { threshold = 0 } })
      helper.wait_until(function() return sock.readyState == 1 end)
      core.failAllocation(n)
      pcall(sock.send, sock, ("text %d "):format(n):rep(2000))
      pcall(helper.turn_for, 5)
      core.failAllocation(0)
      helper.wait_until(function() return sock.readyState == 3 or log[2] end)
      if log[2][1] == "message" then echoes = echoes + 1 else ends = ends + 1 end
      sock:terminate()
    end
    assert.is_true(ends > 3 and echoes > 3, ends .. " ends, " .. echoes .. " echoes")
  end)

  -- The pattern that overran zlib's pending buffer: many distant matches among
  -- literals, which take more bits than zlib had reckoned with.
  it("A59 what overran zlib's own buffers comes through (CVE-2018-25032 CVE-2016-9840)",
    function()
      serve { maxPayload = MIB }
      local parts, seed = {}, 1
      for i = 1, 60000 do
        seed = seed * 48271 % 2147483647
        parts[i] = i % 2 == 0 and string.char(seed % 256)
          or (parts[math.max(1, i - 8000 + seed % 50)] or "ab") .. "c"
        if #parts[i] > 3 then parts[i] = parts[i]:sub(1, 3) end
      end
      local text = table.concat(parts)
      for level = 1, 9, 4 do
        local sock = ground:client(url, { compression = { level = level, threshold = 0 } })
        helper.wait_until(function() return sock.readyState == 1 end)
        local got
        sock.onmessage = function(event) got = event.data end
        for _ = 1, 2 do
          sock:send(text, "binary")
          got = nil
          helper.wait_until(function() return got end)
          assert.is_true(got == text, "level " .. level)
        end
      end
    end)

  it("A60 a message with compress = false has no RSV1 and leaves no trace in the window "
    .. "(CVE-2012-4929 CVE-2013-3587)", function()
    local secret = core.base64(core.sha1 "secret"):rep(3)
    serve { message = function(sock, data)
      if data == "proof" then return sock:send(data) end
      sock:send(secret, "binary", { compress = data ~= "secret" })
    end }
    local raw = guest()
    local function reply_to(text)
      raw:send(frame(1, text))
      raw:wait(function() return #raw.bytes > 1 end)
      local first = raw.bytes:byte()
      return first, select(2, raw:frame())
    end
    local first, payload = reply_to "secret"
    assert.equal(0x82, first)
    assert.equal(secret, payload)
    first, payload = reply_to "open"
    assert.equal(0xc2, first)
    -- It inflates without the secret message before it, so it does not refer to it.
    assert.same({ secret }, deflating.inflated { payload })
    local _, again = reply_to "open"
    assert.is_true(#again < #payload)
  end)

  it("A60 short messages go as they are by default", function()
    serve { compression = true }
    local raw = guest()
    raw:send(frame(2, ("x"):rep(1023)) .. frame(2, ("x"):rep(1024)))
    raw:wait(function() return #raw.bytes > 1030 end)
    assert.equal(0x82, raw.bytes:byte())
    raw:frame()
    assert.equal(0xc2, raw.bytes:byte())
  end)

  it("A61 300 messages of all kinds, both ways, at each level", function()
    serve { compression = { level = 9, threshold = 0 }, maxPayload = MIB }
    local sock = ground:client(url, { compression = { level = 1, threshold = 0 } })
    local squeeze, raw = deflating.stream { level = 6 }, guest()
    helper.wait_until(function() return sock.readyState == 1 end)
    local seed = 7
    local function random(n)
      seed = seed * 48271 % 2147483647
      return seed % n
    end
    local sent = {}
    for i = 1, 300 do
      local unit = core.sha1(tostring(random(40))):sub(1, 1 + random(20))
      local text = unit:rep(random(i % 20 == 0 and 4000 or 100)) .. ("%d"):format(random(1000))
      sent[i] = text
      if i % 2 == 0 then sock:send(text, "binary") else raw:send(squeezed(squeeze(text))) end
      raw:wait(function() return #told == i end, "message " .. i)
    end
    assert.same(sent, told)
  end)
end)
