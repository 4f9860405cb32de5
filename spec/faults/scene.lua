-- SPDX-License-Identifier: MIT
-- Where a scenario takes place: a loop with servers, clients and raw peers, and a
-- record of their events. Nothing fails while a scene is made and struck, only in
-- between.

local core = require "ws.core"
local socket = require "socket"
local raw_peer = require "spec.faults.raw_peer"

local faults = faults -- luacheck: ignore 113

-- Gives raw connections as methods the internal functions, which otherwise only lua/ws
-- calls.
for name, fn in pairs(core.connection.internals) do core.connection.methods[name] = fn end

local Scene = {}
Scene.__index = Scene

local certs = (os.getenv("WS_CERTS") or "build/certs") .. "/"

local scene = { certs = certs }

-- What a scenario raises when it cannot continue; made before memory is short.
scene.BROKEN = "broken: what was waited for cannot come any more"
scene.HANGS = "hangs: what was waited for does not come"

local PATIENCE = 20000 -- milliseconds of the clock, which failing_calls.c puts forward
local TURNS = 5000     -- most turns of the loop in one wait

--- A scene with a loop; `prepared` is what all runs of a scenario share.
function scene.new(prepared)
  local self = setmetatable({
    prepared = prepared, loop = assert(core.loop()),
    servers = { false, false, false }, server_count = 0, clients = {}, raws = {},
    errors = 0, opened = 0, served = 0, served_closed = 0, twice = 0, last_error = false,
    handlers_of_server = false,
  }, Scene)
  self.loop:onError(function(message)
    self.errors = self.errors + 1
    self.last_error = message
  end)
  return self
end

-- --------------------------------------------------------------- the server

local function echo(conn, data, opcode) conn:send(data, opcode) end

-- Counts without needing memory: a socket's state says which events it has had.
local function server_handlers(self, more)
  return core.handlers {
    open = function(conn, request)
      self.served = self.served + 1
      conn:setState("open")
      if more.open then more.open(conn, request) end
    end,
    message = more.message or echo,
    ping = more.ping, pong = more.pong, drain = more.drain,
    error = function(_, message)
      self.last_error = message
      if not more.calm then self.errors = self.errors + 1 end
    end,
    close = function(conn, ...)
      if conn:state() == "closed" then self.twice = self.twice + 1 end
      conn:setState("closed")
      self.served_closed = self.served_closed + 1
      if more.close then more.close(conn, ...) end
    end,
  }
end

--- Starts an echo server on 127.0.0.1; returns it and its URL. With `calm` in
--- `handlers`, error events of its sockets do not count as trouble.
function Scene:server(options, handlers)
  local given = { host = "127.0.0.1", port = 0 }
  for name, value in pairs(options or {}) do given[name] = value end
  given.handlers = server_handlers(self, handlers or {})
  local server, message, code = self.loop:listen(given)
  if not server then error(code .. ": " .. message, 0) end
  self.server_count = self.server_count + 1
  self.servers[self.server_count] = server -- needs no memory: the table has room
  self.url = ("%s://127.0.0.1:%d/"):format(given.tls and "wss" or "ws", server:port())
  return server, self.url
end

-- -------------------------------------------------------------- the clients

local function client_handlers(self, client, more)
  return core.handlers {
    open = function(conn)
      client.open = client.open + 1
      self.opened = self.opened + 1
      if more.open then more.open(conn) end
    end,
    message = function(conn, data, opcode)
      client.messages = client.messages + 1
      client.data, client.opcode = data, opcode
      if more.message then more.message(conn, data, opcode) end
    end,
    ping = more.ping, drain = more.drain,
    pong = function(_, data) client.pong = data end,
    error = function(_, message, code)
      client.errors = client.errors + 1
      client.message, client.why = message, code
      if not client.expects_error then
        self.errors = self.errors + 1
        self.last_error = message
      end
    end,
    close = function(_, code, reason, clean)
      client.closes = client.closes + 1
      client.code, client.reason, client.clean = code, reason, clean
    end,
  }
end

