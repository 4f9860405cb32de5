-- SPDX-License-Identifier: MIT
-- Attacks A69 to A71 and A76, each in a process of its own: descriptors run out,
-- SIGPIPE, what a child inherits, the clock jumps.

local turning = require "spec.lua.turning"

-- What each child process begins with: an echo server, and functions that wait.
local party = [[
local ws = require "ws"
local function wait(condition)
  local deadline = ws.now() + 8000
  while not condition() do
    if ws.now() > deadline then error("waited in vain", 2) end
    ws.poll(20)
  end
end
local function serve(options)
  options = options or {}
  options.port = options.port or 0
  options.message = function(sock, data) sock:send(data) end
  local server = assert(ws.serve(options))
  local scheme = options.tls and "wss" or "ws"
  return server, ("%s://127.0.0.1:%d/"):format(scheme, server.port)
end
local function prove(url, options)
  local sock = assert(ws.connect(url, options or {}))
  sock:send "proof"
  assert(sock:receive(8000) == "proof")
  sock:close()
  assert(not sock:receive(8000))
  wait(function() return sock.readyState == 3 end)
end
]]

local function passes(chunk, first)
  local code, output = turning.child(party .. chunk .. "\nos.exit(0, true)", first)
  assert.equal(0, code, output)
  return output
end

-- Checks in /proc that the process does nothing about SIGPIPE (13).
local sigpipe = [[
local function sigpipe()
  local status = io.open("/proc/self/status"):read "*a"
  local function has(name)
    local mask = tonumber(status:match(name .. ":%s*(%x+)"):sub(-4), 16)
    return math.floor(mask / 2 ^ 12) % 2 == 1
  end
  assert(not has "SigIgn" and not has "SigCgt" and not has "SigBlk")
end
]]

describe("a process", function()
  it("A69 without descriptors gets errors as values, and goes on when some are back", function()
    passes([[
      local server, url = serve()
      prove(url)
      local hoard, rounds = {}, 0
      local function take_all()
        repeat
          local file = io.open "/dev/null"
          hoard[#hoard + 1] = file
        until not file
        rounds = rounds + 1
        return rounds == 30
      end
      wait(function() -- who was proved to may still hold some for a moment
        ws.poll(5)
        return take_all()
      end)
      for _ = 1, 5 do
        local failed
        local sock = ws.new(url)
        sock.onerror = function(event) failed = event.code end
        wait(function() return sock.readyState == 3 end)
        assert(failed == "EMFILE", failed)
        local other, why, code = ws.serve { port = 0 }
        assert(not other and type(why) == "string" and code == "EMFILE", code)
        local loop, message = require "ws.core".loop()
        assert(loop == nil and type(message) == "string")
      end
      for _, file in ipairs(hoard) do file:close() end
      prove(url)
      server:close()]], "ulimit -n 64;")
  end)

  it("A69 without descriptors cannot make its first loop: an error, not an end", function()
    passes([[
      local hoard = {}
      repeat
        local file = io.open "/dev/null"
        hoard[#hoard + 1] = file
      until not file
      local ok, why = pcall(ws.setTimeout, function() end, 0)
      assert(not ok and tostring(why):find "too many open files", why)
      for _, file in ipairs(hoard) do file:close() end
      local server, url = serve()
      prove(url)
      server:close()]], "unset WS_POLLER; ulimit -n 32;") -- poll(2) needs none
  end)

  for _, kind in ipairs { "plain", "secure" } do
    it("A70 " .. kind .. ": writing to who has gone is no SIGPIPE, whose way stays as it was",
      function()
        passes(sigpipe .. [[
          local kind = "]] .. kind .. [["
          sigpipe()
          local tls = kind == "secure" and
            { cert = "build/certs/server.pem", key = "build/certs/leaf.key" } or nil
          local server, url, guest
          server, url = serve { tls = tls, open = function(sock) guest = sock end }
          local options = tls and { tls = { verify = false } } or {}
          for how = 1, 3 do
            guest = nil
            local sock = ws.new(url, options)
            wait(function() return guest and sock.readyState == 1 end)
            guest:pause()
            sock:send(("x"):rep(1000))
            sock:terminate()
            for _ = 1, 10 do
              if guest.readyState == 1 then guest:send(("x"):rep(100000)) end
              if how == 2 and guest.readyState == 1 then guest:close() end
              ws.poll(1)
            end
            guest:terminate()
            wait(function() return server.connections == 0 end)
          end
          prove(url, options)
          server:close()
          sigpipe()]], "env --default-signal=PIPE") -- as LuaSocket, loaded here, ignores it
      end)
  end

  it("A71 that starts another one hands on no descriptor of ours", function()
    local output = passes([[
      local server, url = serve()
      local sock = assert(ws.connect(url))
      local names = assert(ws.connect((url:gsub("127.0.0.1", "localhost"))))
      local pipe = io.popen "ls -l /proc/self/fd"
      local list = pipe:read "*a"
      pipe:close()
      assert(not list:find "socket:" and not list:find "anon_inode", list)
      os.execute "true" -- its end is nothing that disturbs us
      sock:close()
      names:close()
      prove(url)
      server:close()
      print(list)]])
    assert.matches("%->", output)
  end)

  it("A76 whose wall clock jumps by years: no timer fires for it, none stops", function()
    local file = os.tmpname()
    local function now_is(text)
      local handle = assert(io.open(file, "w"))
      handle:write(text, "\n")
      handle:close()
    end
    now_is "+0"
    local pipe = io.popen "ls /usr/lib/*/faketime/libfaketime.so.1"
    local fake = pipe:read "*l"
    pipe:close()
    local interpreter = turning.interpreter
    turning.interpreter = function() return "luajit" end -- faketime fails under sanitizers
    local ok, why = pcall(passes, ([[
      local function jump(text)
        local handle = assert(io.open(%q, "w"))
        handle:write(text, "\n")
        handle:close()
      end
      local server, url = serve { idleTimeout = 100000 }
      local sock = assert(ws.connect(url, { pingInterval = 50000, pingTimeout = 50000 }))
      local late, soon = false, 0
      ws.setTimeout(function() late = true end, 60000)
      local before, began = os.time(), ws.now()
      for _, text in ipairs { "+1y", "-1y", "+20y" } do
        jump(text)
        wait(function() return math.abs(os.time() - before) > 200 * 86400 end)
        local fired
        ws.setTimeout(function() fired = true end, 20)
        wait(function() return fired end)
        soon = soon + 1
        before = os.time()
      end
      assert(soon == 3 and not late)
      assert(ws.now() - began < 30000)
      assert(sock.readyState == 1)
      sock:send "still"
      assert(sock:receive(8000) == "still")]]):format(file),
      ("LUA_CPATH='build/luajit/?.so;;' LD_PRELOAD=%s FAKETIME_TIMESTAMP_FILE=%s "
        .. "FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"):format(fake, file))
    turning.interpreter = interpreter
    os.remove(file)
    if not ok then error(why, 0) end
  end)
end)
