-- SPDX-License-Identifier: MIT
-- WebSockets over nginx's cosockets, in both roles, with our own other side and with
-- the npm package ws. What nginx runs is in resty_inside.lua.

local helper = require "spec.helper"
local peer = require "spec.peers.peer"
local ports = require "spec.peers.ports"
local socket = require "socket"
local ws = require "ws"

local folder = peer.folder .. "resty"

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function listens(port)
  local probe = socket.connect("127.0.0.1", port)
  if probe then probe:close() end
  return probe ~= nil
end

local function here()
  local pipe = io.popen "pwd"
  local path = pipe:read "*l"
  pipe:close()
  return path
end

local function start()
  local values = { PORT = ports.reserve(), SECURE_PORT = ports.reserve(), HERE = here() }
  os.execute("mkdir -p " .. folder)
  local file = assert(io.open(folder .. "/nginx.conf", "w"))
  file:write((read_file("spec/ws/adapter/resty.conf"):gsub("@([%u_]+)@", values)))
  file:close()
  local process = peer.start("resty", ("nginx -p %s -c nginx.conf"):format(folder))
  helper.wait_until(function() return listens(values.PORT) end, 5000, "nginx")
  return process, values.PORT, values.SECURE_PORT
end

local function frame(tcp)
  local opcode, payload = tcp:frame()
  return { opcode, payload }
end

-- What drive() of resty_inside.lua must find.
local of_node = {
  "permessage-deflate", "packed packed packed packed packed  text", "frag ment ed text",
  "\226\130\172 text", "pong between text", "pong are you there text", "pinged text",
  "nil closed 4003 bye",
}

local ready = exists "build/luajit/ws/core.so"
  and exists "/usr/lib/nginx/modules/ngx_http_lua_module.so"
if not ready then
  it("resty", function() pending "no build/luajit, or no nginx with Lua" end)
  return
end

