-- SPDX-License-Identifier: MIT
-- Scenarios (see scenarios.lua) of what comes before a WebSocket, or instead of one:
-- proxies, redirects, refusals, plain HTTP.

local core = require "ws.core"
local scene = require "spec.faults.scene"

local same, certs = scene.same, scene.certs
local list = {}
local refusal = ("no "):rep(500)

local function scenario(name, run, more)
  local entry = { name = name, run = run }
  for key, value in pairs(more or {}) do entry[key] = value end
  list[#list + 1] = entry
end

-- ------------------------------------------------------------------- proxies

-- Returns a function that waits while the proxy works. talk(peer) returns true once the
-- proxy has agreed.
local function pass_proxy(s, proxy, talk)
  local peer, far
  local function work()
    peer = peer or proxy:accept()
    if peer and not far and talk(peer) then
      far = s:raw()
      proxy.taken[#proxy.taken + 1] = far
    end
    if far then peer:join(far) end
  end
  return function(condition, who)
    s:wait(function()
      work()
      return condition()
    end, who)
  end
end

local function converse(client, wait)
  wait(function() return client.open > 0 end, client)
  client.conn:send "through"
  wait(function() return client.data end, client)
  same(client.data, "through")
  client.conn:rawClose(1000)
  wait(function() return client.closes > 0 end)
end

local function connect_proxy(peer)
  if not peer:take "\r\n\r\n" then return false end
  peer:send "HTTP/1.1 200 Connection established\r\n\r\n"
  return true
end

local function through(name, options, talk, prepare)
  scenario(name, function(s)
    local shared = s.prepared or {}
    s.proof = shared.client and { tls = shared.client }
    s:server { tls = shared.server }
    local proxy = s:raw_server()
    local given = { kind = options.kind, host = "127.0.0.1", port = proxy.port,
                    user = options.user, password = options.password }
    local client = s:client { proxy = given, tls = shared.client }
    converse(client, pass_proxy(s, proxy, talk))
  end, { prepare = prepare })
end

through("proxy", { kind = "http", user = "me", password = "secret" }, connect_proxy)

through("TLS through a proxy", { kind = "http" }, connect_proxy, function()
  return { server = assert(core.tls { server = true, cert = certs .. "server.pem",
                                      key = certs .. "leaf.key" }),
           client = assert(core.tls { ca = certs .. "root.pem" }) }
end)

through("SOCKS5", { kind = "socks5" }, function(peer)
  if not peer.greeted and peer:take "^\5\1%z" then
    peer.greeted = true
    peer:send "\5\0"
  end
  if not (peer.greeted and peer:take "^\5\1%z\1......") then return false end
  peer:send "\5\0\0\1\0\0\0\0\0\0"
  return true
end)

scenario("proxy that refuses", function(s)
  s:server()
  local proxy = s:raw_server()
  local client = s:client { proxy = { kind = "http", host = "127.0.0.1", port = proxy.port },
                            expects_error = true }
  local peer
  s:wait(function()
    peer = peer or proxy:accept()
    if peer and peer:take "\r\n\r\n" then peer:send "HTTP/1.1 403 Forbidden\r\n\r\n" end
    return client.closes > 0
  end)
  same(client.open, 0)
end)

-- -------------------------------------------------------- redirects, refusals

scenario("redirect", function(s)
  local url
  s.no_proof = true
  s:server { judge = function(conn, request)
    if request.path == "/new" then
      assert(conn:accept())
    else
      assert(conn:refuse(302, "over there", { "Location", url .. "new" }))
    end
  end }
  url = s.url
  s.proof, s.no_proof = { url = url .. "new" }, false
  local client = s:open { redirects = 2, headers = { "Authorization", "Bearer x" } }
  s:echo(client, "here")
  s:goodbye(client)
end)

scenario("redirects without end", function(s)
  local url
  s.no_proof = true
  s:server { judge = function(conn)
    assert(conn:refuse(301, "", { "Location", url }))
  end }
  url = s.url
  local client = s:client { redirects = 3, expects_error = true }
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

scenario("refused upgrade", function(s)
  s.no_proof = true
  s:server { judge = function(conn) assert(conn:refuse(403, refusal)) end }
  local client = s:client { expects_error = true }
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

scenario("origin that may not connect", function(s)
  s:server()
  local client = s:client { origin = "http://elsewhere.test", expects_error = true }
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

local function all_of(s, raw, bytes)
  raw:send(bytes)
  s:wait(function() return raw:pump().ended end)
  return raw.bytes
end

scenario("plain HTTP to a server without it", function(s)
  s:server()
  local answer = all_of(s, s:raw(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  if #answer > 0 then same(answer:sub(1, 12), "HTTP/1.1 426") end
end)

scenario("plain HTTP", function(s)
  local gone = 0
  s:server { plain = true, httpClosed = function() gone = gone + 1 end,
    judge = function(conn, request)
      if request.upgrade then return assert(conn:accept()) end
      local body = request.body:upper()
      conn:writeRaw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
        .. #body .. "\r\n\r\n")
      conn:writeRaw(body)
      conn:finishRaw()
    end }
  local raw = s:raw()
  raw:send "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"
  s:pass(60)
  local answer = all_of(s, raw, "abc\r\n20\r\n" .. ("d"):rep(32) .. "\r\n0\r\n\r\n")
  if #answer > 0 and s.errors == 0 then
    same(answer:match "\r\n\r\n(.*)", "ABC" .. ("D"):rep(32))
  end
end, { all = true }) -- found: a lingering connection spun when there was no memory to read

scenario("answer that comes later", function(s)
  local waiting
  s:server { judge = function(conn) waiting = conn end }
  s.no_proof = true
  local client = s:client()
  s:wait(function() return waiting end, client)
  client.conn:pause()
  s:pass(100)
  client.conn:resume()
  local ok, _, code = waiting:accept()
  if not ok then error(code, 0) end
  s:wait(function() return client.open > 0 end, client)
  s:echo(client, "at last")
  s:goodbye(client)
end)

scenario("answer cut short", function(s)
  local listener = s:raw_server()
  local client = s:client { url = ("ws://127.0.0.1:%d/"):format(listener.port),
                            expects_error = true }
  local peer
  s:wait(function()
    peer = peer or listener:accept()
    return peer and peer:take "\r\n\r\n" or client.closes > 0
  end)
  if peer then
    peer:send "HTTP/1.1 101 Swit"
    peer:close()
  end
  s:wait(function() return client.closes > 0 end)
  same(client.open, 0)
end)

return list
