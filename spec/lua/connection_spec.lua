-- SPDX-License-Identifier: MIT
-- The methods and properties of ws.connection that are written in C.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("ws.connection", function()
  local party, conn, log
  before_each(function()
    party = turning.party()
    conn, log = party.client()
  end)
  after_each(function() party.finish() end)

  it("has the properties of a connection", function()
    assert.equal(1, conn.readyState)
    assert.equal(0, conn.bufferedAmount)
    assert.equal(party.url, conn.url)
    assert.equal("", conn.protocol)
    assert.equal("", conn.extensions)
    assert.equal("127.0.0.1", conn.remoteAddress)
    assert.equal(party.server:port(), conn.remotePort)
    assert.equal("127.0.0.1", conn.localAddress)
    assert.is_number(conn.localPort)
    assert.is_nil(conn.tls)
    assert.is_nil(conn.latency)
    assert.is_nil(conn.nonsense)
    assert.is_nil(conn[5])
    assert.equal("WebSocket (OPEN) " .. party.url, tostring(conn))
  end)

  it("has no addresses on a Unix socket, nor has its request, of any path", function()
    for _, more in ipairs { "", ("x"):rep(40) } do
      local path = os.tmpname()
      os.remove(path)
      path = path .. more
      local request
      local handlers = core.handlers { open = function(_, its) request = its end }
      local other = turning.party { path = path, handlers = handlers }
      local client = other.client(nil, { url = "ws://localhost/", unixPath = path })
      other.wait(function() return request end)
      assert.is_nil(request.remoteAddress)
      for _, name in ipairs { "remoteAddress", "remotePort", "localAddress", "localPort" } do
        assert.is_nil(client[name])
      end
      other.finish()
    end
  end)

  it("has them still when it is closed, but for what is gone", function()
    conn:rawClose(1000)
    party.wait(function() return log.close end)
    assert.equal(3, conn.readyState)
    assert.equal(party.server:port(), conn.remotePort)
    assert.equal(party.url, conn.url)
    assert.equal("WebSocket (CLOSED) " .. party.url, tostring(conn))
  end)

  it("refuses assignments, naming the property and the line", function()
    assert.matches("connection_spec.lua:%d+: TypeError: cannot assign to 'readyState'",
      turning.raised(function() conn.readyState = 3 end))
    assert.error_matches(function() conn.nonsense = 1 end, "cannot assign to 'nonsense'")
    assert.error_matches(function() conn[{}] = 1 end, "TypeError: cannot assign to 'table'")
  end)

  it("of a client opens without a request", function()
    assert.same({ "open" }, log[1])
    assert.is_table(party.log.last "open")
  end)

  it("is pinged with data, or none, and hears it again", function()
    for _, data in ipairs { "p\0q", "", ("x"):rep(125) } do
      log.pong = nil
      conn:ping(data)
      party.wait(function() return log.pong end)
      assert.equal(data, (party.log.last "ping"))
      assert.equal(data, (log.last "pong"))
    end
  end)

  it("has topics on a server only", function()
    local peer
    local other = turning.party {
      handlers = core.handlers { open = function(sock) peer = sock end },
    }
    local client, client_log = other.client()
    local long = ("b"):rep(1000)
    for _, name in ipairs { "a", "", long, "c\0d", "a" } do peer:subscribe(name) end
    local topics = peer:topics()
    table.sort(topics)
    assert.same({ "", "a", long, "c\0d" }, topics)
    assert.equal(4, #peer:topics("is", "ignored"))
    assert.equal(1, other.server:publish("a", "hello"))
    assert.equal(0, peer:publish("a", "not to itself"))
    other.wait(function() return client_log.message end)
    assert.equal("hello", (client_log.last "message"))
    assert.is_true(peer:unsubscribe "a")
    assert.is_false(peer:unsubscribe "a")
    for _, method in ipairs { "subscribe", "unsubscribe", "publish" } do
      assert.error_matches(function() client[method](client, "x", "y") end,
        "TypeError: " .. method .. ": topics are for a server's sockets")
    end
    assert.error_matches(function() peer:publish("a", "\255") end, "TypeError")
    client:terminate()
    other.wait(function() return peer.readyState == 3 end)
    local function nothing_happens()
      peer:subscribe "late"
      assert.is_false(peer:unsubscribe "a")
      assert.same({}, peer:topics())
      assert.equal(0, peer:publish("a", "late"))
    end
    nothing_happens()
    other.finish()
    nothing_happens() -- now without a server, too
  end)

  it("lists topics of which each is longer than those before", function()
    local peer = party.server:clients()[1]
    local names = {}
    for i = 1, 1000 do
      names[i] = ("t"):rep(250 + i)
      peer:subscribe(names[i])
    end
    assert.same(names, peer:topics())
  end)

  it("raises when there is no memory to subscribe, and is not subscribed", function()
    local peer = party.server:clients()[1]
    core.failAllocation(1)
    local ok, message = pcall(peer.subscribe, peer, "t")
    core.failAllocation(0)
    assert.is_false(ok)
    assert.matches("not enough memory", message)
    assert.same({}, peer:topics())
    peer:subscribe "t"
    assert.same({ "t" }, peer:topics())
  end)

  it("lists its topics although a finalizer ends the server meanwhile", function()
    local code, output = turning.child([[
      local core = require "ws.core"
      local least = 100
      local function list(nth)
        local loop, n, over, peer = core.loop(), 0, false, nil
        local server = loop:listen { port = 0, handlers = core.handlers {
          open = function(conn) peer = conn end } }
        loop:connect { url = "ws://127.0.0.1:" .. server:port(), handlers = core.handlers {} }
        while not peer do loop:turn(5) end
        for i = 1, 100 do peer:subscribe(("t"):rep(250 + i) .. i) end
        local function litter()
          finally(function()
            n = n + 1
            if n < nth and not over then return litter() end
            if n > nth or over then return end
            loop:close()
            debug.getmetatable(server).__gc(server)
          end)
        end
        litter()
        local names = peer:topics()
        over = true
        for i = 1, #names do
          assert(names[i] == ("t"):rep(250 + i) .. i, names[i])
        end
        least = math.min(least, #names)
        loop:close()
      end
      -- A step at every 256 bytes; before Lua 5.4 in its own way.
      if _VERSION == "Lua 5.4" then
        collectgarbage("incremental", 4, 1000, 8)
      else
        collectgarbage("setpause", 0) collectgarbage("setstepmul", 100000)
        collectgarbage()
      end
      for nth = 1, 40 do list(nth) end
      assert(least < 100 or jit, "no finalizer ran")
      print "looked"]], "MALLOC_PERTURB_=165") -- glibc: nobody reads what was freed
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)

  it("publishes to nobody when a finalizer ends the server meanwhile", function()
    local code, output = turning.child([[
      local core = require "ws.core"
      local function publish(wanted)
        local loop, peer, over = core.loop(), nil, false
        local server = loop:listen { port = 0, handlers = core.handlers {
          open = function(conn) peer = conn end } }
        loop:connect { url = "ws://127.0.0.1:" .. server:port(), handlers = core.handlers {} }
        while not peer do loop:turn(5) end
        peer:subscribe "1.5"
        local by = wanted == "server" and server or peer
        local method = by.publish
        finally(function()
          over = true
          loop:close()
          debug.getmetatable(server).__gc(server)
        end)
        local ok, result
        for i = 1, 1e6 do -- makes nothing but strings of numbers
          ok, result = pcall(method, by, i + 0.5, "data")
          if over then break end
        end
        assert(over and (result == 0 or tostring(result):find "is gone"), result)
      end
      publish "socket"
      publish "server"
      print "published"]], -- glibc: nobody reads what was freed
      "GLIBC_TUNABLES=glibc.malloc.tcache_count=0 MALLOC_PERTURB_=165")
    assert.equal(0, code, output)
    assert.equal("published\n", output)
  end)

  it("takes foreign selves for what they are", function()
    for _, method in ipairs { "send", "ping", "terminate", "pause", "topics", "state", "hold",
                              "setState", "setHandlers", "tag", "ended", "isServer" } do
      for _, wrong in ipairs { {}, "x", io.stdout, party.loop } do
        assert.error_matches(function() conn[method](wrong, "x") end, "TypeError")
      end
      assert.has_error(function() conn[method]() end)
    end
  end)

  it("keeps a state for the floor above", function()
    assert.is_nil(conn:state())
    local state = {}
    conn:setState(state)
    assert.equal(state, conn:state())
    conn:setState(nil)
    assert.is_nil(conn:state())
  end)
end)

describe("the methods of a connection", function()
  it("survive odd values in every state, on both sides", function()
    for _, state in ipairs { "connecting", "open", "closing", "closed", "waiting" } do
      local party, waiting
      party = turning.party {
        plain = true,
        judge = function(its)
          if state == "waiting" then waiting = its else its:accept() end
        end,
        handlers = turning.recording {},
      }
      for name, method in pairs(core.connection.methods) do
        if type(method) == "function" then
          local targets = {}
          local function open()
            local its = turning.client(party.loop, party.url)
            if state ~= "connecting" then
              party.wait(function() return its.readyState == 1 or waiting end)
            end
            targets[#targets + 1] = waiting or its
            if state ~= "connecting" and not waiting then
              targets[#targets + 1] = party.server:clients()[1]
            end
          end
          open()
          for _, target in ipairs(targets) do
            if state == "closing" then target:rawClose(1000) end
            if state == "closed" then
              target:terminate()
              party.wait(function() return target.readyState == 3 end)
            end
            assert.is_true(turning.survives(method, target, 3), state .. " " .. name)
            party.loop:turn(0)
          end
          for _, target in ipairs(targets) do target:terminate() end
          waiting = nil
        end
      end
      assert.same({}, party.errors)
      party.finish()
    end
  end)

  it("rawClose: an impossible code or reason is reported, not sent", function()
    local party = turning.party()
    for _, arguments in ipairs { { 1 }, { 999 }, { 1005 }, { 1006 }, { 65536 }, { -1 },
                                 { 2 ^ 32 + 1000 }, { 1000, ("x"):rep(124) },
                                 { nil, "no code" } } do
      local conn, log = party.client()
      conn:rawClose(arguments[1], arguments[2])
      party.wait(function() return log.close end)
      assert.equal("EINVAL", select(2, log.last "error"))
      assert.same({ "close", 1006, "", false }, log[#log])
    end
    local conn = party.client()
    for _, code in ipairs { "x", 1.5, 0 / 0, {}, true, 2 ^ 63 } do
      assert.has_error(function() conn:rawClose(code) end)
    end
    assert.has_error(function() conn:rawClose(1000, {}) end)
    assert.equal(1, conn.readyState)
    party.prove()
    party.finish()
  end)

  it("work on a connection whose maker has died", function()
    local party = turning.party()
    local conn, log
    local co = coroutine.create(function()
      conn, log = party.client()
      error("dies here")
    end)
    assert.is_false((coroutine.resume(co)))
    co = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    conn:send("x")
    party.wait(function() return log.message end)
    local other = coroutine.wrap(function()
      conn:send("y")
      coroutine.yield()
    end)
    other()
    other = nil -- luacheck: ignore 311
    collectgarbage() collectgarbage()
    party.wait(function() return log.message == 2 end)
    party.finish()
  end)
end)
