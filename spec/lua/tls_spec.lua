-- SPDX-License-Identifier: MIT
-- The Lua type ws.tls (csrc/lua/lua_tls.c): contexts and their errors, names, what
-- keeps what alive. Which certificates are good is tested in C.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local certs = (os.getenv("WS_CERTS") or "build/certs") .. "/"

local function text(name)
  local file = assert(io.open(certs .. name, "rb"))
  local all = file:read("*a")
  file:close()
  return all
end

local function server_context(name)
  return assert(core.tls { server = true, cert = certs .. (name or "server") .. ".pem",
                           key = certs .. "leaf.key" })
end

local function client_context(more)
  local options = { ca = certs .. "root.pem" }
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(core.tls(options))
end

describe("core.tls", function()
  it("takes files, and PEM text", function()
    assert.is_userdata(core.tls {})
    assert.is_userdata(core.tls { ca = text "root.pem", verify = false })
    assert.is_userdata(core.tls { server = true, cert = text "server.pem", key = text "leaf.key" })
    assert.is_userdata(core.tls { server = true, cert = certs .. "both.pem",
                                  key = certs .. "both.pem" })
    assert.is_userdata(core.tls { server = true, cert = certs .. "server.pem",
                                  key = certs .. "encrypted.key", password = "secret" })
    assert.is_userdata(core.tls { minVersion = "TLSv1.3" })
  end)

  it("gives nil and why for what the files do not hold", function()
    for _, options in ipairs {
      { ca = certs .. "nowhere.pem" }, { ca = certs .. "garbage.pem" }, { ca = "" },
      { ca = certs .. "empty.pem" }, { ca = "a\0b" },
      { server = true, cert = certs .. "broken.pem", key = certs .. "leaf.key" },
      { server = true, cert = certs .. "server.pem", key = certs .. "other.key" },
      { server = true, cert = certs .. "server.pem" }, { server = true },
      { server = true, cert = certs .. "server.pem", key = certs .. "encrypted.key" },
      { server = true, cert = certs .. "server.pem", key = certs .. "encrypted.key",
        password = "wrong" },
      { minVersion = "SSLv3" }, { minVersion = "" }, { minVersion = "TLSv1.2\0" },
      { ciphers = "no such cipher" }, { pins = { "no pin" } }, { pins = { "" } },
    } do
      local context, why, code = core.tls(options)
      if context then -- an empty option may count as none
        assert.is_true(options.ca == "" or options.minVersion == "")
      else
        assert.is_string(why)
        assert.is_string(code)
        assert.is_nil(why:find("secret", 1, true))
      end
    end
  end)

  it("raises for wrong types", function()
    for _, wrong in ipairs { 5, "x", true } do
      assert.has_error(function() core.tls(wrong) end)
    end
    assert.has_error(function() core.tls() end)
    for name, value in pairs { server = 1, verify = "no", ca = 5, cert = true, key = {},
                               password = 5, ciphers = {}, minVersion = 1.2, pins = "x",
                               requestCert = 0, requireCert = 0 } do
      assert.matches("tls_spec.lua:%d+: TypeError: option '" .. name .. "'",
        turning.raised(function() core.tls { [name] = value } end))
    end
    assert.error_matches(function() core.tls { pins = { 5 } } end, "TypeError")
  end)

  it("gives its memory back, also when it failed or memory ran out", function()
    local baseline = turning.live()
    core.tls { ca = certs .. "garbage.pem" }
    core.tls { ca = certs .. "root.pem" }
    for k = 1, 12 do
      core.failAllocation(k)
      pcall(core.tls, { server = true, cert = certs .. "server.pem", key = certs .. "leaf.key",
                        pins = { ("A"):rep(43) .. "=" } })
      core.failAllocation(0)
    end
    turning.no_more(baseline)
  end)
end)

describe("ctx:addName", function()
  it("takes a name and a context", function()
    local context, other = server_context(), server_context("a")
    assert.is_true(context:addName("a.test", other))
    assert.is_true(context:addName("*.a.test", other))
    for _, wrong in ipairs { 5, "x", {}, print, io.stdout, core.handlers {} } do
      assert.error_matches(function() context:addName("x.test", wrong) end, "TypeError")
    end
    for _, wrong in ipairs { {}, true, print } do
      assert.error_matches(function() context:addName(wrong, other) end, "TypeError")
    end
    assert.has_error(function() context:addName() end)
    assert.is_true(turning.survives(context.addName, context, 2))
    pcall(context.addName, context, "a\0b", other)
    pcall(context.addName, context, ("x"):rep(5000), other)
  end)

  it("to itself makes no knot that lives for ever", function()
    local baseline = turning.live()
    local context, other = server_context(), server_context("a")
    pcall(context.addName, context, "a.test", context)
    context:addName("b.test", other)
    context, other = nil, nil -- luacheck: ignore 311
    turning.no_more(baseline)
  end)

  it("survives memory running out", function()
    local baseline = turning.live()
    for k = 1, 5 do
      local context, other = server_context(), server_context("a")
      core.failAllocation(k)
      pcall(context.addName, context, "a.test", other)
      core.failAllocation(0)
    end
    turning.no_more(baseline)
  end)
end)

