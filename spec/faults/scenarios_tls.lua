-- SPDX-License-Identifier: MIT
-- Scenarios (see scenarios.lua) with TLS. In those with `never_opens` the peer is not
-- the right one: whatever fails, the connection must not open.

local core = require "ws.core"
local scene = require "spec.faults.scene"

local same, certs = scene.same, scene.certs
local list = {}
local long = ("0123456789"):rep(20000)
local squeezable = ("again and "):rep(50)

local function scenario(name, run, prepare, more)
  local entry = { name = name, run = run, prepare = prepare }
  for key, value in pairs(more or {}) do entry[key] = value end
  list[#list + 1] = entry
end

local function of_server(cert, more)
  local options = { server = true, cert = certs .. (cert or "server") .. ".pem",
                    key = certs .. "leaf.key" }
  for name, value in pairs(more or {}) do options[name] = value end
  local context, why = core.tls(options)
  return context or error(why, 0)
end

local function of_client(more)
  local options = { ca = certs .. "root.pem" }
  for name, value in pairs(more or {}) do options[name] = value end
  local context, why = core.tls(options)
  return context or error(why, 0)
end

local function usual() return { server = of_server(), client = of_client() } end

local function start(s, more)
  s.proof = { tls = s.prepared.client }
  return (s:server({ tls = s.prepared.server }, more))
end

scenario("TLS", function(s)
  start(s)
  local client = s:open(s.proof)
  same(client.conn.tls.verified, true)
  s:echo(client, "in secret")
  s:goodbye(client)
end, usual)

-- The second connection may resume the first one's TLS session.
scenario("TLS again with the same contexts", function(s)
  start(s)
  for _ = 1, 2 do
    local client = s:open(s.proof)
    s:echo(client, "x")
    s:goodbye(client)
  end
end, usual)

scenario("TLS with a client's certificate", function(s)
  start(s)
  local client = s:open(s.proof)
  s:echo(client, "known")
  s:goodbye(client)
end, function()
  return { server = of_server(nil, { ca = certs .. "root.pem", requireCert = true }),
           client = of_client { cert = certs .. "client.pem", key = certs .. "leaf.key" } }
end)

scenario("TLS big message", function(s)
  start(s)
  local client = s:open(s.proof)
  s:echo(client, long)
  s:goodbye(client)
end, usual)

scenario("TLS with deflate", function(s)
  s.proof = { tls = s.prepared.client, deflate = { threshold = 0 } }
  s:server { tls = s.prepared.server, deflate = { threshold = 0 } }
  local client = s:open(s.proof)
  for i = 1, 2 do s:echo(client, squeezable .. i) end
  s:goodbye(client)
end, usual)

scenario("TLS closed by the server", function(s)
  start(s, { message = function(conn) conn:rawClose(1001) end })
  s.no_proof = true
  local client = s:open(s.proof)
  client.conn:send "x"
  s:ended(client, 1001)
end, usual)

scenario("TLS terminated", function(s)
  start(s, { calm = true })
  local client = s:open(s.proof)
  client.conn:terminate()
  s:wait(function() return client.closes > 0 end)
end, usual)

scenario("TLS by name, with SNI", function(s)
  start(s)
  s.no_proof = true
  local client = s:open { url = s.url:gsub("127.0.0.1", "a.test"), tls = s.prepared.client }
  s:goodbye(client)
end, function()
  local server = of_server()
  assert(server:addName("a.test", of_server "a"))
  return { server = server, client = of_client() }
end)

scenario("TLS contexts", function()
  local server = of_server(nil, { ca = certs .. "root.pem", requestCert = true })
  local added, why = server:addName("b.test", of_server "b")
  if not added then error(why, 0) end
  of_client { cert = certs .. "client.pem", key = certs .. "leaf.key",
              pins = { ("A"):rep(43) .. "=" }, minVersion = "TLSv1.3" }
end, nil, { weight = 3 })

scenario("reload of certificates", function(s)
  local server = start(s)
  local one = s:open(s.proof)
  server:setTLS(s.prepared.renewed)
  local two = s:open(s.proof)
  s:echo(one, "old")
  s:echo(two, "new")
  s:goodbye(one)
  s:goodbye(two)
end, function()
  return { server = of_server(), renewed = of_server "many", client = of_client() }
end)

-- ------------------------------------------------------- nobody may be let in

-- The server, or with `at_server` the client, is not the right one.
local function refused(name, prepare, at_server)
  scenario(name, function(s)
    s:server({ tls = s.prepared.server }, { calm = true })
    local client = s:client { tls = s.prepared.client, servername = s.prepared.name,
                              expects_error = true }
    s:wait(function() return client.closes > 0 end)
    if not at_server then same(client.open, 0) end
    same(s.served, 0)
  end, prepare, { never_opens = at_server and "server" or "client", no_proof = true })
end

refused("TLS of the wrong host", function()
  return { server = of_server "wrong", client = of_client() }
end)

refused("TLS of the wrong host, asked for by name", function()
  return { server = of_server(), client = of_client(), name = "other.test" }
end)

refused("TLS of an unknown authority", function()
  return { server = of_server "unknown_sent", client = of_client(), name = "ws.test" }
end)

refused("TLS self-signed", function()
  return { server = of_server("self", { key = certs .. "other.key" }), client = of_client(),
           name = "ws.test" }
end)

refused("TLS expired", function()
  return { server = of_server "expired", client = of_client(), name = "ws.test" }
end)

refused("TLS of another purpose", function()
  return { server = of_server "eku_client", client = of_client(), name = "ws.test" }
end)

refused("TLS revoked", function()
  return { server = of_server "revoked", client = of_client { ca = certs .. "root_crl.pem" },
           name = "ws.test" }
end)

refused("TLS without the pinned key", function()
  return { server = of_server(), client = of_client { pins = { ("A"):rep(43) .. "=" } } }
end)

refused("TLS without the client's certificate", function()
  return { server = of_server(nil, { ca = certs .. "root.pem", requireCert = true }),
           client = of_client() }
end, true)

refused("TLS with an unknown client's certificate", function()
  return { server = of_server(nil, { ca = certs .. "root.pem", requireCert = true }),
           client = of_client { cert = certs .. "client_unknown.pem", key = certs .. "leaf.key" } }
end, true)

return list
