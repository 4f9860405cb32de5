-- SPDX-License-Identifier: MIT
-- The Lua type ws.server (csrc/lua/lua_server.c): listening, its methods in every
-- state, what keeps what alive, and what may happen in `closed`.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local methods = { "port", "host", "connections", "clients", "publish", "close", "setTLS" }

describe("loop:listen", function()
  local loop
  before_each(function() loop = turning.loop() end)
  after_each(function() loop:close() end)

  it("says where it listens", function()
    local server = turning.server(loop)
    assert.equal("127.0.0.1", server:host())
    assert.is_true(server:port() > 0)
    assert.equal(0, server:connections())
    assert.same({}, server:clients())
    local other = turning.server(loop, { host = "localhost" })
    assert.equal("127.0.0.1", other:host())
  end)

  it("fails with nil, a sentence and a word", function()
    local server = turning.server(loop)
    for _, options in ipairs { { port = server:port() }, { host = "no address" }, { host = "a\0b" },
                               { host = ("x"):rep(5000) }, { path = ("x"):rep(5000) },
                               { path = "/nowhere/at/all.sock" }, { host = "203.0.113.1" } } do
      options.handlers = core.handlers {}
      local none, message, code = loop:listen(options)
      assert.is_nil(none)
      assert.matches("cannot listen", message)
      assert.matches("^E%u+$", code)
    end
  end)

  it("takes ports up to 65535", function()
    local function listen(port) -- on an address that is not ours (RFC 5737)
      return loop:listen { host = "192.0.2.1", port = port, handlers = core.handlers {} }
    end
    assert.equal("EADDRNOTAVAIL", select(3, listen(65535)))
    for _, port in ipairs { 65536, 2 ^ 32 } do
      assert.error_matches(function() listen(port) end, "TypeError: option 'port': 0 to 65535")
    end
  end)

  it("raises for wrong types", function()
    for _, wrong in ipairs { 5, "x", true, print } do
      assert.has_error(function() loop:listen(wrong) end)
    end
    assert.has_error(function() loop:listen() end)
    for name, values in pairs {
      host = { 5, {} }, port = { "80", -1, 1.5, 65536, 2 ^ 32, 0 / 0 }, path = { true },
      judge = { 5, "x", {} }, httpClosed = { 5, {} }, closed = { true, "x" },
      plain = { 1, "yes" }, maxPayload = { -1 }, maxConnections = { -1, "many" },
      backlog = { -1, {} }, reusePort = { 0 }, dropPublishes = { 0 }, noDelay = { 0 },
      handshakeTimeout = { -1 }, idleTimeout = { "x" }, closeTimeout = { 0 / 0 },
      maxBackpressure = { -1 }, highWaterMark = { -1 }, lowWaterMark = { 2 ^ 54 },
      deflate = { 5, true }, tls = { 5, {} },
    } do
      for _, value in ipairs(values) do
        local ok, message = pcall(loop.listen, loop, { handlers = core.handlers {},
                                                       [name] = value })
        assert.is_false(ok, name .. " took " .. tostring(value))
        assert.is_string(message)
      end
    end
  end)

  it("gives its memory back when it fails, or when memory runs out", function()
    turning.server(loop):close() -- creates what the poller makes on first use
    turning.finish(loop)
    local baseline = turning.live()
    for k = 1, 6 do
      core.failAllocation(k)
      local ok, server, message = pcall(loop.listen, loop,
        { host = "127.0.0.1", port = 0, handlers = core.handlers {}, judge = print })
      core.failAllocation(0)
      if ok and server then server:close()
      else assert.is_string(ok and message or server) end
    end
    for _ = 1, 3 do loop:listen { host = "none", handlers = core.handlers {} } end
    turning.finish(loop)
    turning.no_more(baseline, nil, loop)
  end)
end)

