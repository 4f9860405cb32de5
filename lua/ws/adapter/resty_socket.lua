-- SPDX-License-Identifier: MIT
-- An open WebSocket over an nginx cosocket: ws.protocol has the logic, this moves the
-- bytes. Opening it is in resty.lua.

local core = require "ws.core"
local options = require "ws.options"

local resty_socket = {}

--- A WebSocket over one of nginx's cosockets.
---@class ws.resty.Socket
---@field readyState integer 1 OPEN, 2 CLOSING, 3 CLOSED
---@field url string on a client
---@field request table on a server: method, path, query, headers, protocols, origin
---@field data any on a server: the `data` that `upgrade` returned
---@field protocol string the subprotocol, "" when none
---@field extensions string the extensions agreed on, "" when none
local methods = {}
resty_socket.methods = methods

local CHUNK = 65536
local FOREVER = 2 ^ 31 - 1 -- the longest that nginx can wait, in milliseconds
resty_socket.FOREVER = FOREVER

local meta = {
  __name = "ws.resty",
  __index = function(self, name)
    if name == "readyState" then return self.ended and 3 or self.p.state end
    return methods[name]
  end,
}

-- True while another light thread than this one reads or writes. One that was killed
-- there (ngx.thread.kill) does not any more; nginx has closed the connection, then.
local function is_busy(thread)
  return thread ~= nil and thread ~= coroutine.running() and coroutine.status(thread) ~= "dead"
end

--- Whether another light thread is reading.
function resty_socket.has_reader(self)
  return is_busy(self.reading)
end

-- ------------------------------------------------------------------ writing

-- One light thread writes at a time, and also writes what the others have to send.
local function flush(self)
  if is_busy(self.writing) then return true end
  self.writing = coroutine.running()
  local bytes = self.p:output()
  while bytes ~= "" and not self.broken do
    local sent, why = self.tcp:send(bytes)
    if not sent then self.broken = why end
    bytes = self.p:output()
  end
  self.writing = nil
  if self.broken then return nil, "closed" end
  return true
end
resty_socket.flush = flush

-- nginx closes a server's connection when the request's handler returns.
local function shut(self)
  self.ended = self.ended or { code = 1006, reason = "", clean = false }
  if self.tcp.close and not self.shut then self.tcp:close() end
  self.shut = true
end

-- -------------------------------------------------------------- deadlines

-- RFC 6455 section 5.5.2: pings tell whether the peer is still there.
local function heard(self)
  self.ping_at = self.silence > 0 and core.now() + self.silence or nil
  self.dead_at = nil
end

local function check_life(self)
  local now = core.now()
  if self.dead_at and now >= self.dead_at then
    self.failure = { message = "the peer is silent", code = "ETIMEDOUT" }
    shut(self)
  elseif self.ping_at and now >= self.ping_at then
    if self.p.state == 1 then self.p:ping() end
    self.ping_at, self.dead_at = nil, now + self.grace
  end
end

local function patience(self, deadline)
  local due = math.min(deadline or math.huge, self.ping_at or math.huge,
    self.dead_at or math.huge)
  return math.max(1, math.min(math.ceil(due - core.now()), FOREVER))
end

-- ------------------------------------------------------------------ reading

-- Waits for bytes, the end, or the deadline: whichever comes first.
local function read(self, deadline)
  self.tcp:settimeouts(self.send_timeout, self.send_timeout, patience(self, deadline))
  self.reading = coroutine.running()
  local data, why = self.tcp:receiveany(CHUNK)
  self.reading = nil
  if data then
    heard(self)
    self.p:feed(data)
  elseif why ~= "timeout" then
    self.p:finish()
  else
    check_life(self)
  end
end

-- The next message of what was read, and "text" or "binary"; with `all` also pings
-- and pongs. One at a time: a compressed message is not inflated before somebody
-- wants it.
local function take(self, all)
  for event in self.p:events() do
    local kind = event.type
    if kind == "close" then
      self.ended = { code = event.code, reason = event.reason, clean = event.wasClean }
    elseif kind == "error" then
      self.failure = { message = event.message, code = event.code }
    elseif kind == "message" then
      if self.p.state == 1 then return event.data, event.opcode end
    elseif all and kind ~= "open" then
      return event.data, kind
    end
  end
end

--- Like receive(); with `all` also pings and pongs.
function resty_socket.next(self, ms, all)
  local deadline, tried = ms and core.now() + ms, false
  while true do
    local data, kind = take(self, all)
    flush(self)
    if data then return data, kind end
    if self.ended then return nil, "closed", self.ended.code, self.ended.reason end
    if tried and deadline and core.now() >= deadline then return nil, "timeout" end
    read(self, deadline)
    tried = true
  end
