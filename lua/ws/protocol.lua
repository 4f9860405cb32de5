-- SPDX-License-Identifier: MIT
-- The protocol alone: bytes in, events and bytes out, no socket. For
-- OpenResty's cosockets, other event loops, and tests. RFC 6455.

local arguments = require "ws.arguments"
local compression = require "ws.compression"
local core = require "ws.core"
local events = require "ws.events"
local judge = require "ws.judge"
local loop = require "ws.loop"
local options = require "ws.options"

local raise = options.raise
--- The protocol alone, with no I/O: `ws.protocol`.
---@class ws.protocol
local protocol = {}

--- One side of a WebSocket: bytes in, events and bytes out.
---@class ws.Protocol
---@field state integer 0 CONNECTING, 1 OPEN, 2 CLOSING, 3 CLOSED
---@field protocol string the subprotocol, "" when none
---@field extensions string the extensions agreed on, "" when none
---@field request ws.Request|nil on a server: the client's request
---@field data any on a server: the `data` that `upgrade` returned
---@field readyState integer the same as state
---@field url string|nil on a client: the URL, normalised
local methods = {}

local inner_of = setmetatable({}, { __mode = "k" })

-- The key under which the object has the user's functions. They are not in inner_of:
-- `upgrade` may refer to the object, which would then live for ever on Lua 5.1 and
-- LuaJIT.
local POLICY = {}

local function check(self, name)
  local inner = inner_of[self]
  if not inner then
    raise("TypeError", ("%s: a protocol expected, got %s (call it as protocol:%s)")
      :format(name, type(self), name), 3)
  end
  return inner
end

local meta = {
  __name = "ws.protocol",
  __index = function(self, name)
    if name == "state" or name == "readyState" then
      local inner = check(self, name)
      return (inner.closed or inner.failed) and 3 or inner.session:state()
    end
    return methods[name]
  end,
  __newindex = function(self, name, value)
    if name == "state" or name == "readyState" then
      raise("TypeError", ("'%s' is read-only"):format(name), 2)
    end
    rawset(self, name, value)
  end,
}

-- ------------------------------------------------------------------ events

local function event(self, class, fields)
  fields.target = self
  return events.make(class, fields)
end

local function closing(self, inner, code, reason, clean)
  inner.closed = true
  return event(self, "CloseEvent",
    { type = "close", code = code, reason = reason, wasClean = clean })
end

-- Returns the error event; the next call of next_event makes the close event.
local function failing(self, inner, message, code)
  inner.failed = true
  return event(self, "ErrorEvent", { type = "error", message = message, code = code })
end

local function opened(self, inner)
  self.protocol, self.extensions = inner.session:agreed()
  return event(self, "Event", { type = "open" })
end

local function aborting(self, inner)
  return failing(self, inner, "closed before the connection was open", "ECONNABORTED")
end

-- For judge.answer: once `upgrade` itself has called close, nothing is answered.
local answering = {}
for _, name in ipairs { "accept", "refuse" } do
  answering[name] = function(inner, ...)
    if inner.aborted then return nil end
    return inner.session[name](inner.session, ...)
  end
end

local function answer_request(self, inner, request)
  self.request = request
  if not request.upgrade then
    inner.session:refuse(426, "This is a WebSocket server.\n")
    return failing(self, inner, "the request is not a WebSocket handshake", "EHANDSHAKE")
  end
  local function answer()
    return judge.answer(self[POLICY], request, inner, answering,
      function(data) self.data = data end)
  end
  inner.judging = true
  local ok, accepted, status = pcall(answer)
  inner.judging = false
  if not ok then
    loop.report(accepted)
    inner.session:refuse(500, "The server failed to answer.\n")
    return failing(self, inner, "upgrade failed: " .. loop.describe(accepted), "EHANDSHAKE")
  end
  if accepted then return opened(self, inner) end
  if inner.aborted then return aborting(self, inner) end
  return failing(self, inner, ("the request was refused with status %s"):format(
    tostring(status)), "EHANDSHAKE")
end

-- Each turns what the session reports into an event, or nil to go on.
local translate = {
  open = opened,
  message = function(self, inner, data, opcode)
    return event(self, "MessageEvent",
      { type = "message", data = data, opcode = opcode, origin = inner.origin })
  end,
  ping = function(self, _, data) return event(self, "Event", { type = "ping", data = data }) end,
  pong = function(self, _, data) return event(self, "Event", { type = "pong", data = data }) end,
  close = function(self, inner, code, reason)
    return closing(self, inner, code, reason, inner.session:clean())
  end,
  error = failing,
  request = answer_request,
}

-- While `upgrade` judges the request there are no events: what it does itself, like
-- closing, is told in its turn.
local function next_event(self, inner)
  if inner.closed or inner.judging then return nil end
  if inner.failed then return closing(self, inner, 1006, "", false) end
  if inner.aborted then return aborting(self, inner) end
  while true do
    local kind, first, second = inner.session:next()
    if kind == nil then break end
    local handle = translate[kind]
    local made = handle and handle(self, inner, first, second)
    if made then return made end
  end
  if not inner.ended then return nil end
  return failing(self, inner, "the connection ended without a Close frame", "ECONNRESET")
