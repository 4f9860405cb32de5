-- SPDX-License-Identifier: MIT
-- The browser's WebSocket over the connections of ws.core: constructor,
-- properties, close() and events, for a client's sockets and a server's.
-- WebSockets Standard, section 3 "The WebSocket interface".

local arguments = require "ws.arguments"
local client_config = require "ws.client_config"
local core = require "ws.core"
local event_target = require "ws.event_target"
local events = require "ws.events"
local inbox = require "ws.inbox"
local loop = require "ws.loop"
local options = require "ws.options"

local websocket = {}

---@class ws.WebSocket
local methods = core.connection.methods
local getters = core.connection.getters
local setters = core.connection.setters

for name, value in pairs { CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3 } do
  websocket[name] = value
  methods[name] = value
end

-- ------------------------------------------------- the state kept in Lua

-- A socket has a state table only once something is kept for it: listeners,
-- an inbox, data. Its `tag` is what `adopt` was given.
local function new_state()
  return { listeners = {}, binaryType = "blob" }
end

local function state_of(sock)
  local state = sock:state()
  if not state then
    state = new_state()
    sock:setState(state)
  end
  return state
end

local function call_raw(sock, name, ...)
  local raw = sock:tag().raw[name]
  if raw then return raw(sock, ...) end
end

-- Something listens: its error must not keep the raw handler's from being
-- seen, nor the other way round.
local function guarded_raw(sock, name, a, b, c)
  if not sock:tag().raw[name] then return end
  event_target.call(function() call_raw(sock, name, a, b, c) end)
end

local function dispatch(sock, class, fields)
  local state = sock:state()
  if not state or not state.listeners[fields.type] then return end
  event_target.dispatch(state.listeners, sock, events.make(class, fields))
end

local function origin_of(sock, state)
  if state.origin == nil then
    local url = sock.url and core.url(sock.url)
    state.origin = url and url.origin or false
  end
  return state.origin
end

local function tell_message(sock, state, data, opcode)
  if not state.listeners.message then return end
  event_target.dispatch_message(state.listeners, sock,
    events.live_message(data, opcode, origin_of(sock, state), sock))
end

-- A socket of ws.connect has kept messages for receive(), and now gets a
-- listener instead: it is told of them, in a task of their own.
local function tell_kept(sock, type_)
  local state = sock:state()
  local box = state.inbox
  if type_ ~= "message" or inbox.takes(box, state.listeners.message) then return end
  if not box or box.first > box.last then return end
  loop.get():post(function()
    while sock.readyState == 1 and not inbox.takes(box, state.listeners.message) do
      local data, opcode = inbox.pop(box)
      if not data then return end
      tell_message(sock, state, data, opcode)
    end
  end)
end

-- What sockets with listeners or an inbox are told through.
local listening = {
  open = function(sock, request)
    guarded_raw(sock, "open", request)
    inbox.opened(sock)
    dispatch(sock, "Event", { type = "open" })
  end,
  message = function(sock, data, opcode, state)
    if not state then return end
    local listener = state.listeners[1]
    if listener and not state.inbox then
      -- The gate sees to an error; the event it left is ended here.
      if state.live then events.end_message(state.live) end
      local event = events.live_message(data, opcode, origin_of(sock, state), sock)
      state.live = event
      listener(event)
      state.live = nil
      return events.end_message(event)
    end
    if inbox.takes(state.inbox, state.listeners.message) then
      return inbox.push(sock, data, opcode)
    end
    tell_message(sock, state, data, opcode)
  end,
  error = function(sock, message, code)
    guarded_raw(sock, "error", message, code)
    inbox.failed(sock, message, code)
    dispatch(sock, "ErrorEvent", { type = "error", message = message, code = code })
  end,
  close = function(sock, code, reason, clean)
    local state = sock:state()
    if state then state.ended = { code = code, reason = reason } end
    guarded_raw(sock, "close", code, reason, clean)
    inbox.closed(sock, code, reason)
    dispatch(sock, "CloseEvent",
      { type = "close", code = code, reason = reason, wasClean = clean })
  end,
  drain = function(sock)
    guarded_raw(sock, "drain")
    dispatch(sock, "Event", { type = "drain" })
  end,
  ping = function(sock, data)
    guarded_raw(sock, "ping", data)
    dispatch(sock, "Event", { type = "ping", data = data })
  end,
  pong = function(sock, data)
    guarded_raw(sock, "pong", data)
    dispatch(sock, "Event", { type = "pong", data = data })
  end,
}

-- `message` when there is a raw handler, which is called first and may end it.
local function message_after(raw)
  return function(sock, data, opcode)
    event_target.call(function() raw(sock, data, opcode) end)
    if sock.readyState == 1 then listening.message(sock, data, opcode, sock:state()) end
  end
end

local function listening_handlers(tag)
  local set = { tag = tag, state = true }
  for name, fn in pairs(listening) do set[name] = fn end
  if tag.raw.message then set.message = message_after(tag.raw.message) end
  return core.handlers(set)
