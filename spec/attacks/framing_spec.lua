-- SPDX-License-Identifier: MIT
-- Attacks A31 to A38: frames that are invalid, in wrong places or of wrong lengths;
-- against a server and against a client, in TCP segments of several sizes.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"

local close_body, wait_until = helper.close_body, helper.wait_until
local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
local CUTS = { 1, 2, 7, 1460, 65536 } -- bytes per TCP segment

describe("framing:", function()
  local ground = proving.ground(before_each, after_each)

  -- Sends what make(frame) returns, in segments of each size: it must fail with the code.
  local function fails(role, code, make, before, options)
    for _, size in ipairs(CUTS) do
      local victim = ground:victim(role, options)
      victim:send(make(function(...) return victim:frame(...) end), size)
      victim:fails(code, before)
    end
  end

  local function works(role, make, ...)
    local last = select(select("#", ...), ...)
    for _, size in ipairs(CUTS) do
      local victim = ground:victim(role)
      victim:send(make(function(...) return victim:frame(...) end), size)
      if last:find "^close" then victim.raw:shutdown() end
      victim:happened(...)
      victim.raw:close()
    end
  end

  local MAXIMAL = "\127\255\255\255\255\255\255\255"

  for _, role in ipairs(proving.roles) do
    local mask = role == "server" and 128 or 0
    local key = role == "server" and "\0\0\0\0" or ""
    local function head(first, length, extended)
      return string.char(first, mask + length) .. (extended or "") .. key
    end

    it(("A31 %s: reserved opcodes and bits: 1002 (CVE-2022-21676 CVE-2026-59881 bandit#651)")
      :format(role), function()
        for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
          fails(role, 1002, function(frame) return frame(opcode, "x") end)
        end
        for rsv = 1, 7 do
          for _, opcode in ipairs { TEXT, BINARY, CLOSE, PING, PONG } do
            fails(role, 1002, function(frame) return frame(opcode, "", { rsv = rsv }) end)
          end
          fails(role, 1002, function(frame)
            return frame(TEXT, "a", { fin = false }) .. frame(CONTINUATION, "b", { rsv = rsv })
          end)
        end
      end)

    it(("A32 %s: wrong masking: 1002 at the header (aiohttp-threat-3.1 GHSA-rhh8)"):format(role),
      function()
        for _, opcode in ipairs { TEXT, BINARY, CLOSE, PING } do
          fails(role, 1002, function(frame)
            return frame(opcode, "x", { masked = role ~= "server", length = 100 }):sub(1, 2)
          end)
        end
      end)

    it(("A33 %s: lengths not in their shortest form, or above 2^63: 1002 (CVE-2026-1528)")
      :format(role), function()
        for _, length in ipairs { "\0\0", "\0\1", "\0\125" } do
          fails(role, 1002, function() return head(130, 126, length) end)
        end
        local zeros = ("\0"):rep(5)
        for _, length in ipairs { zeros .. "\0\0\0", zeros .. "\0\0\126", zeros .. "\0\255\255",
          "\128" .. zeros .. "\0\5", ("\255"):rep(8), "\255" .. zeros .. "\0\0" } do
          fails(role, 1002, function() return head(130, 127, length) end)
        end
      end)

    it(("A33 %s: 2^63 - 1 and the like: 1009 at the header, whatever the limit (CVE-2020-27813 "
      .. "CVE-2026-27889 CVE-2017-18922 CVE-2026-0716)"):format(role), function()
        for _, limit in ipairs { 100, 1048576, 0 } do
          for _, length in ipairs { MAXIMAL, "\64" .. ("\0"):rep(7), "\127" .. ("\255"):rep(6)
            .. "\251" } do
            fails(role, 1009, function() return head(130, 127, length) end, nil,
              { maxPayload = limit })
          end
        end
      end)

    it(("A34 %s: fragments whose sum wraps: 1009 (CVE-2017-2921 CVE-2020-13935 resiprocate#478 "
      .. "gpac#3860 CVE-2025-5399)"):format(role), function()
        for _, limit in ipairs { 1048576, 0 } do
          for _, length in ipairs { MAXIMAL, "\127" .. ("\255"):rep(6) .. "\246",
            "\63" .. ("\255"):rep(7) } do
            fails(role, 1009, function(frame)
              return frame(BINARY, ("x"):rep(10), { fin = false }) .. head(128, 127, length)
            end, nil, { maxPayload = limit })
          end
        end
        for _, length in ipairs { "\0\0\0\0\255\255\255\246", "\0\0\0\1\0\0\0\0" } do
          fails(role, 1009, function(frame) -- 2^32 and nearby
            return frame(BINARY, ("x"):rep(10), { fin = false }) .. head(128, 127, length)
          end, nil, { maxPayload = 1048576 })
        end
      end)

    it(("A35 %s: 1 GiB declared, 100 KiB sent, then silence (CVE-2022-35922 CVE-2018-21035 "
      .. "CVE-2025-32049 CVE-2021-21419 CVE-2015-1779 ws-2016-large)"):format(role), function()
        local limits = { maxPayload = 2 ^ 31, pingInterval = 150, pingTimeout = 150 }
        local victim = ground:victim(role, limits)
        collectgarbage()
        local before = proving.resident()
        victim.raw:send(victim:frame(BINARY, ("x"):rep(102400), { length = 2 ^ 30 }))
        helper.turn_for(50)
        assert.is_true(proving.resident() - before < 2048 * helper.patience)
        victim:happened("error ETIMEDOUT", "close 1006")
      end)

    it(("A36 %s: control frames too long, in pieces, or with a long form: 1002"):format(role),
      function()
        for _, opcode in ipairs { CLOSE, PING, PONG } do
          fails(role, 1002, function(frame) return frame(opcode, ("x"):rep(126)) end)
          fails(role, 1002, function(frame) return frame(opcode, "x", { fin = false }) end)
          fails(role, 1002, function() return head(128 + opcode, 126, "\0\5") end)
          fails(role, 1002, function() return head(128 + opcode, 127, ("\0"):rep(7) .. "\5") end)
          fails(role, 1002, function() return head(128 + opcode, 127, MAXIMAL) end)
        end
      end)

    it(("A36 %s: control frames between fragments change nothing of the message"):format(role),
      function()
        works(role, function(frame)
          return frame(TEXT, "a\195", { fin = false }) .. frame(PING, "1") .. frame(PONG, "2")
            .. frame(CONTINUATION, "", { fin = false }) .. frame(PING, ("x"):rep(125))
            .. frame(CONTINUATION, "\164b")
        end, "message text aäb")
        works(role, function(frame)
          return frame(TEXT, "a", { fin = false }) .. frame(CLOSE, close_body(1000))
            .. frame(CONTINUATION, "b")
        end, "close 1000")
      end)

    it(("A37 %s: frames out of their order: 1002, and nothing after a Close is read")
      :format(role), function()
        fails(role, 1002, function(frame) return frame(CONTINUATION, "x") end)
        fails(role, 1002, function(frame) return frame(CONTINUATION, "", { fin = false }) end)
        for _, opcode in ipairs { TEXT, BINARY } do
          fails(role, 1002, function(frame)
            return frame(TEXT, "x", { fin = false }) .. frame(opcode, "y")
          end)
          fails(role, 1002, function(frame)
            return frame(TEXT, "x") .. frame(CONTINUATION, "y")
          end, "message text x")
        end
        works(role, function(frame)
          return frame(TEXT, "x") .. frame(CLOSE, close_body(1001)) .. frame(TEXT, "y")
            .. frame(3, "z") .. ("\255"):rep(100)
        end, "message text x", "close 1001")
      end)

    it(("A38 %s: nothing in everything (CVE-2014-9374 CVE-2017-2922)"):format(role), function()
      works(role, function(frame)
        local empty = { fin = false }
        return frame(TEXT, "") .. frame(BINARY, "") .. frame(PING, "") .. frame(PONG, "")
          .. frame(TEXT, "", empty) .. frame(CONTINUATION, "", empty) .. frame(CONTINUATION, "")
          .. frame(BINARY, "full", empty) .. frame(CONTINUATION, "", empty) .. frame(PING, "")
          .. frame(CONTINUATION, "", empty) .. frame(CONTINUATION, "")
          .. frame(TEXT, "", empty) .. frame(CONTINUATION, "x") .. frame(CLOSE, "")
      end, "message text ", "message binary ", "message text ", "message binary full",
        "message text x", "close 1005")
    end)

    it(("A38 %s: 300,000 empty fragments, then the end of the message (ws#2329)"):format(role),
      function()
        local victim = ground:victim(role)
        local empty = victim:frame(CONTINUATION, "", { fin = false }):rep(1000)
        victim.raw:send(victim:frame(TEXT, "a", { fin = false }))
        collectgarbage()
        local before = proving.resident()
        for _ = 1, 300 do victim.raw:send(empty) end
        assert.is_true(proving.resident() - before < 1024 * helper.patience)
        victim.raw:send(victim:frame(CONTINUATION, "b"))
        victim:happened("message text ab")
      end)
  end

  it("A37 data after a client's or server's own Close is dropped, up to the peer's", function()
    for _, role in ipairs(proving.roles) do
      local victim = ground:victim(role)
      victim.sock:close(3000)
      assert.equal(CLOSE, (victim.raw:frame()))
      victim.raw:send(victim:frame(TEXT, "late") .. victim:frame(CLOSE, close_body(3000)))
      victim.raw:shutdown()
      wait_until(function() return #victim.log > 0 end)
      victim:happened("close 3000")
    end
  end)
end)
