-- SPDX-License-Identifier: MIT
-- What resty_spec.lua has nginx do. Results are reported as lines of words.

-- luacheck: globals ngx

local core = require "ws.core"
core.loop = function() error "a second event loop" end

local resty = require "ws.adapter.resty"

local function words(...)
  local list = {}
  for i = 1, select("#", ...) do list[i] = tostring((select(i, ...))) end
  return table.concat(list, " ")
end

--- Sends orders to the npm package ws; see spec/peers/node_obey.js.
local function drive(sock)
  local results = { sock.extensions:match "^[^;]*" }
  local function note()
    table.insert(results, words(sock:receive(2000)))
  end
  local function order(text)
    sock:send(text)
    note()
  end
  order(("packed "):rep(5))
  order "!fragments text"
  order "!split" -- with a ping in between; it reports our pong
  note()
  order "!ping are you there"
  sock:ping "me"
  order "pinged"
  order "!close 4003 bye"
  return results
end

-- ------------------------------------------------------------------- server

local server = {}

function server.zeros()
  local sock = assert(resty.server { idleTimeout = 0, sendTimeout = 0, closeTimeout = 0 })
  ngx.log(ngx.NOTICE, "zeros: ", words(sock:receive(), sock:close(1000)))
end

local function echo(sock)
  for data, opcode in sock:messages() do sock:send(data, opcode) end
end

function server.echo()
  local sock = resty.server { maxPayload = 70000, protocols = { "v2", "v1" } }
  if sock then echo(sock) end
end

function server.compressed()
  local sock = resty.server { compression = { threshold = 0 } }
  if sock then echo(sock) end
end

function server.picky()
  local sock, message, code = resty.server {
    origins = { "https://good.example" },
    upgrade = function(request)
      ngx.sleep(0.001) -- it may wait
      if request.query == "raise" then error "in upgrade" end
      if request.query == "no" then
        return false, 401, "not you", { ["X-Why"] = { "a", "b" } }
      end
      return { protocol = "chosen", headers = { ["X-Room"] = "7" } }
    end,
  }
  if not sock then return ngx.log(ngx.NOTICE, "refused: ", message, " ", code) end
  sock:send(words(sock.request.path, sock.request.query, sock.protocol, sock.readyState))
  sock:receive()
end

--- Reports what receive returned, and what came after.
function server.patient()
  local sock = resty.server {}
  sock:send(words(sock:receive(20)))
  sock:send(words(sock:receive(0)))
  sock:send(words(sock:receive(2000)))
  sock:send(words(sock:close(4001, "enough")) .. " too late")
  sock:send "too late"
end

function server.closes()
  local sock = resty.server { closeTimeout = 50 }
  local command = sock:receive()
  if command == "close" then
    local clean = sock:close(4002, "as you wish")
    return ngx.log(ngx.NOTICE, "clean: ", tostring(clean), " ", sock.readyState)
  end
  local result = words(sock:receive())
  ngx.log(ngx.NOTICE, "ended: ", result, " ", words(sock:send "x"), " ", words(sock:ping()))
end

function server.idle()
  local sock = resty.server { idleTimeout = 400 }
  local result = words(sock:receive())
  ngx.log(ngx.NOTICE, "idle: ", result, " ", sock.failure.code)
end

--- One light thread sends all the time while another receives.
function server.duplex()
  local sock = resty.server {}
  local going, sent = true, 0
  local function send()
    while going do
      sent = sent + 1
      assert(sock:send("tick " .. sent))
      ngx.sleep(0.001)
    end
  end
  local first, second = ngx.thread.spawn(send), ngx.thread.spawn(send)
  local reader = ngx.thread.spawn(function() sock:receive(0) end)
  local ok, message = pcall(sock.receive, sock)
  ngx.thread.wait(reader)
  local data = sock:receive()
  going = false
  ngx.thread.wait(first)
  ngx.thread.wait(second)
  sock:send(words("got", data, sent, ok, message))
  sock:close()
end

function server.node()
  local sock = resty.server { compression = { threshold = 0 }, protocols = { "v1" } }
  ngx.log(ngx.NOTICE, "node: ", sock.protocol, "|", table.concat(drive(sock), "|"), "|")
end

--- Uses the names of lua-resty-websocket, like a program written for that.
function server.frames()
  local wb = assert(resty.server {})
  wb:set_timeout(2000)
  while true do
    local data, typ, err = wb:recv_frame()
    if not data then
      wb:send_text("error " .. err)
      return
    elseif typ == "close" then
      wb:send_close(1000)
      return ngx.log(ngx.NOTICE, "frames: ", words(data, typ, err, wb:recv_frame()))
    elseif typ == "ping" then
      wb:send_pong(data)
      wb:send_text("ping " .. data)
    elseif typ == "pong" then
      wb:send_text("pong " .. data)
    elseif data == "wait" then
      wb:set_timeout(20)
      wb:send_text(words(wb:recv_frame()))
      wb:set_timeout(2000)
    elseif data == "ping me" then
      wb:send_text(words(wb:send_ping "you"))
    elseif typ == "binary" then
      wb:send_text(words(wb:send_binary(data)))
    else
      wb:send_text(words(data, typ, err))
    end
  end