end

--- Iterates over what has happened since the last call, as events like those of
--- the browser's object: open, message, ping, pong, error, close.
---@return fun(): ws.Event|nil next
function methods:events()
  local inner = check(self, "events")
  return function() return next_event(self, inner) end
end

-- ------------------------------------------------------------------- bytes

--- Takes bytes that came from the transport. They are handled, and answered, only
--- while you iterate over events().
---@param bytes string
function methods:feed(bytes)
  local inner = check(self, "feed")
  if type(bytes) ~= "string" then
    raise("TypeError", "feed: a string expected, got " .. type(bytes), 2)
  end
  inner.session:feed(bytes)
end

--- Returns the bytes to write to the transport, and forgets them; "" when there are
--- none. They include all answers to the peer once events() was iterated to its end.
---@return string
function methods:output()
  local inner = check(self, "output")
  return inner.session:output()
end

--- Tells it that the transport has ended. Unless the closing handshake is finished,
--- events() then gives error and close (1006).
function methods:finish()
  local inner = check(self, "finish")
  inner.ended = true
  inner.session:endInput()
end

-- ----------------------------------------------------------------- sending

-- Called after the arguments were checked, which is done in every state: S97, S98.
local function check_opened(self, name)
  if self.state == 0 then
    raise("InvalidStateError", name .. ": the connection is not open yet", 3)
  end
end

--- Sends a message; once closing has begun it is discarded.
---@param data string
---@param opcode? "text"|"binary" "text" by default, which must be UTF-8
---@return boolean ok true
function methods:send(data, opcode)
  local session = check(self, "send").session
  options.blame(2, session.send, session, data, opcode, self.state ~= 1)
  check_opened(self, "send")
  return true
end

--- Sends a ping (RFC 6455 section 5.5.2).
---@param data? string at most 125 bytes
---@return boolean ok true
function methods:ping(data)
  local session = check(self, "ping").session
  options.blame(2, session.control, session, "ping", data, self.state ~= 1)
  check_opened(self, "ping")
  return true
end

--- Sends an unsolicited pong (RFC 6455 section 5.5.3).
---@param data? string at most 125 bytes
---@return boolean ok true
function methods:pong(data)
  local session = check(self, "pong").session
  options.blame(2, session.control, session, "pong", data, self.state ~= 1)
  check_opened(self, "pong")
  return true
end

--- Starts the closing handshake; code and reason as for sock:close.
---@param code? integer
---@param reason? string
function methods:close(code, reason)
  local inner = check(self, "close")
  if code ~= nil then code = arguments.code(code, inner.server, 2) end
  if reason ~= nil then reason = arguments.reason(reason, 2) end
  if self.state >= 2 then return end
  if code == nil and reason and reason ~= "" then code = 1000 end
  local opening = self.state == 0
  inner.session:close(code, reason)
  if not opening then return end
  inner.aborted = true
  inner.session:output() -- a request that was not sent yet is dropped
end

-- ------------------------------------------------------------------ making

local function make(inner, policy)
  local self = setmetatable({ [POLICY] = policy, protocol = "", extensions = "" }, meta)
  inner_of[self] = inner
  return self
end

local client_schema = {
  url = "any", protocols = "string|table|number", headers = "table", origin = "string",
  maxPayload = "size", compression = "boolean|table",
}

--- The client's side. output() returns the handshake's request at once.
---@param given ws.ClientProtocolOptions
---@return ws.Protocol
function protocol.client(given)
  local checked = options.check(given, client_schema, 2, "protocol.client")
  local url = arguments.url(checked.url, 2)
  local headers = options.flat_headers(checked.headers, 2)
  options.check_origin(checked.origin, headers, 2)
  local session = options.blame(2, core.session, {
    role = "client", url = url.href, protocols = arguments.protocols(checked.protocols, 2),
    headers = headers, origin = checked.origin,
    maxPayload = checked.maxPayload, deflate = compression(checked.compression, true, 2),
  })
  local self = make { session = session, origin = url.origin, server = false }
  rawset(self, "url", url.href)
  return self
end

local server_schema = { maxPayload = "size", compression = "boolean|table" }
for name, expected in pairs(judge.schema) do server_schema[name] = expected end

--- The server's side. It answers the handshake by itself, as ws.serve does with the
--- same `protocols`, `origins` and `upgrade` (which cannot wait here).
---@param given? ws.ServerProtocolOptions
---@return ws.Protocol
function protocol.server(given)
  local checked = options.check(given, server_schema, 2, "protocol.server")
  if checked.protocols and not options.is_callable(checked.protocols) then
    checked.protocols = arguments.protocols(checked.protocols, 2)
  end
  local session = core.session {
    role = "server", maxPayload = checked.maxPayload,
    deflate = compression(checked.compression, false, 2),
  }
  return make({ session = session, origin = "", server = true }, checked)
end

return protocol
