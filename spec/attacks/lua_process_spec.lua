-- SPDX-License-Identifier: MIT
-- Attacks A89 and A101 to A103, each in a process of its own: several Lua states,
-- another user of OpenSSL, LuaJIT's compiler, sudden ends.

local turning = require "spec.lua.turning"

local function passes(chunk, first)
  local code, output = turning.child(chunk, first)
  assert.equal(0, code, output)
  return output
end

-- A conversation over TLS, as the text of a function without upvalues.
local conversation = [[
local function conversation(rounds)
  local ws = require "ws"
  local server = assert(ws.serve { port = 0, compression = { threshold = 0 },
    tls = { cert = "build/certs/server.pem", key = "build/certs/leaf.key" },
    message = function(sock, data, opcode) sock:send(data, opcode) end })
  local sock = assert(ws.connect(("wss://localhost:%d/"):format(server.port),
    { tls = { ca = "build/certs/root.pem" }, compression = { threshold = 0 } }))
  for i = 1, rounds do
    local text = ("round %d "):format(i):rep(i % 100 == 0 and 20000 or 3)
    sock:send(text)
    assert(sock:receive(20000) == text)
  end
  sock:close()
  assert(not sock:receive(5000))
  server:close()
  ws.run()
end
]]

describe("a process", function()
  it("A89 in which another module uses OpenSSL", function()
    passes(conversation .. [[
      local x509 = require "openssl.x509"
      local pkey = require "openssl.pkey"
      local context = require "openssl.ssl.context"
      local kept = { context.new(), pkey.new { type = "EC", curve = "prime256v1" } }
      for _ = 1, 3 do
        kept[#kept + 1] = x509.new()
        kept[#kept + 1] = pkey.new { type = "EC", curve = "prime256v1" }
        conversation(20)
      end
      collectgarbage()
      assert(kept[1])
      conversation(1)]])
  end)

  it("A89 A101 that makes and ends 60 Lua states grows no more", function()
    passes([[
      local thread = require "cqueues.thread"
      local chunk = ]] .. ("%q"):format(conversation .. "conversation(2)") .. [[

      local function resident()
        return tonumber(io.open "/proc/self/status":read "*a":match "VmRSS:%s*(%d+)")
      end
      local function run_one()
        local one = assert(thread.start(function(_, text)
          assert(load(text))()
        end, chunk))
        local ok, why = one:join()
        assert(ok and not why, why)
      end
      for _ = 1, 30 do run_one() end
      local half = resident()
      for _ = 1, 30 do run_one() end
      -- AddressSanitizer keeps what was freed for a while.
      local asan = (os.getenv "LD_PRELOAD" or ""):find "asan"
      assert(resident() - half < (asan and 200 or 6) * 1024, resident() - half)]])
  end)

  it("A101 with four states in four threads at once", function()
    passes([[
      local thread = require "cqueues.thread"
      local chunk = ]] .. ("%q"):format(conversation .. "conversation(200)") .. [[

      local threads = {}
      for i = 1, 4 do
        threads[i] = assert(thread.start(function(_, text)
          assert(load(text))()
        end, chunk))
      end
      for i = 1, 4 do
        local ok, why = threads[i]:join()
        assert(ok and not why, why)
      end]])
  end)

  for _, way in ipairs { "-joff", "-Ohotloop=1 -Ohotexit=1", "-Omaxtrace=3" } do
    it("A102 of LuaJIT with " .. way .. " talks as ever (luajit#1405)", function()
      local interpreter = turning.interpreter
      turning.interpreter = function() return "luajit " .. way end
      local ok, why = pcall(passes, conversation .. "conversation(1000)",
        "LUA_CPATH='build/luajit/?.so;;' LD_PRELOAD=")
      turning.interpreter = interpreter
      if not ok then error(why, 0) end
    end)
  end

  it("A102 whose hook raises every now and then, inside handlers too", function()
    passes(conversation .. [[
      local ws = require "ws"
      ws.onerror = function() end
      local server = assert(ws.serve { port = 0, message = function(sock, data)
        for i = 1, 50 do data = data .. i end
        sock:send(data)
      end })
      local url = ("ws://127.0.0.1:%d/"):format(server.port)
      local hooks, raised, inside = 0, 0, false -- the pcall below
      debug.sethook(function()
        hooks = hooks + 1
        if inside and hooks % 10 == 0 then
          raised, inside = raised + 1, false
          error("out of the hook", 0)
        end
      end, "", 300)
      for _ = 1, 200 do
        pcall(function()
          inside = true
          local sock = ws.new(url)
          sock.onopen = function() sock:send "x" end
          sock.onmessage = function() sock:terminate() end
          for _ = 1, 5 do ws.poll(1) end
          sock:terminate()
          inside = false
        end)
      end
      debug.sethook()
      assert(raised > 10, raised)
      server:close()
      conversation(5)]])
  end)

  -- What is going on when the process ends.
  local busy = [[
    local ws = require "ws"
    local server = assert(ws.serve { port = 0, message = function(sock, data) sock:send(data) end })
    local url, socks, got = ("ws://127.0.0.1:%d/"):format(server.port), {}, 0
    for i = 1, 400 do
      local sock = ws.new(url)
      sock.onopen = function() sock:send(("x"):rep(10000)) end
      sock.onmessage = function(event)
        sock:send(event.data)
        got = got + 1
        if got == 1000 then AT_LAST() end
      end
      socks[i] = sock
    end
    local ok = pcall(ws.run)
  ]]

  for how, text in pairs {
    ["os.exit in a handler, without closing"] = "os.exit(7)",
    ["os.exit in a handler, with lua_close"] = "os.exit(7, true)",
    ["the end of the script, with lua_close"] = "ws.stop()",
    ["an error that leaves ws.run"] =
      "ws.onerror = function() error('no', 0) end error('at last', 0)",
  } do
    it("A103 with 800 connections ends by " .. how
      .. " (luv#437 luv#599 luv#654)", function()
      local began = os.time()
      local chunk = "local function AT_LAST() local ws = require 'ws' " .. text .. " end" .. busy
        .. " os.exit(7, true)"
      local code, output = turning.child(chunk)
      assert.equal(7, code, output)
      assert.is_true(os.time() - began < 15)
    end)
  end

  it("A103 by SIGTERM while 800 connections talk", function()
    local code = turning.child("local function AT_LAST() os.execute('kill -TERM '"
      .. " .. io.open('/proc/self/stat'):read('*n')) end " .. busy)
    assert.equal(128 + 15, code)
  end)
end)