end

-- ------------------------------------------------------------------- client

local client = {}

--- Connects, and has one message of each kind echoed.
function client.talk(url)
  local sock = assert(resty.client(url, { protocols = "v1", compression = false }))
  local results = { words(sock.readyState, sock.url, sock.protocol) }
  sock:send "text \226\130\172"
  results[2] = words(sock:receive())
  sock:send(("x"):rep(200000), "binary")
  local data, opcode = sock:receive()
  results[3] = words(#data, opcode)
  results[4] = words(sock:close(4000, "done"), sock.readyState)
  results[5] = words(sock:receive())
  results[6] = words(sock:send "late")
  return results
end

function client.node(url)
  return drive(assert(resty.client(url, { compression = { threshold = 0 } })))
end

function client.fail(url)
  return { words(resty.client(url, { timeout = 500, tls = { servername = "localhost" } })) }
end

--- As for ws.new, 0 means no limit, or for closeTimeout the default; limits may be huge.
function client.zeros(url)
  local results = {}
  for i, ms in ipairs { 0, 2 ^ 52 } do
    local sock, why = resty.client(url, { timeout = ms, sendTimeout = ms, closeTimeout = 0 })
    results[i] = sock and words(sock:send "here", sock:receive(), sock:close()) or why
  end
  return results
end

function client.path(path)
  local sock, message, code = resty.client("ws://localhost/", { path = path })
  if not sock then return { words(message, code) } end
  sock:send "by path"
  return { words(sock:receive()) }
end

function client.trust(url)
  local lax = assert(resty.client(url, { tls = { verify = false } }))
  local results = { words(lax.readyState) }
  lax:close()
  local sock, _, code = resty.client(url, { tls = { servername = "wrong.example" } })
  results[2] = words(sock, code)
  sock = assert(resty.client(url, { tls = { servername = "localhost" } }))
  sock:send "secret"
  results[3] = words(sock:receive())
  sock:close()
  return results
end

--- A silent peer: first a ping, then the end.
function client.silence(url)
  local sock = assert(resty.client(url, { pingInterval = 30, pingTimeout = 30 }))
  return { words(sock:receive()), words(sock.failure.code, sock.failure.message) }
end

--- Light threads that are killed while they wait for the network.
function client.killed(url)
  local results = {}
  local function kill(thread, sock)
    ngx.thread.kill(thread)
    table.insert(results, words(sock:receive(1000)))
    table.insert(results, words(sock:close(), sock.readyState, sock:send "x"))
  end
  local sock = assert(resty.client(url))
  kill(ngx.thread.spawn(function() sock:receive() end), sock)
  sock = assert(resty.client(url .. "deaf"))
  kill(ngx.thread.spawn(function()
    for _ = 1, 64 do sock:send(("x"):rep(2 ^ 20)) end
  end), sock)
  return results
end

function client.frames(url)
  local wb = assert(resty.client(url))
  return { words(wb:send_text "one"), words(wb:recv_frame()), words(wb:set_keepalive(1000, 5)),
    words(wb:recv_frame()), words(wb:recv_frame()), tostring(wb.fatal) }
end

function client.mistakes(url)
  local results = {}
  local function attempt(fn)
    local ok, message = pcall(fn)
    table.insert(results, ok and "fine" or message)
  end
  local sock = assert(resty.client(url))
  attempt(function() local s = resty.client("ftp://x") return s end)
  attempt(function() local s = resty.client(url, { timeOut = 1 }) return s end)
  attempt(function() local s = resty.client(url, { tls = { ca = "x" } }) return s end)
  attempt(function() local s = resty.server { idle = 1 } return s end)
  attempt(function() sock:send "\255" end)
  attempt(function() sock:ping(("x"):rep(126)) end)
  attempt(function() sock:close(1005) end)
  attempt(function() sock:close(1000, ("x"):rep(124)) end)
  attempt(function() local data = sock:receive("5") return data end)
  sock:terminate()
  attempt(function() sock:close() end)
  return results
end

-- ------------------------------------------------------------ what nginx calls

local inside = {}

function inside.serve()
  return server[ngx.var.uri:match "^/serve/(%w+)"]()
end

function inside.connect()
  local results = client[ngx.var.uri:match "^/connect/(%w+)"](ngx.var.args)
  ngx.print(table.concat(results, "\n"))
end

return inside
