-- SPDX-License-Identifier: MIT
-- Option tables of connect and listen (csrc/lua/lua_config.c): each setting does what
-- its name says, extreme values do no harm, defaults hold. util_spec.lua and
-- server_spec.lua test that wrong types raise.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local sizes = { "timeout", "closeTimeout", "maxPayload", "pingInterval", "pingTimeout",
                "highWaterMark", "lowWaterMark" }
local server_sizes = { "handshakeTimeout", "idleTimeout", "closeTimeout", "maxPayload",
                       "pingInterval", "pingTimeout", "maxBackpressure", "maxConnections",
                       "highWaterMark", "lowWaterMark", "backlog" }

describe("a size or time", function()
  it("of 0 or of 2^53 is taken by connect and listen", function()
    for _, name in ipairs(sizes) do
      for _, value in ipairs { 0, 1, 2 ^ 53 } do
        local party = turning.party()
        local conn, log = party.client(nil, { [name] = value })
        if log.open then conn:send("x") end
        for _ = 1, 3 do party.loop:turn(1) end
        party.prove()
        party.finish()
        assert.same({}, party.errors)
      end
    end
    for _, name in ipairs(server_sizes) do
      for _, value in ipairs { 0, 2 ^ 53 } do
        local party = turning.party { [name] = value }
        local _, log = party.client()
        assert.is_true((log.open or log.close) ~= nil)
        party.loop:turn(1)
        party.finish()
        assert.same({}, party.errors)
      end
    end
  end)
end)

