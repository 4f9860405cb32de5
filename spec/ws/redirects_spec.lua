-- SPDX-License-Identifier: MIT
-- Following redirects: how many, where to, and with what.

local helper = require "spec.helper"
local ws = require "ws"

local certs = "build/certs/"

describe("followRedirects", function()
  local servers, seen

  -- A server that redirects every path but /end, to what `places` says.
  local function serve(places, tls)
    local server = assert(ws.serve {
      port = 0, tls = tls,
      upgrade = function(request)
        seen[#seen + 1] = request
        local place = places[request.path]
        if place then return false, place.status or 302, nil, { Location = place.to } end
        return { headers = { ["X-Path"] = request.path } }
      end,
      message = function(sock, data) sock:send(data) end,
    })
    servers[#servers + 1] = server
    return server
  end

  local function url(server, path, scheme)
    return ("%s://localhost:%d%s"):format(scheme or "ws", server.port, path)
  end

  local function connect(target, options)
    options = options or {}
    options.family = 4
    options.timeout = 3000
    options.tls = options.tls or { ca = certs .. "root.pem" }
    return ws.connect(target, nil, options)
  end

  before_each(function() servers, seen = {}, {} end)
  after_each(function()
    for _, server in ipairs(servers) do server:close() end
    for _, server in ipairs(servers) do
      helper.wait_until(function() return server.connections == 0 end)
    end
  end)

  it("may be any whole number", function()
    local server = serve { ["/"] = { to = "/end" } }
    for _, most in ipairs { 1, 2 ^ 32, 2 ^ 53 - 1 } do
      local sock = assert(connect(url(server, "/"), { followRedirects = most }))
      sock:close()
    end
  end)

  it("is off by default (S49)", function()
    local server = serve { ["/"] = { to = "/end" } }
    local sock, message, code = connect(url(server, "/"))
    assert.is_nil(sock)
    assert.equal("EHANDSHAKE", code)
    assert.matches("302", message)
    assert.equal(1, #seen)
  end)

  it("goes where the server says, and talks there", function()
    local server = serve { ["/"] = { to = "/b", status = 307 }, ["/b"] = { to = "end?x=1" } }
    local sock = assert(connect(url(server, "/"), { followRedirects = 2 }))
    assert.equal("/end", seen[3].path)
    assert.equal("x=1", seen[3].query)
    assert.equal(url(server, "/"), sock.url) -- the first one
    sock:send "there"
    assert.equal("there", (sock:receive(2000)))
    sock:close()
  end)

  it("stops at the limit", function()
    local server = serve { ["/"] = { to = "/" } }
    local sock, message = connect(url(server, "/"), { followRedirects = 3 })
    assert.is_nil(sock)
    assert.matches("302", message)
    assert.equal(4, #seen)
  end)

  it("takes headers and cookies along on the same origin only", function()
    local other = serve {}
    local server = serve { ["/"] = { to = "/b" }, ["/b"] = { to = url(other, "/end") } }
    local sock = assert(connect(url(server, "/"):gsub("//", "//joe:secret@"), {
      followRedirects = 5,
      headers = { Cookie = "a=b", Authorization = "Bearer x", ["X-Mine"] = "y" },
    }))
    sock:close()
    assert.equal(3, #seen)
    for i = 1, 2 do
      assert.equal("a=b", seen[i].headers.cookie)
      assert.equal("Bearer x", seen[i].headers.authorization)
    end
    assert.is_nil(seen[3].headers.cookie)
    assert.is_nil(seen[3].headers.authorization)
    assert.equal("y", seen[2].headers["x-mine"])
    assert.is_nil(seen[3].headers["x-mine"]) -- A23: any header may hold a secret
  end)

  it("goes from ws to wss, never back", function()
    local tls = { cert = certs .. "server.pem", key = certs .. "leaf.key" }
    local secure = serve({}, tls)
    local plain = serve { ["/"] = { to = url(secure, "/end", "wss") } }
    local sock = assert(connect(url(plain, "/"), { followRedirects = 1 }))
    assert.is_table(sock.tls)
    sock:close()
    local down = serve({ ["/"] = { to = url(plain, "/end") } }, tls)
    local none, message = connect(url(down, "/", "wss"), { followRedirects = 1 })
    assert.is_nil(none)
    assert.matches("302", message)
  end)

  it("shows a client's certificate to the origin it was meant for alone", function()
    local tls = { cert = certs .. "server.pem", key = certs .. "leaf.key",
                  ca = certs .. "root.pem", requestCert = "optional" }
    local other = serve({}, tls)
    local server = serve({ ["/"] = { to = "/end" },
                           ["/away"] = { to = url(other, "/end", "wss") } }, tls)
    local plain = serve { ["/"] = { to = url(other, "/end", "wss") } }
    local mine = { ca = certs .. "root.pem", cert = certs .. "client.pem",
                   key = certs .. "leaf.key" }
    local sock = assert(connect(url(server, "/", "wss"), { followRedirects = 1, tls = mine }))
    sock:close()
    for _, start in ipairs { url(server, "/away", "wss"), url(plain, "/") } do
      local none, message, code = connect(start, { followRedirects = 1, tls = mine })
      assert.is_nil(none)
      assert.equal("EHANDSHAKE", code)
      assert.matches("302", message)
    end
    assert.equal(4, #seen)
  end)

  it("is under the one deadline, and can be given up", function()
    local server = serve { ["/"] = { to = "/" } }
    local sock, _, code = ws.connect(url(server, "/"), nil, {
      followRedirects = 1000000, timeout = 150, family = 4,
    })
    assert.is_nil(sock)
    assert.equal("ETIMEDOUT", code)
    for turns = 1, 12 do
      local one = ws.new(url(server, "/"), nil, { followRedirects = 1000000, family = 4 })
      local closed = 0
      one.onclose = function() closed = closed + 1 end
      for _ = 1, turns do ws.poll(1) end
      if turns % 2 == 0 then one:close() else one:terminate() end
      helper.wait_until(function() return closed == 1 end)
    end
  end)

  it("is told as what it was when it leads nowhere", function()
    local server = serve { ["/"] = { to = "ftp://a.test/" } }
    local sock, message, code = connect(url(server, "/"), { followRedirects = 5 })
    assert.is_nil(sock)
    assert.equal("EHANDSHAKE", code)
    assert.matches("302", message)
  end)
end)
