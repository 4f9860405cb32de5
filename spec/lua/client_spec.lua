-- SPDX-License-Identifier: MIT
-- loop:connect (csrc/lua/lua_client.c): its options, its failures, and connections
-- that are dropped before they are open.

local core = require "ws.core"
local turning = require "spec.lua.turning"

describe("loop:connect", function()
  local party
  before_each(function() party = turning.party() end)
  after_each(function()
    party.finish()
    assert.same({}, party.errors)
  end)

  local function connect(more)
    local options = { url = party.url, handlers = core.handlers {} }
    for name, value in pairs(more) do options[name] = value end
    return party.loop:connect(options)
  end

  it("gives a CONNECTING connection, and sends nothing before a turn", function()
    local conn = connect {}
    assert.equal(0, conn.readyState)
    assert.equal(party.url, conn.url)
    assert.equal("", conn.protocol)
    assert.equal("", conn.extensions)
    assert.equal(0, conn.bufferedAmount)
    for _, name in ipairs { "remoteAddress", "remotePort", "localAddress", "localPort", "tls",
                            "latency" } do
      assert.is_nil(conn[name])
    end
    assert.equal("WebSocket (CONNECTING) " .. party.url, tostring(conn))
  end)

  it("normalises the URL", function()
    assert.equal("ws://127.0.0.1/a%20b?c", connect { url = "http://127.1:80/x/../a b?c" }.url)
  end)

  it("raises at the caller's line for what it cannot use", function()
    for _, url in ipairs { "", "x", "ftp://a/", "ws://a/#f", "ws://a\0b/", "ws://", "wss://a/" } do
      assert.matches("client_spec.lua:%d+: TypeError: cannot connect: ",
        turning.raised(function() connect { url = url } end))
    end
    assert.error_matches(function() party.loop:connect { handlers = core.handlers {} } end,
                         "TypeError: cannot connect")
    for _, wrong in ipairs { 5, "ws://a/", true, print } do
      assert.has_error(function() party.loop:connect(wrong) end)
    end
    assert.has_error(function() party.loop:connect() end)
    for _, headers in ipairs { { "Upgrade", "x" }, { "Bad Name", "x" }, { "X", "a\r\nb" },
                               { "X", "\0" }, { "", "" }, { "Sec-WebSocket-Key", "x" } } do
      assert.error_matches(function() connect { headers = headers } end,
                           "TypeError: cannot connect")
    end
    assert.error_matches(function() connect { origin = "a\nb" } end, "TypeError")
  end)

  it("sends headers, origin and protocols; a lone header name is left out", function()
    local seen
    local other = turning.party { judge = function(conn, request)
      seen = request
      conn:accept("b")
    end }
    local conn = other.client(nil, { headers = { "X-A", "1", "X-A", "2", "X-Lone" },
      origin = "http://o.example", protocols = { "a", "b" } })
    assert.equal("1, 2", seen.headers["x-a"])
    assert.is_nil(seen.headers["x-lone"])
    assert.equal("http://o.example", seen.origin)
    assert.same({ "a", "b" }, seen.protocols)
    assert.equal("b", conn.protocol)
    other.finish()
  end)

  it("goes through a Unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    local other = turning.party { path = path }
    other.url = "ws://localhost/"
    local conn, log = other.client(nil, { unixPath = path })
    assert.equal(1, log.open)
    conn:send "x"
    other.wait(function() return log.message end)
    other.finish()
    for _, wrong in ipairs { "/nowhere/at.all", ("x"):rep(5000), "a\0b" } do
      local functions, its = turning.recording()
      local ok = pcall(connect, { unixPath = wrong, handlers = functions })
      if ok then party.wait(function() return its.close end) end
    end
  end)

  it("fails with one error and one close, never inside the call", function()
    local free = turning.party()
    local refused = free.url
    free.finish()
    for url, code in pairs { [refused] = "ECONNREFUSED",
                             ["ws://nohost.invalid/"] = "ENOTFOUND" } do
      local functions, log = turning.recording()
      local conn = connect { url = url, handlers = functions }
      assert.equal(0, #log)
      assert.equal(0, conn.readyState)
      party.wait(function() return log.close end)
      assert.equal(2, #log)
      assert.equal("error", log[1][1])
      assert.is_string(log[1][2])
      assert.equal(code, log[1][3])
      assert.same({ "close", 1006, "", false }, log[2])
      assert.equal(3, conn.readyState)
      assert.equal("", conn.protocol)
    end
  end)

  it("that is ended at once fails in a later task", function()
    for _, method in ipairs { "rawClose", "terminate" } do
      for _, host in ipairs { "127.0.0.1", "localhost" } do
        for turns = 0, 2 do
          local functions, log = turning.recording()
          local conn = connect { url = party.url:gsub("127.0.0.1", host), handlers = functions }
          for _ = 1, turns do party.loop:turn(0) end
          if conn.readyState == 0 then
            conn[method](conn)
            assert.equal(2, conn.readyState)
            assert.equal(0, #log)
            conn[method](conn)
            party.wait(function() return log.close end)
            assert.equal("ECONNABORTED", select(2, log.last "error"))
            assert.equal(2, #log)
          else
            conn:terminate()
          end
        end
      end
    end
    party.prove()
  end)

  it("goes on when everything about it was dropped", function()
    local opened = 0
    for _ = 1, 5 do
      connect { handlers = core.handlers { open = function(conn)
        opened = opened + 1
        conn:rawClose(1000)
      end } }
      collectgarbage()
    end
    collectgarbage()
    party.wait(function() return opened == 5 end)
  end)

  it("gives all back after failures and ends of each kind", function()
    party.prove()
    local baseline = turning.settled(party.loop)
    for _ = 1, 5 do
      pcall(connect, { url = "no" })
      pcall(connect, { headers = { "Upgrade", "x" } })
      pcall(connect, { tls = 5 })
      pcall(connect, { handlers = 5 })
      connect {}:terminate()
      connect { url = "ws://127.0.0.1:1/" }
      local conn = connect {}
      party.wait(function() return conn.readyState == 1 end)
      conn:rawClose(1000)
    end
    turning.no_more(baseline, nil, party.loop)
  end)

  it("without memory raises, or gives a connection that fails", function()
    for k = 1, 12 do
      core.failAllocation(k)
      local ok, conn = pcall(connect, { url = party.url .. ("p"):rep(600), protocols = { "a" },
        headers = { "X-A", ("v"):rep(600) }, timeout = 1000 })
      core.failAllocation(0)
      if ok then
        assert.is_string(conn.url)
        conn:terminate()
      else
        assert.matches("not enough memory", conn)
      end
    end
    party.prove()
  end)

  it("has a proxy only of a kind it knows", function()
    for _, wrong in ipairs { 5, "http://p/", { kind = "gopher" }, { host = 5 },
                             { host = "p", port = -1 }, { host = "p", user = {} } } do
      assert.has_error(function() connect { proxy = wrong } end)
    end
  end)
end)
