-- SPDX-License-Identifier: MIT
-- What `require "ws"` returns, and what it does not touch.

local ws = require "ws"
local helper = require "spec.helper"
local turning = require "spec.lua.turning"

local raised, wait_until = helper.raised, helper.wait_until

describe("require \"ws\"", function()
  it("gives everything the contract names", function()
    for _, name in ipairs { "new", "WebSocket", "connect", "spawn", "sleep", "run", "poll", "stop",
                            "fd", "nextTimeout", "setTimeout", "setInterval", "clearTimeout",
                            "clearInterval", "now", "serve", "Event", "MessageEvent",
                            "CloseEvent" } do
      assert.equal("function", type(ws[name]), name)
    end
    assert.equal("function", type(ws.protocol.client))
    assert.equal("function", type(ws.protocol.server))
    assert.equal(ws.new, ws.WebSocket)
    assert.is_nil(ws.nonsense)
    assert.is_nil(ws.onerror)
    assert.equal(ws, package.loaded.ws)
  end)

  it("has a version", function()
    assert.equal("string", type(ws.VERSION))
    assert.matches("%d", ws.VERSION)
    assert.equal(ws.VERSION, ws._VERSION)
  end)

  it("S31 has the constants, as every socket has", function()
    local sock = ws.new("ws://127.0.0.1:1/")
    for name, value in pairs { CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3 } do
      assert.equal(value, ws[name])
      assert.equal(value, sock[name])
      assert.matches("TypeError", raised(function() sock[name] = 9 end))
    end
    sock:terminate()
  end)

  it("S1 S21 ws(url, ...) is ws.new(url, ...)", function()
    for _, make in ipairs { ws, ws.new, ws.WebSocket } do
      local sock = make("http://127.0.0.1:1/x", { "a" }, { timeout = 5 })
      assert.same({ 0, "ws://127.0.0.1:1/x" }, { sock.readyState, sock.url })
      sock:terminate()
      assert.matches("^[^ ]*init_spec.lua:%d+: TypeError",
        raised(function() local s = make() return s end))
      assert.matches("^[^ ]*init_spec.lua:%d+: SyntaxError",
        raised(function() local s = make("ws://h/#") return s end))
      assert.matches("^[^ ]*init_spec.lua:%d+: SyntaxError",
        raised(function() local s = make("ws://h/", { "a b" }) return s end))
      assert.matches("^[^ ]*init_spec.lua:%d+: TypeError: unknown option 'timout'",
        raised(function() local s = make("ws://h/", nil, { timout = 5 }) return s end))
    end
  end)

  -- The next tests need an interpreter in which nothing has been done yet.

  it("sets no global, and changes nothing of Lua's, in use either", function()
    local status, output = helper.child [[
      local function seen()
        local all = {}
        for name, value in pairs(_G) do
          all[tostring(name)] = value
          if type(value) == "table" and value ~= _G and value ~= package then
            for inner, one in pairs(value) do all[name .. "." .. tostring(inner)] = one end
          end
        end
        for name, value in pairs(getmetatable("") or {}) do all["string meta " .. name] = value end
        all["meta of _G"] = getmetatable(_G)
        return all
      end
      local before = seen()
      local ws = require "ws"
      local server = assert(ws.serve { port = 0, message = function(s, d) s:send(d) end })
      local sock = assert(ws.connect("ws://127.0.0.1:" .. server.port))
      sock:send "x"
      assert(sock:receive() == "x")
      sock:close()
      server:close()
      ws.run()
      local after = seen()
      for name, value in pairs(after) do
        if before[name] ~= value then print("changed: " .. name) end
      end
      for name in pairs(before) do
        if after[name] == nil then print("gone: " .. name) end
      end
      for name in pairs(package.loaded) do
        if name:find("ws", 1, true) and not name:find("^ws%.?") then print("loaded: " .. name) end
      end
    ]]
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("S7 opens no descriptor, nor does what raises", function()
    local proc = io.open("/proc/self/fd")
    if not proc or os.getenv "WS_POLLER" then return pending "no /proc, or no epoll" end
    proc:close()
    local status, output = helper.child [[
      local path = os.tmpname()
      local function open() -- no pipe of ours among them
        os.execute("ls /proc/$PPID/fd >" .. path)
        local count = 0
        for _ in io.lines(path) do count = count + 1 end
        return count
      end
      local before = open()
      local ws = require "ws"
      print(open() - before)
      pcall(ws.new, "ws://")
      pcall(ws.new, "ws://127.0.0.1/", "a b")
      pcall(ws.connect, "ws://127.0.0.1/", nil, { nonsense = 1 })
      pcall(ws.serve, { port = -1 })
      local client = ws.protocol.client { url = "ws://h/" }
      client:feed(ws.protocol.server():output())
      print(open() - before)
      ws.now() ws.setTimeout(print, 0) -- the first use makes the loop
      print(open() > before)
      os.remove(path)
    ]]
    assert.equal("0\n0\ntrue\n", output)
    assert.equal(0, status)
  end)

  it("starts no thread and prints nothing", function()
    local status, output = helper.child [[
      require "ws"
      local file = io.open "/proc/self/status"
      local threads = file and file:read "*a":match "Threads:%s+(%d+)" or "1"
      if threads ~= "1" then print(threads) end
    ]]
    assert.equal("", output)
    assert.equal(0, status)
  end)

  it("ends in order with a state that still has timers, servers and sockets", function()
    local status, output = helper.child [[
      local ws = require "ws"
      local server = assert(ws.serve { port = 0 })
      local sock = ws.new("ws://127.0.0.1:" .. server.port)
      ws.new("ws://127.0.0.1:" .. server.port)
      ws.setInterval(function() end, 1000)
      ws.spawn(function() sock:receive() end)
      ws.spawn(function() ws.sleep(100000) end)
      ws.poll(50) ws.poll(50)
      print("end")
    ]]
    assert.equal("end\n", output)
    assert.equal(0, status)
  end)

  it("S185 at the end of a state its open sockets send Close 1001", function()
    local told
    local server, url = helper.echo_server { close = function(_, ...) told = { ... } end }
    local command = ([[%s -e 'local ws = require "ws"
      local sock = assert(ws.connect("%s"))' 2>&1]]):format(turning.interpreter(), url)
    local pipe = io.popen(command)
    wait_until(function() return told end, 5000, "the child's end")
    local output = pipe:read("*a")
    pipe:close()
    server:close()
    assert.equal("", output)
    assert.same({ 1001, "", true }, told)
  end)
end)