end

local function refuse_second_reader(self, name)
  if resty_socket.has_reader(self) then
    options.raise("InvalidStateError", name .. ": another light thread is reading", 3)
  end
end

--- Waits for the next message and returns data, then "text" or "binary". When there
--- will be no more, returns nil, "closed", code, reason; after `ms` milliseconds
--- nil, "timeout". Pings are answered, and deadlines kept, while this waits.
---@param ms? number the longest wait in milliseconds
---@return string|nil data
---@return string|nil opcode or, without data, "closed" or "timeout"
---@return integer|nil code the close code
---@return string|nil reason
function methods:receive(ms)
  if ms ~= nil and type(ms) ~= "number" then
    options.raise("TypeError", "receive: milliseconds expected, got " .. type(ms), 2)
  end
  refuse_second_reader(self, "receive")
  local data, kind, code, reason = resty_socket.next(self, ms)
  if kind == "closed" then return data, kind, code, reason end
  return data, kind -- no tail call: errors name the caller's line
end

--- Iterates over messages until the connection is closed.
---@return fun(): string|nil, string|nil next
function methods:messages()
  return function()
    local data, opcode = self:receive()
    if data ~= nil then return data, opcode end
  end
end

-- ------------------------------------------------------------------ sending

local function say(self, name, ...)
  if self.readyState ~= 1 then return nil, "closed" end
  options.blame(3, self.p[name], self.p, ...)
  return flush(self)
end

--- Sends a message. Text that is not UTF-8 raises TypeError.
---@param data string
---@param opcode? "text"|"binary" "text" by default
---@return boolean|nil ok true once nginx has it, or another light thread that
--- is writing will send it
---@return string|nil why "closed"
function methods:send(data, opcode)
  local ok, why = say(self, "send", data, opcode)
  return ok, why
end

--- Sends a ping with at most 125 bytes; the pong is handled while receive waits.
---@param data? string
---@return boolean|nil ok
---@return string|nil why "closed"
function methods:ping(data)
  local ok, why = say(self, "ping", data)
  return ok, why
end

--- Sends an unsolicited pong.
---@param data? string
---@return boolean|nil ok
---@return string|nil why "closed"
function methods:pong(data)
  local ok, why = say(self, "pong", data)
  return ok, why
end

-- ------------------------------------------------------------------ closing

--- Drops the connection without a Close; on a server it ends when the request's
--- handler returns. Not while another light thread is reading: nginx refuses that.
function methods:terminate()
  shut(self)
end

--- Does the closing handshake: sends a Close and, unless another light thread is
--- reading, waits up to `closeTimeout` for the peer's; messages that still come
--- are dropped. A server's handler should return after it.
---@param code? integer as for sock:close of ws
---@param reason? string
---@return boolean clean whether the peer answered; also true when another light
--- thread is reading, which will see the answer
function methods:close(code, reason)
  options.blame(2, self.p.close, self.p, code, reason)
  flush(self)
  if resty_socket.has_reader(self) then return true end
  local deadline = core.now() + self.close_timeout
  while not self.ended do
    take(self)
    flush(self)
    if core.now() >= deadline then break end
    if not self.ended then read(self, deadline) end
  end
  shut(self)
  return self.ended.clean
end

-- ------------------------------------------------------------------- opening

--- A socket for the protocol `p`; a client's handshake is still to be done.
--- settings: silence (milliseconds of it before a ping; 0: never), grace (those after
--- the ping before the connection is dropped), close_timeout, send_timeout.
function resty_socket.new(tcp, p, settings)
  local self = { tcp = tcp, p = p, url = p.url, request = p.request,
    protocol = p.protocol, extensions = p.extensions, data = p.data }
  for name, value in pairs(settings) do self[name] = value end
  heard(self)
  return setmetatable(self, meta)
end

--- Waits until a client's handshake is over: true, or nil, message, code.
function resty_socket.open(self, deadline)
  while true do
    flush(self)
    for event in self.p:events() do
      if event.type == "open" then
        self.protocol, self.extensions = self.p.protocol, self.p.extensions
        return true
      elseif event.type == "error" then
        self.failure = { message = "http: " .. event.message, code = event.code }
      end
    end
    if self.failure then break end
    if core.now() >= deadline then
      self.failure = { message = "http: no answer in time", code = "ETIMEDOUT" }
      break
    end
    read(self, deadline)
  end
  shut(self)
  return nil, self.failure.message, self.failure.code
end

return resty_socket
