-- SPDX-License-Identifier: MIT
-- Starts the peers, programs that use other WebSocket libraries, and talks to them.
--
-- Each program obeys the same orders, whichever side opened the connection: a message
-- that begins with "!" is an order (see node_obey.js), all others are echoed. One
-- connection, to the path /control, is for reports: "closed CODE REASON" for each
-- other connection that has ended. A program that is a client also takes orders there:
-- "open URL PROTOCOL,PROTOCOL"; if it cannot, it reports "failed WHY".

local helper = require "spec.helper"
local ws = require "ws"

local certs = "build/certs/"
local peer = { certs = certs }

--- The folder for what programs write, such as logs: each build has its own, so that
--- the specs of two builds can run at the same time.
peer.folder = (os.getenv "WS_BUILD" or "build") .. "/peers/"
os.execute("mkdir -p " .. peer.folder)

-- ------------------------------------------------------------- the programs

--- Starts a program; it must not write more to stdout than read() takes.
---@param name string of the log: NAME.log in peer.folder
---@param command string
function peer.start(name, command)
  -- The time limit ends programs that a broken spec left running.
  -- A sanitizer that is preloaded here must not be preloaded for them.
  local line = ("echo $$; exec env -u LD_PRELOAD timeout 100 %s 2>%s%s.log")
    :format(command, peer.folder, name)
  local pipe = assert(io.popen(line))
  local process = { pid = pipe:read "*l" }
  function process.read() return pipe:read "*l" end
  function process.stop()
    os.execute("kill " .. process.pid .. " 2>/dev/null")
    pipe:close()
  end
  return process
end

local function report_from(control)
  local report, why = control:receive(10000)
  return report or "no report: " .. why
end

-- Drops the reports that a failed test left, so that the next one does not take them.
local function forget_reports(control)
  while control:receive(0) do end
end

-- ---------------------------------------------- their server, our client

local function connect(url, protocols, options)
  options.timeout, options.highWaterMark = 10000, 65536
  return ws.connect(url, protocols, options)
end

--- A peer that is a server on these ports, with the certificate build/certs/server.pem.
function peer.server(port, secure_port, process)
  local self = {}
  local plain = ("ws://127.0.0.1:%s"):format(port)
  local secure = ("wss://localhost:%s"):format(secure_port)
  local control = assert(connect(plain .. "/control", nil, {}))
  function self.report() return report_from(control) end

  --- Opens a connection of that kind, on which the peer obeys orders.
  function self.open(kind, protocols)
    local url = kind == "secure" and secure or plain
    forget_reports(control)
    return assert(connect(url .. "/obey", protocols, {
      compression = kind == "compressed",
      tls = kind == "secure" and { ca = certs .. "root.pem" } or nil,
    }))
  end

  --- Tries to connect with other TLS options: nil, message, code.
  function self.attempt(tls) return connect(secure .. "/obey", nil, { tls = tls }) end

  function self.stop()
    control:terminate()
    process.stop()
    helper.turn_for(0)
  end
  return self
end

-- ---------------------------------------------- our server, their client

local function serve(state, more)
  local options = {
    port = 0, protocols = { "chat.v2", "chat.v1" },
    maxPayload = 4 * 1024 * 1024, highWaterMark = 65536,
    open = function(sock, request)
      state[request.path == "/control" and "control" or "opened"] = sock
    end,
  }
  for name, value in pairs(more) do options[name] = value end
  return assert(ws.serve(options))
end

local function serve_all(state, more)
  local function secure(cert, key)
    return serve(state, { tls = { cert = certs .. cert, key = certs .. key }, origins = "*" })
  end
  more.compression = false
  return {
    plain = serve(state, more),
    compressed = serve(state, { compression = true, origins = "*" }),
    secure = secure("server.pem", "leaf.key"),
    wrong = secure("self.pem", "other.key"),
    foreign = serve(state, {}), -- the default: refuses pages of other origins
    refusing = serve(state, { upgrade = function() return false, 401, "not you" end }),
  }
end

--- A peer that is a client. start(url) starts the program, which connects to
--- the url's control path; `more` are options of the plain server.
function peer.client(start, more)
  local self, state = {}, {}
  local servers = serve_all(state, more or {})
  self.servers = servers
  local process = start(("ws://127.0.0.1:%d"):format(servers.plain.port))
  local control = helper.wait_until(function() return state.control end, 30000, "the peer")
  control:receive(0) -- from now on reports are kept until they are received
  function self.report() return report_from(control) end

  --- Tells the peer to open a connection to one of our servers.
  function self.order(kind, protocols)
    local tls = kind == "secure" or kind == "wrong"
    state.opened = nil
    forget_reports(control)
    control:send(("open %s:%d/obey %s"):format(tls and "wss://localhost" or "ws://127.0.0.1",
      servers[kind].port, table.concat(protocols or {}, ",")))
  end

  function self.open(kind, protocols)
    self.order(kind, protocols)
    return helper.wait_until(function() return state.opened end, 10000, "a connection")
  end

  function self.stop()
    for _, server in pairs(servers) do server:close() end
    process.stop()
    helper.turn_for(0)
  end
  return self
end

return peer