describe("a server", function()
  local party
  before_each(function() party = turning.party() end)
  after_each(function()
    party.finish()
    assert.same({}, party.errors)
  end)

  it("counts and lists its open connections", function()
    local a = party.client()
    local b = party.client()
    party.wait(function() return party.server:connections() == 2 end)
    local list = party.server:clients()
    assert.equal(2, #list)
    for _, conn in ipairs(list) do
      assert.is_true(conn:isServer())
      assert.equal(1, conn.readyState)
      assert.is_nil(conn.url)
      assert.equal("WebSocket (OPEN) of a server", tostring(conn))
    end
    assert.is_false(a:isServer())
    list[1]:terminate()
    assert.equal(1, #party.server:clients())
    a:terminate()
    b:terminate()
    party.wait(function() return party.server:connections() == 0 end)
    assert.same({}, party.server:clients())
  end)

  it("publishes to who subscribed; wrong arguments raise", function()
    local _, log = party.client()
    party.server:clients()[1]:subscribe("a\0b")
    assert.equal(0, party.server:publish("a", "x"))
    assert.equal(1, party.server:publish("a\0b", "x\0y", "binary"))
    party.wait(function() return log.message end)
    assert.same({ "message", "x\0y", "binary" }, log[2])
    for _, arguments in ipairs { {}, { "a" }, { {}, "x" }, { "a", {} }, { "a", "x", "blob" },
                                 { "a", "\255" }, { true, "x" }, { "a", "x", 5 } } do
      local ok, message = pcall(party.server.publish, party.server,
                                turning.unpack(arguments, 1, 3))
      assert.is_false(ok)
      assert.matches("TypeError", message)
    end
    assert.is_true(turning.survives(party.server.publish, party.server, 3))
  end)

  it("closes politely, once, with a code, and is quiet afterwards", function()
    local _, log = party.client()
    assert.has_error(function() party.server:close("x") end)
    assert.has_error(function() party.server:close(1.5) end)
    party.server:close(1012)
    party.server:close(1001)
    party.wait(function() return log.close end)
    assert.same({ "close", 1012, "", true }, log[#log])
    turning.finish(party.loop)
    assert.equal(0, party.server:connections())
    assert.same({}, party.server:clients())
    assert.equal(0, party.server:publish("a", "x"))
    assert.is_number(party.server:port())
    assert.equal("127.0.0.1", party.server:host())
    party.server:close()
  end)

  it("that is closed with an impossible code still ends", function()
    for _, code in ipairs { 0, 1, 1005, 1006, 65535, -1, 2 ^ 40 } do
      local other = turning.party()
      local _, log = other.client()
      other.server:close(code)
      other.wait(function() return log.close end)
      turning.finish(other.loop)
      other.finish()
    end
  end)

  it("calls `closed` when the last connection is gone, once", function()
    local closed = 0
    local other = turning.party { closed = function() closed = closed + 1 end }
    local conn, log = other.client()
    conn:pause()
    other.server:close()
    assert.equal(0, closed)
    conn:resume()
    other.wait(function() return closed > 0 end)
    assert.equal(1, log.close)
    turning.finish(other.loop)
    assert.equal(1, closed)
    other.finish()
  end)

  it("is held by its loop as long as it listens", function()
    local loop = turning.loop()
    local port = turning.server(loop):port()
    collectgarbage() collectgarbage()
    turning.prove(loop, "ws://127.0.0.1:" .. port)
    loop:close()
  end)
end)

describe("a server whose handlers know it", function()
  it("lets go of what it was to call once it is closed, though it is held", function()
    local party, weak, closed = turning.party(), setmetatable({}, { __mode = "k" }), nil
    local function listen()
      local function kept()
        local big = {}
        weak[big] = true
        return function() return big end
      end
      return turning.server(party.loop, { judge = kept(), httpClosed = kept(),
        handlers = core.handlers { open = kept(), message = kept(), tag = kept() },
        closed = function() closed = true end })
    end
    local server = listen()
    collectgarbage() collectgarbage()
    local count = 0
    for _ in pairs(weak) do count = count + 1 end
    assert.equal(5, count)
    server:close()
    party.wait(function() return closed end)
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
    assert.is_number(server:port())
    party.finish()
  end)

  it("is collected all the same once it is closed", function()
    local baseline = turning.live()
    local weak = setmetatable({}, { __mode = "k" })
    local loop = turning.loop()
    do
      local server
      server = loop:listen { host = "127.0.0.1", port = 0,
        handlers = core.handlers { open = function() return server end },
        judge = function(conn) conn:accept() return server end,
        httpClosed = function() return server end,
        closed = function() return server end }
      weak[server] = true
      local conn = turning.client(loop, "ws://127.0.0.1:" .. server:port(), {})
      turning.wait(loop, function() return conn.readyState == 1 end)
      server:close()
    end
    turning.finish(loop)
    collectgarbage() collectgarbage()
    assert.is_nil(next(weak))
    loop:close()
    turning.no_more(baseline)
  end)

  it("is collected with a loop that closes under it", function()
    local baseline = turning.live()
    local weak = setmetatable({}, { __mode = "k" })
    do
      local loop = turning.loop()
      local server, conns = nil, {}
      server = loop:listen { host = "127.0.0.1", port = 0,
        handlers = core.handlers { open = function(conn) conns[#conns + 1] = conn end },
        judge = function(conn)
          if conns.accepted == 2 then conns.waiting = conn return end
          conns.accepted = (conns.accepted or 0) + 1
          conn:accept()
        end,
        closed = function() return server end }
      weak[server] = true
      for _ = 1, 5 do
        conns[#conns + 1] = turning.client(loop, "ws://127.0.0.1:" .. server:port(), {
          open = function(conn) conns.opened = conn end })
      end
      turning.wait(loop, function() return conns.waiting and conns.opened end)
      conns.opened:send(("x"):rep(3000000))
      loop:close()
      for _, conn in ipairs(conns) do
        assert.equal(3, conn.readyState)
        weak[conn] = true
        conn:send("late")
        conn:terminate()
        conn:rawClose(1000)
        conn:setHandlers(core.handlers { tag = 1 })
        assert.is_nil((conn:accept()))
        assert.equal("", conn.protocol)
        conn:pause()
        conn:ping("x")
      end
      for _, name in ipairs(methods) do pcall(server[name], server, "x", "y") end
    end
    turning.no_more(baseline)
    assert.is_nil(next(weak))
  end)
end)

describe("`closed`", function()
  it("may do anything", function()
    local actions = {
      raise = function() error("on purpose") end,
      collect = function() collectgarbage() collectgarbage() end,
      again = function(party) party.server:close() end,
      methods = function(party)
        for _, name in ipairs(methods) do pcall(party.server[name], party.server, "x", "y") end
      end,
      listen = function(party) party.second = turning.server(party.loop) end,
      post = function(party) party.loop:post(function() party.server:close() end) end,
      drop = function(party) party.server = nil collectgarbage() end,
      loop = function(party) party.loop:close() end,
    }
    local function try(name, action)
      local party, closed
      party = turning.party { closed = function()
        closed = true
        action(party)
      end }
      local _, log = party.client()
      party.server:close()
      party.wait(function() return closed and log.close end)
      assert.equal((name == "raise" or name == "loop") and 1 or 0, #party.errors, name)
      if party.second then
        turning.prove(party.loop, "ws://127.0.0.1:" .. party.second:port())
      end
      party.finish()
    end
    for name, action in pairs(actions) do
      local baseline = turning.live()
      try(name, action)
      turning.no_more(baseline, name)
    end
  end)
end)

describe("a server at the end", function()
  it("of the state may be asked by a later finalizer", function()
    local code, output = turning.child [[
      local core = require "ws.core"
      local holder = {}
      holder.last = finally(function()
        for _, name in ipairs { "port", "host", "connections", "clients", "publish", "close",
                                "setTLS" } do
          pcall(holder.server[name], holder.server, "x", "y")
        end
        for _, conn in ipairs(holder.conns) do
          for _, name in ipairs { "readyState", "url", "protocol", "tls", "bufferedAmount",
                                  "remoteAddress", "localPort", "latency" } do
            pcall(function() return conn[name] end)
          end
          for _, set in ipairs { core.connection.methods, core.connection.internals } do
            for _, method in pairs(set) do pcall(method, conn, "x", "text") end
          end
        end
        for _, name in ipairs { "turn", "alive", "close", "timeout", "fd", "poller" } do
          pcall(holder.loop[name], holder.loop, 0)
        end
        print "looked"
      end)
      holder.conns = {}
      holder.loop = core.loop()
      local handlers = core.handlers { open = function(conn)
        holder.conns[#holder.conns + 1] = conn
        conn:send(("x"):rep(100000))
      end }
      holder.server = holder.loop:listen { host = "127.0.0.1", port = 0, handlers = handlers }
      for _ = 1, 5 do
        holder.loop:connect { url = "ws://127.0.0.1:" .. holder.server:port(),
                              handlers = handlers, parallel = true }
      end
      for _ = 1, 8 do holder.loop:turn(5) end
      assert(#holder.conns == 10)]]
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)

  it("of a scope: collected in any order with its loop and connections", function()
    local baseline = turning.live()
    for order = 1, 6 do
      local loop = turning.loop()
      local objects = { loop }
      objects[2] = turning.server(loop)
      objects[3] = turning.client(loop, "ws://127.0.0.1:" .. objects[2]:port(), {})
      loop:turn(5) loop:turn(5)
      loop = nil -- luacheck: ignore 311
      for step = 0, 2 do
        objects[(order * (order > 3 and 2 or 1) + step * (order > 3 and 2 or 1)) % 3 + 1] = false
        collectgarbage()
      end
      objects = nil -- luacheck: ignore 311
      turning.no_more(baseline, "order " .. order)
    end
  end)
end)
