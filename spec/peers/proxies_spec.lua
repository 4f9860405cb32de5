-- SPDX-License-Identifier: MIT
-- Connects to our servers over ws and wss through real proxies from Debian: tinyproxy
-- (HTTP CONNECT) and microsocks (SOCKS5).

local helper = require "spec.helper"
local ports = require "spec.peers.ports"
local socket = require "socket"
local ws = require "ws"

local certs = "build/certs/"

local function pack(...) return { n = select("#", ...), ... } end

-- Starts a program in the background; returns its process id.
local function start(command)
  local pipe = assert(io.popen("env -u LD_PRELOAD " .. command .. " >/dev/null 2>&1 & echo $!"))
  local pid = pipe:read "*l"
  pipe:close()
  return pid
end

local function wait_for_port(port)
  helper.wait_until(function()
    local probe = socket.connect("127.0.0.1", port)
    if probe then probe:close() end
    return probe
  end, 5000, "a proxy to listen on " .. port)
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- The main cases of certificates; all are asked for ws.test, with our root. The verdicts
-- are OpenSSL's words.
local rows = {
  { name = "a good certificate", cert = "server.pem", verdict = "^open" },
  { name = "one of another name", cert = "wrong.pem", verdict = "^ETLS .*hostname mismatch" },
  { name = "an expired one", cert = "expired.pem", verdict = "^ETLS .*expired" },
  { name = "one of an unknown authority", cert = "unknown.pem", verdict = "^ETLS .*issuer" },
  { name = "a self-signed one", cert = "self.pem", key = "other.key", verdict = "^ETLS .*self" },
  { name = "any, when it is not verified,", cert = "self.pem", key = "other.key",
    verify = false, verdict = "^open" },
}