describe("the setting", function()
  local party
  local function start(options) party = turning.party(options) end
  after_each(function()
    party.finish()
    assert.same({}, party.errors)
  end)

  it("maxPayload bounds what a client takes", function()
    start()
    local conn, log = party.client(nil, { maxPayload = 10 })
    conn:send("1234567890")
    party.wait(function() return log.message end)
    conn:send("12345678901")
    party.wait(function() return log.close end)
    assert.equal("ETOOBIG", select(2, log.last "error"))
    party.wait(function() return party.log.close end)
    assert.equal(1009, (party.log.last "close"))
  end)

  it("maxPayload bounds what a server takes", function()
    start { maxPayload = 10 }
    local conn, log = party.client()
    conn:send("12345678901")
    party.wait(function() return log.close end)
    assert.equal(1009, (log.last "close"))
  end)

  it("timeout ends an opening that takes too long", function()
    start { judge = function() end }
    local _, log = party.client(nil, { timeout = 20 })
    assert.equal("ETIMEDOUT", select(2, log.last "error"))
  end)

  it("handshakeTimeout ends a silent guest", function()
    start { handshakeTimeout = 20 }
    local raw = turning.raw(party.loop, party.server)
    raw.send("GET / HTTP/1.1\r\n")
    raw.all()
  end)

  it("closeTimeout ends a wait for the peer's Close", function()
    start()
    local conn, log = party.client(nil, { closeTimeout = 20 })
    party.server:clients()[1]:pause()
    conn:rawClose(1000)
    party.wait(function() return log.close end)
    assert.same({ "close", 1006, "", false }, log[#log])
  end)

  it("idleTimeout drops a peer that says nothing at all", function()
    start { idleTimeout = 40 }
    local conn, log = party.client()
    conn:hold(true) -- so that it does not even answer pings
    party.wait(function() return party.log.close end)
    conn:hold(false)
    party.wait(function() return log.close end)
  end)

  it("pingInterval and pingTimeout find a dead peer, and measure a living one", function()
    start()
    local conn, log = party.client(nil, { pingInterval = 5, pingTimeout = 30 })
    party.wait(function() return conn.latency end)
    assert.is_true(conn.latency >= 0 and conn.latency < 5000)
    party.server:clients()[1]:pause()
    party.wait(function() return log.close end)
    assert.equal("ETIMEDOUT", select(2, log.last "error"))
  end)

  it("highWaterMark is where send says false, lowWaterMark where drain comes", function()
    start { highWaterMark = 100, lowWaterMark = 0 }
    party.client()
    local peer = party.server:clients()[1]
    assert.is_true(peer:send(("x"):rep(100)))
    assert.is_false(peer:send("x"))
    party.wait(function() return party.log.drain == 1 end)
    assert.equal(0, peer.bufferedAmount)
  end)

  it("maxBackpressure drops who does not read", function()
    start { maxBackpressure = 100000 }
    local conn = party.client()
    conn:pause()
    local peer = party.server:clients()[1]
    for _ = 1, 200 do
      if peer.readyState ~= 1 then break end
      peer:send(("x"):rep(100000), "binary")
      party.loop:turn(0)
    end
    party.wait(function() return party.log.close end)
    assert.equal("EBACKPRESSURE", select(2, party.log.last "error"))
  end)

  it("dropPublishes skips who does not read, who stays connected", function()
    start { maxBackpressure = 100000, dropPublishes = true }
    local conn = party.client()
    conn:pause()
    local peer = party.server:clients()[1]
    peer:subscribe("t")
    local skipped
    for _ = 1, 400 do
      if party.server:publish("t", ("x"):rep(100000), "binary") == 0 then skipped = true end
      party.loop:turn(0)
    end
    assert.is_true(skipped)
    assert.equal(1, peer.readyState)
  end)

  it("maxConnections turns away who is too many", function()
    start { maxConnections = 1 }
    local first = party.client()
    local _, log = party.client()
    assert.equal(1, log.error)
    first:terminate()
    party.wait(function() return party.server:connections() == 0 end)
    party.prove()
  end)

  it("deflate is agreed when both have it, with its parameters", function()
    start { deflate = { threshold = 0, serverNoContextTakeover = true } }
    local conn, log = party.client(nil, { deflate = { level = 9, threshold = 0 } })
    assert.matches("permessage%-deflate", conn.extensions)
    assert.matches("server_no_context_takeover", conn.extensions)
    conn:send(("ab"):rep(5000))
    conn:send("\0\255", "binary", { compress = false })
    conn:send("plain", "text", { compress = true })
    party.wait(function() return log.message == 3 end)
    assert.equal(("ab"):rep(5000), log[2][2])
    for _, wrong in ipairs { 5, "x", true, { compress = 5 } } do
      assert.error_matches(function() conn:send("x", "text", wrong) end, "TypeError")
    end
    local plain = party.client()
    assert.equal("", plain.extensions)
  end)

  it("deflate with impossible parameters harms nobody", function()
    start()
    for _, deflate in ipairs { { level = 2 ^ 53 }, { level = 0 }, { clientMaxWindowBits = 255 },
                               { serverMaxWindowBits = 1 }, { threshold = 2 ^ 53 },
                               { clientMaxWindowBits = 8, serverMaxWindowBits = 8 } } do
      local ok, conn = pcall(party.loop.connect, party.loop,
        { url = party.url, handlers = core.handlers {}, deflate = deflate })
      if ok then
        party.wait(function() return conn.readyState ~= 0 end)
        if conn.readyState == 1 then conn:send("xxxxxxxxxxxx") end
        party.loop:turn(1)
        conn:terminate()
      end
      local listened, other = pcall(party.loop.listen, party.loop,
        { host = "127.0.0.1", port = 0, handlers = core.handlers {}, deflate = deflate })
      if listened and other then
        local client = party.loop:connect { url = "ws://127.0.0.1:" .. other:port(),
          handlers = core.handlers { open = function(its) its:send(("x"):rep(3000)) end },
          deflate = { threshold = 0 } }
        party.wait(function() return client.readyState ~= 0 end)
        for _ = 1, 4 do party.loop:turn(1) end
        other:close()
        client:terminate()
      end
      party.prove()
    end
  end)

  it("noDelay and family are taken", function()
    start { noDelay = false }
    for _, options in ipairs { { noDelay = false }, { family = 4 }, { family = 0 } } do
      local _, log = party.client(nil, options)
      assert.equal(1, log.open)
    end
    for _, family in ipairs { 6, 5, 2 ^ 32 + 4, 2 ^ 53 } do
      local functions, log = turning.recording()
      local ok = pcall(party.loop.connect, party.loop,
        { url = party.url, handlers = functions, family = family })
      if ok then party.wait(function() return log.open or log.close end) end
    end
    party.prove()
  end)
end)
