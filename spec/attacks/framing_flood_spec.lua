-- SPDX-License-Identifier: MIT
-- Attacks A39 and A44 to A47: peers that endlessly send what is allowed piece by
-- piece. The counts are chosen to take about a second; what holds for each byte
-- holds for more of them.

local core = require "ws.core"
local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local close_body, wait_until = helper.close_body, helper.wait_until
local CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

describe("floods:", function()
  local ground = proving.ground(before_each, after_each)

  -- Collects garbage in between: a client's pings and pongs are events with strings.
  local function send_many(victim, bytes, count)
    for i = 1, count do
      victim.raw:send(bytes)
      if i % 10 == 0 then collectgarbage() end
    end
  end

  -- By how many KiB fn() makes the process grow.
  local function growth(fn)
    collectgarbage() collectgarbage()
    local before = proving.resident()
    fn()
    collectgarbage() collectgarbage()
    return proving.resident() - before
  end

  -- Unmasks the last 8 bytes of `tail`, with the key before them.
  local function unmasked(tail)
    return #tail == 14 and core.mask(tail:sub(7), tail:sub(3, 6))
  end

  for _, role in ipairs(proving.roles) do
    it(("A39 %s: 10^6 fragments of one byte: twice the payload in memory, linear time "
      .. "(CVE-2026-48779 CVE-2026-12151 CVE-2026-65623 CVE-2014-0193 ws#2331)"):format(role),
      function()
        local victim = ground:victim(role, { maxPayload = 1048576 })
        local thousand = victim:frame(CONTINUATION, "a", { fin = false }):rep(1000)
        proving.linear(function(thousands)
          victim.raw:send(victim:frame(BINARY, "", { fin = false }))
          local grown = growth(function()
            for _ = 1, thousands do victim.raw:send(thousand) end
          end)
          assert.is_true(grown <= (2 * 1024 + 64 + 1024) * helper.patience, grown)
          victim.raw:send(victim:frame(CONTINUATION, "b"))
          wait_until(function() return victim.log[1] end)
          assert.equal(#"message binary " + 1000 * thousands + 1, #table.remove(victim.log))
        end, 125)
      end)

    it(("A39 %s: fragments of one byte beyond the limit: 1009 at the first too many "
      .. "(CVE-2026-42786)"):format(role), function()
        local victim = ground:victim(role, { maxPayload = 10000 })
        victim.raw:send(victim:frame(TEXT, "", { fin = false })
          .. victim:frame(CONTINUATION, "a", { fin = false }):rep(10000))
        helper.turn_for(20)
        assert.same({}, victim.log)
        victim.raw:send(victim:frame(CONTINUATION, "a", { fin = false }))
        victim:fails(1009)
      end)

    it(("A39 %s: 10^6 empty fragments hold up nobody and cost no memory (ws#2329)"):format(role),
      function()
        local victim = ground:victim(role)
        victim.raw:send(victim:frame(TEXT, "", { fin = false }))
        local many = victim:frame(CONTINUATION, "", { fin = false }):rep(100000)
        local grown = growth(function()
          for _ = 1, 10 do
            victim.raw:send(many)
            if role == "server" then proving.echo(ground.url) end
          end
        end)
        assert.is_true(grown <= 1024 * helper.patience, grown)
      end)

    it(("A44 %s: its Close is never answered, data goes on: forced after closeTimeout "
      .. "(CVE-2024-23672)"):format(role), function()
        for _, floods in ipairs { false, true } do
          local victim = ground:victim(role, { closeTimeout = 200 })
          victim.sock:close(1000)
          local began, flood = ws.now(), victim:frame(BINARY, ("x"):rep(10000))
          local grown = growth(function()
            wait_until(function()
              if floods then victim.raw.tcp:send(flood) end
              victim.raw:pump()
              return #victim.log > 0
            end)
          end)
          local took = ws.now() - began
          assert.is_true(took >= 190 and took < 200 + 1500 * helper.patience, took)
          assert.equal("close 1006", victim.log[#victim.log])
          assert.is_true(grown < 1024 * helper.patience, grown)
          victim.raw:close()
        end
      end)

    it(("A45 %s: 500,000 pings of a peer that reads nothing: one pong waits (CVE-2026-11586)")
      :format(role), function()
        local victim = ground:victim(role)
        local thousand = {}
        for i = 1, 1000 do
          thousand[i] = victim:frame(PING, ("%06d"):format(i) .. ("x"):rep(119))
        end
        local round = table.concat(thousand)
        send_many(victim, round, 100) -- fills the system's buffers
        local grown = growth(function() send_many(victim, round, 400) end)
        assert.is_true(grown <= 4096 * helper.patience, grown) -- 50 MiB have come
        assert.is_true(victim.sock.bufferedAmount < 1024)
        victim.raw:send(victim:frame(PING, "the last"))
        local tail = ""
        victim.raw:wait(function(self)
          tail = (tail .. self.bytes):sub(-14)
          self.bytes = ""
          return (role == "client" and unmasked(tail) or tail:sub(-8)) == "the last"
        end, "the last pong")
      end)

    it(("A46 %s: 300,000 pongs that nobody asked for are nothing (CVE-2021-3690)"):format(role),
      function()
        local victim = ground:victim(role)
        local thousand = victim:frame(PONG, ("x"):rep(125)):rep(1000)
        send_many(victim, thousand, 50)
        local grown = growth(function() send_many(victim, thousand, 250) end)
        assert.is_true(grown <= 2048 * helper.patience, grown) -- 32 MiB have come
        victim.raw:send(victim:frame(TEXT, "after"))
        victim:happened("message text after")
      end)

    -- Any bytes are a sign of life, but only a ping's own pong gives the latency.
    it(("A46 %s: a pong with another payload answers no ping"):format(role), function()
      local victim = ground:victim(role, { pingInterval = 60, pingTimeout = 5000 })
      local opcode, payload = victim.raw:frame()
      assert.equal(PING, opcode)
      for _, wrong in ipairs { "", payload .. "x", payload:sub(2), ("\0"):rep(#payload) } do
        victim.raw:send(victim:frame(PONG, wrong))
      end
      helper.turn_for(30)
      assert.is_nil(victim.sock.latency)
      victim.raw:send(victim:frame(PONG, payload))
      wait_until(function() return victim.sock.latency end)
      assert.same({}, victim.log)
    end)
  end

  it("A46 a silent peer is dropped though it sent pongs before", function()
    for _, role in ipairs(proving.roles) do
      local victim = ground:victim(role, { pingInterval = 60, pingTimeout = 60 })
      victim.raw:send(victim:frame(PONG, ""))
      victim:happened("error ETIMEDOUT", "close 1006")
    end
  end)

  it("A47 500,000 frames of no bytes in a row: an honest client is served meanwhile", function()
    local count = 0
    local _, url = ground:serve { message = function(sock, data)
      count = count + 1
      if data ~= "" then sock:send(data) end
    end }
    local raw = ground:open()
    local flood, from = helper.frame(TEXT, ""):rep(500000), 1
    local honest, answers, flooded, most = ground:client(url), 0, 0, 0
    wait_until(function() return honest.readyState == 1 end)
    honest.onmessage = function()
      answers = answers + 1
      most, flooded = math.max(most, count - answers - flooded), count - answers
      honest:send "proof"
    end
    honest:send "proof"
    wait_until(function()
      local last, _, partial = raw.tcp:send(flood, from)
      from = (last or partial or from - 1) + 1
      return count - answers >= 500000
    end, 20000)
    assert.is_true(answers >= 20, answers)
    assert.is_true(most <= 10000, most) -- 1000 messages a turn; an echo takes some turns
  end)

  it("A47 so it is when a client is flooded: timers go on", function()
    local victim = ground:victim("client")
    local count, ticks = 0, 0
    victim.sock.onmessage = function() count = count + 1 end
    local timer = ws.setInterval(function() ticks = ticks + 1 end, 5)
    local flood, from = victim:frame(TEXT, ""):rep(100000), 1
    wait_until(function()
      local last, _, partial = victim.raw.tcp:send(flood, from)
      from = (last or partial or from - 1) + 1
      return count >= 100000
    end, 20000)
    ws.clearInterval(timer)
    assert.is_true(ticks >= 3, ticks)
  end)

  it("A43 a peer that floods behind its Close gets one, and is cut off in time", function()
    local server = ground:serve()
    local raw = ground:open()
    raw:send(helper.frame(CLOSE, close_body(1000)))
    local flood = helper.frame(BINARY, ("x"):rep(60000))
    local before = ws.now()
    wait_until(function()
      local _, why = raw.tcp:send(flood)
      return why == "closed"
    end, 6000, "the end of patience")
    assert.is_true(ws.now() - before < 2000 + 1000 * helper.patience)
    assert.equal(0, server.connections)
  end)
end)