describe("through", function()
  local pids, http, socks, config = {}, nil, nil, nil
  local plain, secure

  setup(function()
    http, socks = ports.reserve(), ports.reserve()
    config = os.tmpname()
    write(config, ("Port %d\nListen 127.0.0.1\nTimeout 60\nBasicAuth joe secret\n"
      .. "LogLevel Critical\n"):format(http))
    pids[1] = start("tinyproxy -d -c " .. config)
    pids[2] = start(("microsocks -i 127.0.0.1 -p %d -u joe -P secret"):format(socks))
    wait_for_port(http)
    wait_for_port(socks)
    plain = helper.echo_server()
    secure = helper.echo_server { tls = {
      cert = certs .. "server.pem", key = certs .. "leaf.key",
    } }
  end)

  teardown(function()
    for _, pid in pairs(pids) do os.execute("kill " .. pid) end
    os.remove(config)
    plain:close()
    secure:close()
  end)

  local function targets()
    return "ws://127.0.0.1:" .. plain.port, "wss://localhost:" .. secure.port
  end

  local function connect(url, proxy, more)
    local options = { proxy = proxy, timeout = 5000, tls = { ca = certs .. "root.pem" } }
    for name, value in pairs(more or {}) do options[name] = value end
    return ws.connect(url, nil, options)
  end

  local function echoes(url, proxy)
    local sock = assert(connect(url, proxy))
    local big = ("x"):rep(300000)
    for _, text in ipairs { "hello", big } do
      sock:send(text)
      assert.equal(text, (sock:receive(5000)))
    end
    sock:close()
    assert.same({ n = 4, nil, "closed", 1005, "" }, pack(sock:receive(5000)))
  end

  -- "open", or the code and the message of the failure.
  local function verdict(port, proxy, row)
    local verify = row.verify ~= false
    local sock, message, code = connect("wss://localhost:" .. port, proxy, { tls = {
      ca = verify and certs .. "root.pem" or nil, verify = verify, servername = "ws.test" } })
    if not sock then return code .. " " .. message end
    local open = "open " .. sock.tls.peer
    sock:close()
    sock:receive(5000)
    return open
  end

  local function kinds()
    return {
      ["HTTP CONNECT"] = "http://%s127.0.0.1:" .. http,
      SOCKS5 = "socks5h://%s127.0.0.1:" .. socks,
    }
  end

  for _, kind in ipairs { "HTTP CONNECT", "SOCKS5" } do
    describe(kind, function()
      it("an echo, ws and wss, with the right password", function()
        for _, url in ipairs { targets() } do
          echoes(url, kinds()[kind]:format("joe:secret@"))
        end
      end)

      it("nothing with a wrong password or none", function()
        for _, login in ipairs { "joe:wrong@", "" } do
          for _, url in ipairs { targets() } do
            local sock, message, code = connect(url, kinds()[kind]:format(login))
            assert.is_nil(sock)
            assert.equal("EPROXY", code)
            assert.matches("^proxy: ", message)
            if kind == "HTTP CONNECT" then assert.matches("40[17]", message) end
          end
        end
      end)

      it("the target's certificate is checked, not the proxy's", function()
        local _, wss = targets()
        local proxy = kinds()[kind]:format("joe:secret@")
        local sock, message, code = connect(wss, proxy, { tls = {} })
        assert.is_nil(sock)
        assert.equal("ETLS", code)
        assert.matches("^tls: ", message)
        sock = connect(wss, proxy, { tls = { ca = certs .. "root.pem", servername = "wrong" } })
        assert.is_nil(sock)
      end)

      -- A proxy changes nothing in how certificates are judged.
      for _, row in ipairs(rows) do
        it(row.name .. " is judged as it is directly", function()
          local verdicts = {}
          local server = helper.echo_server { tls = {
            cert = certs .. row.cert, key = certs .. (row.key or "leaf.key") } }
          for i, proxy in ipairs { false, kinds()[kind]:format("joe:secret@") } do
            verdicts[i] = verdict(server.port, proxy, row)
          end
          server:close()
          assert.matches(row.verdict, verdicts[1])
          assert.equal(verdicts[1], verdicts[2])
        end)
      end

      it("a target that refuses is an error of the proxy", function()
        local sock, message, code = connect("ws://127.0.0.1:" .. ports.reserve(),
          kinds()[kind]:format("joe:secret@"))
        assert.is_nil(sock)
        assert.equal("EPROXY", code)
        assert.matches("^proxy: ", message)
      end)
    end)
  end

  it("a proxy that is not there, or has no address, is named as the proxy", function()
    local port = ports.reserve()
    local sock, message, code = connect(targets(), "http://127.0.0.1:" .. port)
    assert.same({ nil, "ECONNREFUSED" }, { sock, code })
    assert.equal(("tcp: 127.0.0.1 port %d: connection refused (the proxy)"):format(port), message)
    sock, message, code = connect(targets(), "socks5://proxy.invalid:1080")
    assert.same({ nil, "ENOTFOUND" }, { sock, code })
    assert.matches("^name: cannot resolve 'proxy.invalid': .+ %(the proxy%)$", message)
  end)

  it("a proxy that says nothing: the one deadline", function()
    local silent = assert(socket.bind("127.0.0.1", 0))
    local _, port = silent:getsockname()
    local sock, message, code = connect(targets(), "http://127.0.0.1:" .. port,
      { timeout = 100 })
    silent:close()
    assert.is_nil(sock)
    assert.equal("ETIMEDOUT", code)
    assert.matches("^proxy: ", message)
  end)

  -- The server must not see what was meant for the proxy.
  it("credentials for the proxy never reach the target", function()
    local seen
    local server = assert(ws.serve { port = 0, open = function(_, request)
      seen = request.headers
    end })
    local sock = assert(connect("ws://127.0.0.1:" .. server.port,
      "http://joe:secret@127.0.0.1:" .. http))
    helper.wait_until(function() return seen end)
    assert.is_nil(seen["proxy-authorization"])
    assert.is_nil(seen.authorization)
    sock:close()
    server:close()
  end)
end)
