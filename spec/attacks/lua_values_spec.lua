-- SPDX-License-Identifier: MIT
-- Attacks A90, A98 to A100 and A104: wrong arguments, what right ones send, many
-- timers, coroutines that end too early.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local turning = require "spec.lua.turning"
local ws = require "ws"

local frame = helper.frame

describe("arguments:", function()
  local ground = proving.ground(before_each, after_each)

  local function survives(fn, self, where)
    local ok, what = turning.survives(fn, self, 3)
    assert.is_true(ok, where .. ": " .. tostring(what))
  end

  it("A99 every function survives every kind of value, and no self at all (luv#242)", function()
    ground:serve()
    local spared = { run = true, poll = true, spawn = true, connect = true, sleep = true }
    for name, fn in pairs(ws) do
      if type(fn) == "function" and not spared[name] then
        for _, value in pairs(turning.odd_values) do
          if name == "serve" and type(value) == "table" then value = false end
          local ok, result = pcall(fn, value)
          if ok and name == "new" then result:terminate() end
          if ok and name:find "^set" and type(result) ~= "nil" then ws.clearTimeout(result) end
        end
      end
    end
    ws.onerror = function() end
    local names = { "send", "close", "terminate", "ping", "pong", "pause", "resume", "receive",
                    "messages", "subscribe", "unsubscribe", "publish", "addEventListener",
                    "removeEventListener", "dispatchEvent" }
    for _, end_it in ipairs { "open", "closed" } do
      local sock = ws.new(ground.url)
      helper.wait_until(function() return sock.readyState == 1 end)
      if end_it == "closed" then
        sock:terminate()
        helper.closed(sock)
      end
      for _, name in ipairs(names) do
        local method = sock[name]
        if method then
          for _, wrong in ipairs(turning.wrong_selves()) do
            assert.is_false((pcall(method, wrong, "x")), name)
          end
          assert.is_false((pcall(method)), name)
          if name ~= "terminate" and name ~= "receive" and name ~= "messages" then
            survives(method, sock, name)
          end
        end
      end
      sock:terminate()
      helper.closed(sock)
    end
    ground:expect_errors()
  end)

  it("A100 ping, pong and close send what they were given, and no more "
    .. "(CVE-2016-10518 CVE-2026-45736)", function()
    for _, side in ipairs { "server", "client" } do
      local sock, raw, _
      if side == "client" then
        sock, _, raw = ground:opened()
      else
        ground:serve { open = function(its) sock = sock or its end }
        raw = ground:open()
        helper.wait_until(function() return sock end)
      end
      sock:ping(100)
      sock:pong(1e100)
      local opcode, payload = raw:frame()
      assert.same({ 9, "100" }, { opcode, payload })
      opcode, payload = raw:frame()
      assert.same({ 10, tostring(1e100) }, { opcode, payload })
      for _, value in ipairs { {}, true, print, ("x"):rep(126), ("x"):rep(70000) } do
        assert.is_false((pcall(sock.ping, sock, value)))
        assert.is_false((pcall(sock.pong, sock, value)))
      end
      for _, value in ipairs { {}, print, 1, 2 ^ 40, 0 / 0 } do
        assert.is_false((pcall(sock.close, sock, value)))
        assert.is_false((pcall(sock.close, sock, 1000, ("x"):rep(124))))
      end
      sock:ping()
      opcode, payload = raw:frame()
      assert.same({ 9, "" }, { opcode, payload })
      sock:close(1000, 7)
      opcode, payload = raw:frame()
      assert.same({ 8, "\3\2327" }, { opcode, payload })
      assert.equal("", raw.bytes)
    end
  end)
end)

describe("many", function()
  local ground = proving.ground(before_each, after_each)

  it("A104 timers: 200,000 of them, half cancelled, some by each other", function()
    local fired, ids = 0, {}
    for i = 1, 200000 do
      ids[i] = ws.setTimeout(function()
        fired = fired + 1
        ws.clearTimeout(ids[i])
        if i % 10 == 1 then ws.clearTimeout(ids[i + 1]) end
      end, i % 50)
    end
    for i = 2, 200000, 2 do if i % 10 ~= 2 then ws.clearTimeout(ids[i]) end end
    helper.wait_until(function() return ws.nextTimeout() == nil end, 30000)
    assert.is_true(fired >= 100000 and fired <= 120000, fired)
  end)

  it("A104 timers of 0 ms that set themselves anew starve no connection", function()
    ground:serve()
    local going, count = true, 0
    for _ = 1, 100 do
      local function again()
        count = count + 1
        if going then ws.setTimeout(again, 0) end
      end
      again()
    end
    for _ = 1, 5 do proving.echo(ground.url) end
    going = false
    assert.is_true(count > 500)
  end)

  it("A98 coroutines wait on one socket, are closed, collected, resumed by others", function()
    local _, url = ground:serve()
    ground:expect_errors()
    local got, ended = {}, 0
    local sock = assert(ws.connect(url))
    for i = 1, 3 do
      ws.spawn(function()
        local data = sock:receive(3000)
        got[#got + 1] = data or false
        ended = ended + 1
        if i == 3 then error "out of a coroutine" end
      end)
    end
    local waiting = ws.spawn(function() sock:receive(50) ended = ended + 1 end)
    if coroutine.close then pcall(coroutine.close, waiting) end
    local foreign = coroutine.create(function() return pcall(sock.receive, sock, 1) end)
    pcall(coroutine.resume, foreign)
    foreign = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    for _ = 1, 5 do sock:send "one" end
    helper.wait_until(function() return ended >= 3 end)
    sock:terminate()
    local value, why = sock:receive(3000)
    while value do value, why = sock:receive(3000) end
    assert.equal("closed", why)
    assert.equal(3, #got)
  end)

  it("A90 frames in one read, each of whose handlers closes, drops or raises", function()
    ground:expect_errors()
    local count = 0
    ground:serve { message = function(sock, data)
      count = count + 1
      if data == "proof" then sock:send(data) end
      if data == "raise" then error "on purpose" end
      if data == "collect" then collectgarbage() end
      if data == "end" then sock:terminate() end
    end }
    local raw = ground:open()
    raw:send((frame(1, "raise") .. frame(1, "collect")):rep(100) .. frame(1, "end")
      .. frame(1, "never"))
    raw:wait(function(self) return self.ended end, "the end")
    assert.equal(201, count)
  end)
end)