end

--- The core's handlers for sockets with these raw handlers {open, message,
--- close, error, drain, ping, pong}: they are called with no event table, until
--- a socket gets listeners or is used with receive, which then holds messages
--- up to `high_water` bytes. With `views` the message handler is lent views.
function websocket.adopt(raw, high_water, views)
  local tag = { raw = raw, high_water = high_water }
  local set = { tag = tag, views = views }
  for name, fn in pairs(raw) do set[name] = fn end
  tag.direct = core.handlers(set)
  return tag.direct
end

local plain = { raw = {} }
plain.listening = listening_handlers(plain)

-- From now on the socket's events go through `listening`.
local function listen(sock)
  local state = state_of(sock)
  if state.listens then return state end
  state.listens = true
  local tag = sock:tag()
  if not tag.listening then tag.listening = listening_handlers(tag) end
  sock:setHandlers(tag.listening)
  return state
end

--- The inbox of a socket, made on first use: from then on messages wait in it.
function websocket.use_inbox(sock)
  local state = listen(sock)
  if not state.inbox then
    state.inbox = inbox.new(sock, state.high_water or sock:tag().high_water)
    state.inbox.closed = state.ended
  end
  return state.inbox
end

--- sock.data without the property's cost.
function websocket.set_data(sock, value)
  state_of(sock).data = value
end

-- -------------------------------------------------------------- properties

for _, type_ in ipairs { "open", "message", "error", "close", "ping", "pong", "drain" } do
  getters["on" .. type_] = function(sock)
    local state = sock:state()
    return state and event_target.get_on(state.listeners, type_)
  end
  setters["on" .. type_] = function(sock, value)
    event_target.set_on(listen(sock).listeners, type_, value)
    tell_kept(sock, type_)
  end
end

function getters.binaryType(sock)
  local state = sock:state()
  return state and state.binaryType or "blob"
end

function setters.binaryType(sock, value)
  if value == "blob" or value == "arraybuffer" then state_of(sock).binaryType = value end
end

function getters.data(sock)
  local state = sock:state()
  return state and state.data
end

function setters.data(sock, value)
  state_of(sock).data = value
end

-- ----------------------------------------------------------------- methods

-- True for a server's socket; raises at the caller's line for what is none.
local function check_self(sock)
  local of_server = options.blame(3, methods.isServer, sock)
  return of_server
end

--- Adds a listener (DOM section 2.7).
---@param type_ string "open", "message", "error", "close", "ping", "pong", "drain"
---@param callback function|table called with the event; a table's handleEvent
---@param opts? boolean|ws.ListenerOptions true: capture
function methods:addEventListener(type_, callback, opts)
  check_self(self)
  event_target.add(listen(self).listeners, tostring(type_), callback, opts, 2)
  tell_kept(self, type_)
end

--- Removes the listener added with the same type, function and capture.
---@param type_ string
---@param callback function|table
---@param opts? boolean|ws.ListenerOptions
function methods:removeEventListener(type_, callback, opts)
  check_self(self)
  event_target.remove(state_of(self).listeners, tostring(type_), callback, opts)
end

--- Dispatches an event made with ws.Event and its kin, at once.
---@param event ws.Event
---@return boolean uncancelled false when it was cancelable and cancelled
function methods:dispatchEvent(event)
  check_self(self)
  local uncancelled = event_target.dispatch_made(state_of(self).listeners, self, event, 2)
  return uncancelled -- no tail call: errors name the caller's line
end

--- Starts the closing handshake; a second call does nothing.
---@param code? integer 1000 or 3000 to 4999 (a server's socket: also the codes
--- RFC 6455 section 7.4 lets it send), else InvalidAccessError
---@param reason? string at most 123 bytes of UTF-8, else SyntaxError
function methods:close(code, reason)
  local of_server = check_self(self)
  if code ~= nil then code = arguments.code(code, of_server, 2) end
  if reason ~= nil then reason = arguments.reason(reason, 2) end
  if self.readyState >= 2 then return end
  if code == nil and reason and reason ~= "" then code = 1000 end
  if code then self:rawClose(code, reason) else self:rawClose() end
end

-- ------------------------------------------------------------- constructor

--- ws.new for ws.new, ws(...) and ws.connect. `level` is the caller's.
function websocket.construct(level, url, protocols, given)
  level = level + 1
  local parsed = arguments.url(url, level)
  if arguments.is_options(protocols) then
    protocols, given = nil, protocols
  end
  local config, raw, views = client_config(given, parsed, level)
  config.protocols = arguments.protocols(protocols or config.protocols, level)
  config.url = parsed.href
  config.handlers = raw and websocket.adopt(raw, config.highWaterMark, views) or plain.listening
  -- Made before it connects: nobody could close what cannot be returned.
  local state = not raw and new_state() or nil
  if state then state.listens, state.high_water = true, config.highWaterMark end
  local sock = options.blame(level, loop.get().connect, loop.get(), config)
  if state then sock:setState(state) end
  return sock
end

return websocket