describe("in nginx", function()
  local process, port, secure_port

  setup(function() process, port, secure_port = start() end)
  teardown(function() process.stop() end)

  --- What nginx has logged since the last call, once it says `word`.
  local read_so_far = 0
  local function logged(word)
    return helper.wait_until(function()
      local text = read_file(folder .. ".log")
      local line = text:sub(read_so_far + 1):match("[^\n]*" .. word .. "([^\n]*)\n")
      if line then read_so_far = #text end
      return line
    end, 3000, "the log")
  end

  describe("a server", function()
    local socks

    local function connect(path, protocols, options)
      local sock = assert(ws.connect(("ws://127.0.0.1:%d/serve/%s"):format(port, path),
        protocols, options))
      socks[#socks + 1] = sock
      return sock
    end

    local function raw(path, changes, more)
      return helper.raw_client(port,
        helper.handshake(changes, more, "GET /serve/" .. path .. " HTTP/1.1"))
    end

    before_each(function() socks = {} end)
    after_each(function() for _, sock in ipairs(socks) do sock:terminate() end end)

    it("talks to our client, which closes", function()
      local sock = connect("echo", { "v1", "v2" })
      assert.equal("v2", sock.protocol)
      sock:send "text \226\130\172"
      assert.same({ "text \226\130\172", "text" }, { sock:receive(2000) })
      local long = ("\0\255"):rep(33000)
      sock:send(long, "binary")
      assert.same({ long, "binary" }, { sock:receive(2000) })
      sock:close(4000, "mine")
      assert.same({ nil, "closed", 4000, "mine" }, { sock:receive(2000) })
    end)

    it("over TLS", function()
      local sock = assert(ws.connect(("wss://localhost:%d/serve/echo"):format(secure_port), nil,
        { tls = { ca = peer.certs .. "root.pem" } }))
      socks[1] = sock
      sock:send "secret"
      assert.equal("secret", sock:receive(2000))
    end)

    it("compresses when it was told to", function()
      assert.equal("", connect("echo").extensions)
      local sock = connect "compressed"
      assert.matches("^permessage%-deflate", sock.extensions)
      sock:send(("again "):rep(1000))
      assert.equal(("again "):rep(1000), sock:receive(2000))
    end)

    it("takes what came along with the handshake, joins fragments, answers pings", function()
      local tcp = helper.raw_client(port, helper.handshake(nil, nil, "GET /serve/echo HTTP/1.1")
        .. helper.frame(1, "\226", { fin = false }) .. helper.frame(9, "between")
        .. helper.frame(0, "\130") .. helper.frame(0, ""):sub(1, 3))
      local status, headers = tcp:head()
      assert.equal(101, status)
      assert.equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", headers["sec-websocket-accept"])
      assert.equal("upgrade", headers.connection:lower())
      assert.is_nil(headers["content-type"])
      assert.same({ 10, "between" }, frame(tcp))
      tcp:close()

      tcp = raw "echo"
      assert.equal(101, (tcp:head()))
      tcp:send(helper.frame(1, "\226", { fin = false }) .. helper.frame(9, "x"))
      assert.same({ 10, "x" }, frame(tcp))
      tcp:send(helper.frame(0, "\130\172"))
      assert.same({ 1, "\226\130\172" }, frame(tcp))
      tcp:close()
    end)

    it("checks UTF-8 and limits", function()
      local tcp = raw "echo"
      tcp:head()
      tcp:send(helper.frame(1, "\255"))
      local opcode, payload = tcp:frame()
      assert.same({ 8, "\3\239" }, { opcode, payload:sub(1, 2) }) -- 1007
      assert.equal("", tcp:all())
      tcp:close()
      local sock = connect "echo"
      sock:send(("x"):rep(70001))
      local _, why, code = sock:receive(2000)
      assert.same({ "closed", 1009 }, { why, code })
    end)

    it("refuses through nginx, whose log has the status", function()
      local last = { Connection = "Upgrade, close" }
      local status, headers, body = raw("picky?no", last):response()
      assert.same({ 401, "not you" }, { status, body:match "not you" })
      assert.equal("a, b", headers["x-why"])
      assert.matches("status 401 EHANDSHAKE", logged "refused: ")
      assert.equal(500, (raw("picky?raise", last):response()))
      assert.matches("in upgrade", read_file(folder .. ".log"))
      logged "refused: "
      last.Origin = "http://evil.example"
      assert.equal(403, (raw("picky", last):response()))
      logged "refused: "
      local plain = helper.raw_client(port,
        "GET /serve/picky HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      status, headers = plain:response()
      assert.same({ 426, "websocket" }, { status, headers.upgrade })
      assert.matches("\" 401 .*\" 500 .*\" 403 .*\" 426 ", read_file(folder .. "/access.log"))
    end)

    it("accepts on the terms of `upgrade`, which may wait", function()
      local tcp = raw("picky?q", {
        Origin = "https://good.example", ["Sec-WebSocket-Protocol"] = "other, chosen",
      })
      local status, headers = tcp:head()
      assert.same({ 101, "chosen", "7" },
        { status, headers["sec-websocket-protocol"], headers["x-room"] })
      assert.same({ 1, "/serve/picky q chosen 1" }, frame(tcp))
      tcp:close()
    end)

    it("waits for as long as it was told, and closes", function()
      local sock = connect "patient"
      assert.equal("nil timeout", sock:receive(2000))
      assert.equal("nil timeout", sock:receive(2000))
      sock:send "hello"
      assert.equal("hello text", sock:receive(2000))
      assert.same({ nil, "closed", 4001, "enough" }, { sock:receive(2000) })
    end)

    it("has no limits, and the usual closeTimeout, when these are 0", function()
      local sock = connect "zeros"
      sock:send "here"
      assert.same({ nil, "closed", 1000, "" }, { sock:receive(2000) })
      assert.equal("here true", logged "zeros: ":match "^%a+ %a+")
    end)

    it("says whether a closing was clean, within closeTimeout", function()
      local sock = connect "closes"
      sock:send "close"
      assert.same({ nil, "closed", 4002, "as you wish" }, { sock:receive(2000) })
      assert.equal("true 3", logged "clean: ":match "^%S+ %d")
      local tcp = raw "closes"
      tcp:head()
      tcp:send(helper.frame(1, "close"))
      assert.equal(8, (tcp:frame()))
      assert.equal("false 3", logged "clean: ":match "^%S+ %d")
      assert.equal("", tcp:all())
      tcp:close()
    end)

    it("sees the peer's Close, and its end without one; then sends nothing", function()
      local sock = connect "closes"
      sock:send "now you"
      sock:close(3001, "bye")
      assert.matches("^nil closed 3001 bye nil closed nil closed", logged "ended: ")
      sock = connect "closes"
      sock:send "now you"
      helper.turn_for(5)
      sock:terminate()
      assert.matches("^nil closed 1006  nil closed nil closed", logged "ended: ")
    end)

    it("pings a silent peer, and drops it after idleTimeout", function()
      local tcp = raw "idle"
      tcp:head()
      assert.same({ 9, "" }, frame(tcp))
      assert.equal("", tcp:all())
      assert.matches("^nil closed 1006  ETIMEDOUT", logged "idle: ")
      tcp:close()
    end)

    it("lets two light threads send while a third receives, and one receive", function()
      local sock, ticks = connect "duplex", 0
      for data in sock:messages() do
        local number = data:match "^tick (%d+)$"
        if not number then
          assert.matches("^got now %d+ false .*InvalidStateError: .*reading", data)
          assert.equal(ticks, tonumber(data:match "%d+"))
          break
        end
        assert.equal(ticks + 1, tonumber(number))
        ticks = ticks + 1
        if ticks == 20 then sock:send "now" end
      end
      assert.is_true(ticks >= 20)
      local _, _, code = sock:receive(2000)
      assert.equal(1005, code)
    end)

    it("talks to npm's ws, with compression, fragments, pings", function()
      if not exists "build/peers/node_modules/ws/package.json" then return pending "no ws" end
      local control
      local server = assert(ws.serve { port = 0, open = function(sock) control = sock end })
      local node = peer.start("node_to_resty",
        ("node spec/peers/node_client.js ws://127.0.0.1:%d"):format(server.port))
      finally(function()
        server:close()
        node.stop()
      end)
      helper.wait_until(function() return control end, 5000, "node")
      control:send(("open ws://127.0.0.1:%d/serve/node v1"):format(port))
      assert.equal("v1|" .. table.concat(of_node, "|"), logged("node: "):match "(.*)|")
      control:close()
    end)

    it("knows lua-resty-websocket's names", function()
      local sock = connect "frames"
      sock:send "a"
      assert.equal("a text nil", sock:receive(2000))
      sock:send("bcd", "binary")
      assert.same({ "bcd", "binary" }, { sock:receive(2000) })
      assert.equal("3", sock:receive(2000))
      sock:ping "p"
      assert.equal("ping p", sock:receive(2000))
      sock:send "ping me"
      assert.equal("3", sock:receive(2000))
      assert.equal("pong you", sock:receive(2000))
      sock:send "wait"
      assert.equal("nil nil failed to receive: timeout", sock:receive(2000))
      sock:close(4004, "why")
      assert.same({ nil, "closed", 4004, "why" }, { sock:receive(2000) })
      assert.matches("^why close 4004 nil nil failed to receive: closed", logged "frames: ")
    end)
  end)

  describe("a client", function()
    local function ask(name, url)
      local tcp = helper.raw_client(port,
        ("GET /connect/%s?%s HTTP/1.0\r\n\r\n"):format(name, url))
      local status, _, body = tcp:response()
      assert(status == 200, "nginx says " .. tostring(status))
      local lines = {}
      for line in (body .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
      return lines
    end

    local server, url
    before_each(function()
      server, url = helper.echo_server {
        protocols = { "v1" },
        open = function(sock, request) if request.path == "/deaf" then sock:pause() end end,
        upgrade = function(request) if request.path == "/no" then return false, 401 end end,
      }
    end)
    after_each(function()
      helper.close_server(server)
    end)

    it("talks to our server", function()
      assert.same({
        "1 " .. url .. " v1", "text \226\130\172 text", "200000 binary", "true 3",
        "nil closed 4000 done", "nil closed",
      }, ask("talk", url))
    end)

    it("over TLS, checking the certificate", function()
      local secure, secure_url = helper.echo_server { tls = {
        cert = peer.certs .. "server.pem", key = peer.certs .. "leaf.key",
      } }
      assert.same({ "1", "nil ETLS", "secret text" }, ask("trust", secure_url))
      secure:close()
    end)

    it("without limits, and with the usual closeTimeout, when these are 0", function()
      assert.same({ "true here true", "true here true" }, ask("zeros", url))
    end)

    it("by a Unix socket, and names its path when that fails", function()
      local path = os.tmpname()
      os.remove(path)
      assert.same({ ("tcp: %s: no such file or directory ENOENT"):format(path) },
        ask("path", path))
      local on_path = helper.echo_server { path = path, port = 0 }
      assert.same({ "by path text" }, ask("path", path))
      on_path:close()
    end)

    it("tells why it failed", function()
      local closed = ("ws://127.0.0.1:%d/"):format(ports.reserve())
      assert.matches("^nil tcp: 127.0.0.1 port %d+: .*refused ECONNREFUSED$",
        ask("fail", closed)[1])
      assert.matches("^nil http: .*401.* EHANDSHAKE$", ask("fail", url .. "no")[1])
      for _, host in ipairs { "nowhere", "refused", "timeout" } do
        local unknown = ("ws://%s.example/"):format(host)
        assert.matches("^nil name: .* ENOTFOUND$", ask("fail", unknown)[1])
      end
      local listener, silent = helper.raw_server()
      assert.matches("^nil http: .* ETIMEDOUT$",
        ask("fail", ("ws://127.0.0.1:%d/"):format(silent))[1])
      listener:close()
      assert.matches("^nil tls: .* ETLS$", ask("fail", (url:gsub("^ws", "wss")))[1])
    end)

    it("pings a silent peer, and then gives up", function()
      assert.same({ "nil closed 1006 ", "ETIMEDOUT the peer is silent" },
        ask("silence", url .. "deaf"))
    end)

    it("is closed when a light thread is killed that reads or writes", function()
      local closed = { "nil closed 1006 ", "false 3 nil closed" }
      assert.same({ closed[1], closed[2], closed[1], closed[2] }, ask("killed", url))
    end)

    it("knows lua-resty-websocket's names", function()
      assert.same({ "3", "one text", "1", " close nil", "nil nil failed to receive: closed",
        "true" }, ask("frames", url))
    end)

    it("raises for the caller's mistakes, naming the line", function()
      local results = ask("mistakes", url)
      local expected = { "SyntaxError", "TypeError", "TypeError", "TypeError", "TypeError",
        "TypeError", "InvalidAccessError", "SyntaxError", "TypeError" }
      for i, name in ipairs(expected) do
        assert.matches("resty_inside.lua:%d+: " .. name, results[i])
      end
      assert.equal("fine", results[10])
    end)

    it("talks to npm's ws, with compression, fragments, pings", function()
      if not exists "build/peers/node_modules/ws/package.json" then return pending "no ws" end
      local node = peer.start("node_for_resty", "node spec/peers/node_server.js")
      finally(node.stop)
      local node_port = node.read():match "%d+"
      assert.same(of_node, ask("node", ("ws://127.0.0.1:%s/obey"):format(node_port)))
    end)
  end)
end)