--- A client: its `conn`, and a record of its events. With `expects_error` in
--- `options`, an error event does not count as trouble.
function Scene:client(options, handlers)
  local client = { open = 0, closes = 0, errors = 0, messages = 0, code = false, reason = false,
                   clean = false, data = false, opcode = false, message = false, why = false,
                   pong = false, conn = false } -- so that recording needs no memory
  local given = { url = self.url, closeTimeout = 2000 }
  for name, value in pairs(options or {}) do given[name] = value end
  client.expects_error = given.expects_error
  given.expects_error = nil
  given.handlers = client_handlers(self, client, handlers or {})
  self.clients[#self.clients + 1] = client
  client.conn = self.loop:connect(given)
  return client
end

--- A client, once it is open.
function Scene:open(options, handlers)
  local client = self:client(options, handlers)
  self:wait(function() return client.open > 0 end, client)
  return client
end

--- Sends a message and waits for its echo.
function Scene:echo(client, data, opcode)
  local before = client.messages
  client.conn:send(data, opcode or "binary")
  self:wait(function() return client.messages > before end, client)
  scene.same(client.data, data)
end

--- Closes a client and waits for its end.
function Scene:goodbye(client)
  client.conn:rawClose(1000, "bye")
  self:wait(function() return client.closes > 0 end)
end

--- Waits for a client's end: with this code, or with an error event.
function Scene:ended(client, code)
  self:wait(function() return client.closes > 0 end)
  if client.code == code then return end
  if client.errors + self.errors > 0 then error(scene.BROKEN, 0) end
  scene.same(client.code, code)
end

--- A raw peer that is connected to the server, or to `port`.
function Scene:raw(port)
  local raw = raw_peer.connect(self, port or self.servers[1]:port())
  self.raws[#self.raws + 1] = raw
  return raw
end

function Scene:raw_server()
  local raw = raw_peer.listen(self)
  self.raws[#self.raws + 1] = raw
  return raw
end

--- A client's handshake, as bytes.
scene.upgrade = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
  .. "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
  .. "Sec-WebSocket-Version: 13\r\n\r\n"

--- Has a raw listener accept the client and its handshake; returns the raw peer.
function scene.welcome(self, listener, client)
  local peer
  self:wait(function()
    peer = peer or listener:accept()
    return peer
  end, client)
  local head
  self:wait(function()
    head = peer:take("\r\n\r\n")
    return head
  end, client)
  faults.suspended(function()
    local key = head:match("Sec%-WebSocket%-Key: (%S+)")
    local accept = core.base64(core.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
    peer:send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      .. "Connection: Upgrade\r\nSec-WebSocket-Accept: " .. accept .. "\r\n\r\n")
  end)
  self:wait(function() return client.open > 0 end, client)
  return peer
end

-- ------------------------------------------------------------------ waiting

--- Turns the loop until condition() holds. Raises BROKEN after an error event or when
--- `client` is closed, and HANGS when it has waited too long.
function Scene:wait(condition, client)
  local until_ = core.now() + PATIENCE
  for _ = 1, TURNS do
    if condition() then return end
    local trouble = self.errors > 0 and not self.proving
    if trouble or (client and client.closes > 0) then error(scene.BROKEN, 0) end
    if core.now() > until_ then break end
    self.loop:turn(50)
  end
  error(scene.HANGS, 0)
end

--- Turns the loop for `ms`.
function Scene:pass(ms)
  local until_ = core.now() + ms
  for _ = 1, TURNS do
    if core.now() >= until_ then return end
    self.loop:turn(50)
  end
  error("hangs: the loop spins", 0)
end

--- Raises an error that no fault excuses when the two differ.
function scene.same(got, expected)
  if got ~= expected then
    got, expected = tostring(got):sub(1, 60), tostring(expected):sub(1, 60)
    error(("wrong: '%s' came for '%s'"):format(got, expected), 0)
  end
end

-- ------------------------------------------------------------------- the end

-- Ends all peers and turns until nothing keeps the loop alive: nil, or what is wrong.
local function finish(self)
  for _, client in ipairs(self.clients) do
    if client.conn and client.conn.readyState < 3 then client.conn:terminate() end
  end
  for _, raw in ipairs(self.raws) do raw:close() end
  for i = 1, self.server_count do
    if self.servers[i] then self.servers[i]:close(1001) end
  end
  local until_ = core.now() + PATIENCE
  while self.loop:alive() do
    if core.now() > until_ then return not self.keeps_alive and "the loop stays alive" end
    local ok, message = pcall(self.loop.turn, self.loop, 50)
    if not ok then return "turning raises: " .. tostring(message) end
  end
  self.loop:turn(0)
end

-- Every socket must have had one close event: nil, or what is wrong. When there may be
-- no memory for it, the event may be missing, but never come twice.
local function check_ends(self, may_lack)
  for _, client in ipairs(self.clients) do
    if client.conn and client.conn.readyState ~= 3 then return "a client is not closed" end
    if client.closes > 1 then return client.closes .. " close events for one client" end
    local missed = client.conn and client.closes == 0
    if missed and not may_lack then return "a client was not told its end" end
  end
  if self.twice > 0 then return "a socket of the server was told its end twice" end
  if self.served ~= self.served_closed and not may_lack then
    return ("%d opened at the server, %d closed"):format(self.served, self.served_closed)
  end
end

--- A fresh client must be served, if there is a server: nil, or what is wrong. Trouble
--- that other clients still have does not matter.
function Scene:prove()
  if not self.url or self.no_proof then return end
  self.proving = true
  for _, client in ipairs(self.clients) do
    if client.conn then client.conn:terminate() end
  end
  if self.crowded then self:pass(1500) end
  local ok, why = pcall(function()
    local client = self:open(self.proof)
    client.conn:ping "proof"
    self:wait(function() return client.pong == "proof" end, client)
    self:goodbye(client)
  end)
  if not ok then return ("no service any more: %s (%s)"):format(why, self.last_error) end
end

--- Ends everything: nil, or what is wrong.
function Scene:strike(may_lack)
  local wrong = finish(self) or check_ends(self, may_lack)
  local ok, message = pcall(self.loop.close, self.loop)
  return wrong or (not ok and "closing raises: " .. tostring(message)) or nil
end

scene.suspended = faults.suspended
scene.socket = socket

return scene
