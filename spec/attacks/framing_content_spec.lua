-- SPDX-License-Identifier: MIT
-- Attacks A40 to A43 and A48 to A50: limits, text, Close frames, masks, buffers and
-- sizes.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local close_body, wait_until = helper.close_body, helper.wait_until
local CONTINUATION, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9

describe("content:", function()
  local ground = proving.ground(before_each, after_each)

  -- The payload in fragments of the given sizes; the last gets the rest.
  local function fragments(victim, opcode, payload, sizes)
    local frames, from = {}, 1
    for i, size in ipairs(sizes) do
      local part = payload:sub(from, from + size - 1)
      frames[i] = victim:frame(i == 1 and opcode or CONTINUATION, part, { fin = false })
      from = from + size
    end
    frames[#frames + 1] = victim:frame(#frames == 0 and opcode or CONTINUATION, payload:sub(from))
    return table.concat(frames)
  end

  for _, role in ipairs(proving.roles) do
    it(("A40 %s: a message under, at and over the limit, in one piece and in many"):format(role),
      function()
        for _, sizes in ipairs { {}, { 1 }, { 500, 499 }, { 1000 }, { 999, 1 }, { 0, 1000, 0 } } do
          for _, size in ipairs { 999, 1000, 1001 } do
            local victim = ground:victim(role, { maxPayload = 1000 })
            victim:send(fragments(victim, BINARY, ("x"):rep(size), sizes))
            if size > 1000 then victim:fails(1009)
            else victim:happened("message binary " .. ("x"):rep(size)) end
            victim.raw:close()
          end
        end
      end)

    it(("A41 %s: without a limit the same path is taken (CVE-2026-0716)"):format(role), function()
      local victim = ground:victim(role, { maxPayload = 0 })
      local large = ("y"):rep(3 * 1048576)
      victim:send(fragments(victim, BINARY, large, { 1, 1048576 }))
      victim:happened("message binary " .. large)
      victim:send(victim:frame(BINARY, "a", { fin = false }) .. victim:frame(CONTINUATION, "b"))
      victim:happened("message binary " .. large, "message binary ab")
    end)

    local bad = {
      "\128", "\191", "a\128b", "\192\128", "\193\191", "\195(", "\195\195", "\224\128\128",
      "\224\159\191", "\226\130(", "\226(\161", "\237\160\128", "\237\191\191", "\240\128\128\128",
      "\240\143\191\191", "\240\159\152(", "\240(\140\188", "\244\144\128\128", "\245\128\128\128",
      "\248\136\128\128\128", "\252\132\128\128\128\128", "\254", "\255", "ok\0\255",
    }
    local cut_off = { "\195", "\226", "\226\130", "\240", "\240\159", "\240\159\152" }

    it(("A42 %s: ill-formed text of every class, split everywhere, a ping between: 1007")
      :format(role), function()
        local all = { (table.unpack or rawget(_G, "unpack"))(bad) }
        for _, text in ipairs(cut_off) do all[#all + 1] = text end
        for _, text in ipairs(all) do
          for cut = 0, #text do
            local victim = ground:victim(role)
            victim:send(victim:frame(TEXT, "é" .. text:sub(1, cut), { fin = false })
              .. victim:frame(PING, "p") .. victim:frame(CONTINUATION, text:sub(cut + 1)))
            victim:fails(1007)
          end
        end
        for _, text in ipairs(all) do
          local victim = ground:victim(role)
          victim:send(victim:frame(TEXT, ("a"):rep(300) .. text))
          victim:fails(1007)
        end
      end)

    it(("A42 %s: text fails at its first bad byte, before the rest has come"):format(role),
      function()
        for _, text in ipairs(bad) do
          local victim = ground:victim(role)
          victim:send(victim:frame(TEXT, "12345" .. text, { length = 5000 }))
          victim:fails(1007)
        end
      end)

    it(("A42 %s: the edges of what is well-formed pass, at every cut"):format(role), function()
      local text = "\0\127\194\128\223\191\224\160\128\236\191\191\237\159\191\238\128\128"
        .. "\239\191\191\240\144\128\128\244\143\191\191\239\187\191"
      local victim = ground:victim(role)
      local log = {}
      for cut = 0, #text do
        victim:send(fragments(victim, TEXT, text, { cut }), 5)
        log[#log + 1] = "message text " .. text
      end
      victim:happened((table.unpack or rawget(_G, "unpack"))(log))
    end)

    it(("A43 %s: Close frames that may not be: 1002, a bad reason 1007"):format(role), function()
      local cases = { { 1002, "\3" }, { 1002, close_body(1000, ("x"):rep(124)) } }
      for _, code in ipairs { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
        65535 } do
        cases[#cases + 1] = { 1002, close_body(code) }
      end
      for _, text in ipairs(bad) do cases[#cases + 1] = { 1007, close_body(1000, text) } end
      for _, text in ipairs(cut_off) do cases[#cases + 1] = { 1007, close_body(1000, text) } end
      for _, case in ipairs(cases) do
        local victim = ground:victim(role)
        victim:send(victim:frame(CLOSE, case[2]))
        victim:fails(case[1])
      end
    end)

    it(("A43 %s: Close frames that may be, then a flood: one close event, one answer")
      :format(role), function()
        for _, code in ipairs { 1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999 } do
          local victim = ground:victim(role)
          local flood = victim:frame(CLOSE, close_body(1001)) .. victim:frame(TEXT, "late")
            .. victim:frame(PING, "p") .. "\255\255"
          victim:send(victim:frame(CLOSE, close_body(code, ("ä"):rep(61))) .. flood:rep(1000))
          victim.raw:shutdown()
          local opcode, payload = victim.raw:frame()
          assert.same({ CLOSE, close_body(code) }, { opcode, payload:sub(1, 2) })
          assert.is_true(#payload <= 125)
          victim.raw:wait(function(self) return self.ended end, "the end")
          assert.equal("", victim.raw.bytes)
          victim:happened("close " .. code)
          victim.raw:close()
        end
      end)

    it(("A43 %s: both close at once, with codes of their own"):format(role), function()
      local victim = ground:victim(role)
      victim:send(victim:frame(CLOSE, close_body(4001)))
      victim.sock:close(4002)
      victim.raw:shutdown()
      assert.equal(CLOSE, (victim.raw:frame()))
      assert.equal("", victim.raw:all())
      victim:happened "close 4001"
    end)
  end

  -- ------------------------------------------------------------------- masks

  it("A48 20,000 mask keys: uniform, new for each frame (CVE-2025-10148 aiohttp-threat-3.2)",
    function()
      local FRAMES = 20000
      local sock, _, raw = ground:opened()
      for _ = 1, FRAMES do sock:send "x" end
      local chunks, total = {}, 0
      raw:wait(function(self)
        chunks[#chunks + 1], total = self.bytes, total + #self.bytes
        self.bytes = ""
        return total >= FRAMES * 7
      end)
      local bytes, seen, repeats, counts = table.concat(chunks), {}, 0, {}
      for at = 1, #bytes, 7 do
        assert.equal(129, bytes:byte(at + 1))
        local key = bytes:sub(at + 2, at + 5)
        if seen[key] then repeats = repeats + 1 end
        seen[key] = true
        for i = 1, 4 do
          local slot = i * 256 + key:byte(i)
          counts[slot] = (counts[slot] or 0) + 1
        end
      end
      assert.is_true(repeats <= 3, repeats) -- 0.05 are expected
      for i = 1, 4 do
        local chi, expected = 0, FRAMES / 256
        for value = 0, 255 do
          chi = chi + ((counts[i * 256 + value] or 0) - expected) ^ 2 / expected
        end
        assert.is_true(chi > 120 and chi < 400, chi) -- 255 plus or minus six deviations
      end
    end)

  it("A49 what was sent is not changed, and no pointer to it outlives it (libwebsockets#1362)",
    function()
      for _, role in ipairs(proving.roles) do
        local victim = ground:victim(role, { highWaterMark = 2 ^ 30 })
        local sizes = { 1, 125, 126, 5000, 70000, 3000000 }
        for _, size in ipairs(sizes) do
          local text = ("abcdefgh"):rep(math.ceil(size / 8)):sub(1, size)
          victim.sock:send(text, "binary")
          assert.equal(("abcdefgh"):rep(math.ceil(size / 8)):sub(1, size), text)
        end
        collectgarbage() collectgarbage()
        for i = 1, 50 do assert.equal(100000, #(("%09d"):format(i) .. ("z"):rep(99991))) end
        for _, size in ipairs(sizes) do
          local _, payload = victim.raw:frame()
          assert.is_true(payload == ("abcdefgh"):rep(math.ceil(size / 8)):sub(1, size))
        end
      end
    end)

  -- ------------------------------------------------------------------- sizes

  it("A50 an echo of every size that matters, in both roles, up to 16 MiB", function()
    local _, url = ground:serve { maxPayload = 2 ^ 25, maxBackpressure = 2 ^ 26 }
    local sock, log = ground:client(url, { maxPayload = 2 ^ 25 })
    wait_until(function() return log[1] end)
    for _, size in ipairs { 0, 1, 2, 124, 125, 126, 127, 128, 65535, 65536, 65537, 1048576,
      4194304, 16777216 } do
      for _, opcode in ipairs { "text", "binary" } do
        local data = ("0123456789abcdef"):rep(math.ceil(size / 16)):sub(1, size)
        local before = #log
        sock:send(data, opcode)
        wait_until(function() return log[before + 1] end, 20000)
        local event = log[before + 1][2]
        assert.same({ opcode, size }, { event.opcode, #event.data })
        assert.is_true(event.data == data)
      end
    end
  end)

  it("A50 messages of 64 KiB cut into fragments and segments of all kinds", function()
    local data = ("0123456789abcdef"):rep(4096)
    for _, role in ipairs(proving.roles) do
      for _, piece in ipairs { 64, 997, 4096, 65536 } do
        for _, segment in ipairs { 7, 1460, 65536 } do
          if not (piece == 64 and segment == 7) then
            local sizes = {}
            for i = 1, math.floor(#data / piece) - 1 do sizes[i] = piece end
            local victim = ground:victim(role)
            victim:send(fragments(victim, TEXT, data, sizes), segment)
            victim:happened("message text " .. data)
            victim.raw:close()
          end
        end
      end
    end
  end)
end)

describe("content, deflated:", function()
  local DEFLATE = { threshold = 0 }

  -- Makes all of the loop's sixteen deflaters and inflaters, which are created on demand.
  setup(function()
    local server, url = helper.echo_server { compression = DEFLATE }
    local socks, got = {}, 0
    for i = 1, 40 do
      local sock = ws.new(url, { compression = DEFLATE })
      sock.onopen = function() sock:send(("x"):rep(5000)) end
      sock.onmessage = function() got = got + 1 end
      socks[i] = sock
    end
    wait_until(function() return got == 40 end)
    for _, sock in ipairs(socks) do sock:terminate() end
    server:close()
    helper.settle()
  end)

  local ground = proving.ground(before_each, after_each)

  it("A40 server: a message over the limit only when it is inflated", function()
    local events = {}
    local _, url = ground:serve { compression = DEFLATE, maxPayload = 1000,
      error = function(_, _, code) events[#events + 1] = code end }
    for _, size in ipairs { 999, 1000, 1001 } do
      local sock, log = ground:client(url, { compression = DEFLATE })
      sock.onopen = function() sock:send(("x"):rep(size)) end
      wait_until(function() return log[2] end)
      assert.matches("permessage", sock.extensions)
      assert.equal(size > 1000 and "open close" or "open message", log.types())
      if size > 1000 then assert.equal(1009, log[2][2].code) end
    end
    assert.same({ "ETOOBIG" }, events)
  end)

  it("A40 client: the same", function()
    local size, codes = 999, {}
    local _, url = ground:serve { compression = DEFLATE,
      open = function(sock) if size then sock:send(("x"):rep(size)) end end,
      close = function(_, code) codes[#codes + 1] = code end }
    for _, one in ipairs { 999, 1000, 1001 } do
      size = one
      local _, log = ground:client(url, { compression = DEFLATE, maxPayload = 1000 })
      wait_until(function() return log[2] end)
      assert.equal(size > 1000 and "error" or "message", log[2][1])
      if size > 1000 then assert.equal("ETOOBIG", log[2][2].code) end
    end
    size = nil
    wait_until(function() return #codes == 1 end)
    assert.equal(1009, codes[1])
  end)
end)