describe("TLS between a server and a client", function()
  local party
  local function start(options)
    options = options or {}
    options.tls = options.tls or server_context()
    party = turning.party(options)
  end
  after_each(function()
    party.finish()
    party = nil
  end)

  it("shows what was agreed, while it lasts", function()
    start()
    local conn, log = party.client(nil, { tls = client_context(), servername = "localhost" })
    assert.equal(1, log.open)
    assert.matches("^TLSv1%.%d$", conn.tls.version)
    assert.is_string(conn.tls.cipher)
    assert.is_true(conn.tls.verified)
    assert.is_boolean(conn.tls.resumed)
    conn:terminate()
    party.wait(function() return log.close end)
    assert.is_nil(conn.tls)
  end)

  it("goes on when the contexts were dropped and collected", function()
    start()
    collectgarbage() collectgarbage()
    local conn, log = party.client(nil, { tls = client_context() })
    collectgarbage() collectgarbage()
    conn:send(("x"):rep(100000), "binary")
    party.wait(function() return log.message end)
    assert.equal(100000, #log.last("message"))
    party.prove { tls = client_context() }
  end)

  it("fails with ETLS when the certificate is not trusted", function()
    start()
    local conn, log = party.client(nil, { tls = client_context { ca = certs .. "stranger.pem" } })
    assert.equal(1, log.error)
    assert.equal("ETLS", select(2, log.last "error"))
    assert.equal(1006, (log.last "close"))
    assert.equal(3, conn.readyState)
    assert.is_nil(log.open)
    party.prove { tls = client_context() }
  end)

  it("takes a client's certificate", function()
    start { tls = assert(core.tls { server = true, cert = certs .. "server.pem",
      key = certs .. "leaf.key", ca = certs .. "root.pem", requireCert = true }) }
    local _, log = party.client(nil, { tls = client_context() })
    party.wait(function() return log.close end)
    party.prove { tls = client_context { cert = certs .. "client.pem", key = certs .. "leaf.key" } }
  end)

  it("changes with server:setTLS for those who come from then on", function()
    start { tls = server_context("unknown") }
    local _, log = party.client(nil, { tls = client_context() })
    assert.equal(1, log.error)
    for _, wrong in ipairs { 5, "x", {}, print, party.loop, core.handlers {} } do
      assert.error_matches(function() party.server:setTLS(wrong) end, "TypeError")
    end
    assert.has_error(function() party.server:setTLS() end)
    party.server:setTLS(server_context())
    collectgarbage() collectgarbage()
    party.prove { tls = client_context() }
  end)

  it("needs a context for wss, and contexts of the right side", function()
    start()
    assert.error_matches(function()
      party.loop:connect { url = party.url, handlers = core.handlers {} }
    end, "TypeError: cannot connect")
    for _, wrong in ipairs { 5, "x", {}, true, party.loop } do
      assert.error_matches(function()
        party.loop:connect { url = party.url, handlers = core.handlers {}, tls = wrong }
      end, "TypeError")
      assert.error_matches(function()
        party.loop:listen { handlers = core.handlers {}, tls = wrong }
      end, "TypeError")
    end
    assert.error_matches(function()
      party.loop:connect { url = party.url, handlers = core.handlers {}, tls = server_context() }
    end, "TypeError: a client's TLS context expected")
    for _, method in ipairs { "setTLS", "listen" } do
      assert.error_matches(function()
        if method == "setTLS" then party.server:setTLS(client_context()) end
        party.loop:listen { handlers = core.handlers {}, tls = client_context() }
      end, "TypeError: a server's TLS context expected")
    end
    assert.error_matches(function() server_context():addName("a.test", client_context()) end,
                         "TypeError: a server's TLS context expected")
    party.prove { tls = client_context() }
  end)

  it("is not spoken: the client hears why, the server goes on", function()
    start()
    local plain_url = party.url:gsub("^wss", "ws")
    local functions, log = turning.recording()
    party.loop:connect { url = plain_url, handlers = functions }
    party.wait(function() return log.close end)
    assert.equal(1, log.error)
    party.prove { tls = client_context() }
  end)

  it("survives memory running out at each step", function()
    local baseline = turning.live()
    for k = 1, 50, 3 do
      start()
      local context = client_context()
      core.failAllocation(k)
      local ok, conn = pcall(party.loop.connect, party.loop,
        { url = party.url, handlers = core.handlers {}, tls = context })
      for _ = 1, 12 do party.loop:turn(1) end
      core.failAllocation(0)
      if ok then conn:terminate() end
      party.prove { tls = context }
      party.finish()
      party, context, conn = nil, nil, nil -- luacheck: ignore 311
      turning.no_more(baseline, "left behind after " .. k)
    end
    start()
  end)
end)

describe("a context at the end of the state", function()
  it("may be looked at by a later finalizer, and go with all that use it", function()
    local code, output = turning.child([[
      local core = require "ws.core"
      local certs = "]] .. certs .. [["
      local holder = {}
      holder.last = finally(function()
        pcall(holder.tls.addName, holder.tls, "a.test", holder.tls)
        pcall(holder.loop.listen, holder.loop, { tls = holder.tls, handlers = core.handlers {} })
        pcall(holder.server.setTLS, holder.server, holder.tls)
        print "looked"
      end)
      holder.tls = core.tls { server = true, cert = certs .. "server.pem",
                              key = certs .. "leaf.key" }
      holder.loop = core.loop()
      holder.server = holder.loop:listen { host = "127.0.0.1", port = 0, tls = holder.tls,
                                           handlers = core.handlers {} }
      local client = core.tls { verify = false }
      for _ = 1, 5 do
        holder.loop:connect { url = "wss://127.0.0.1:" .. holder.server:port(), tls = client,
                              handlers = core.handlers {} }
      end
      for _ = 1, 5 do holder.loop:turn(5) end]])
    assert.equal(0, code, output)
    assert.equal("looked\n", output)
  end)
end)
