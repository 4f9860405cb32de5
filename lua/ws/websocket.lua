-- SPDX-License-Identifier: MIT
-- The browser's WebSocket over the connections of ws.core: constructor,
-- properties, close() and events, for a client's sockets and a server's.
-- WebSockets Standard, section 3 "The WebSocket interface".

local arguments = require "ws.arguments"
local client_config = require "ws.client_config"
local core = require "ws.core"
local event_target = require "ws.event_target"
local loop = require "ws.loop"
local options = require "ws.options"
local telling = require "ws.telling"

local state_of = telling.state_of
local websocket = {}

---@class ws.WebSocket
local methods = core.connection.methods
local getters = core.connection.getters
local setters = core.connection.setters
local internals = core.connection.internals

for name, value in pairs { CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3 } do
  websocket[name] = value
  methods[name] = value
end

--- sock.data without the property's cost.
function websocket.set_data(sock, value)
  state_of(sock).data = value
end

-- -------------------------------------------------------------- properties

for _, type_ in ipairs { "open", "message", "error", "close", "ping", "pong", "drain" } do
  getters["on" .. type_] = function(sock)
    local state = internals.state(sock)
    return state and event_target.get_on(state.listeners, type_)
  end
  setters["on" .. type_] = function(sock, value)
    event_target.set_on(telling.listen(sock).listeners, type_, value)
    if type_ == "message" then telling.tell_kept(sock) end
  end
end

function getters.binaryType(sock)
  local state = internals.state(sock)
  return state and state.binaryType or "blob"
end

function setters.binaryType(sock, value)
  if value == "blob" or value == "arraybuffer" then state_of(sock).binaryType = value end
end

function getters.data(sock)
  local state = internals.state(sock)
  return state and state.data
end

function setters.data(sock, value)
  state_of(sock).data = value
end

-- ----------------------------------------------------------------- methods

--- Adds a listener (DOM section 2.7).
---@param type_ string "open", "message", "error", "close", "ping", "pong", "drain"
---@param callback function|table called with the event; for a table, its handleEvent is
---@param opts? boolean|ws.ListenerOptions true: capture
function methods:addEventListener(type_, callback, opts)
  arguments.socket(self, "addEventListener", 2)
  event_target.add(telling.listen(self).listeners, type_, callback, opts, 2)
  telling.tell_kept(self)
end

--- Removes the listener added with the same type, function and capture.
---@param type_ string
---@param callback function|table
---@param opts? boolean|ws.ListenerOptions
function methods:removeEventListener(type_, callback, opts)
  arguments.socket(self, "removeEventListener", 2)
  event_target.remove(state_of(self).listeners, type_, callback, opts, 2)
end

--- Dispatches an event made with ws.Event, ws.MessageEvent and so on, at once.
---@param event ws.Event
---@return boolean uncancelled false if it was cancelable and a listener cancelled it
function methods:dispatchEvent(event)
  arguments.socket(self, "dispatchEvent", 2)
  local uncancelled = event_target.dispatch_made(state_of(self).listeners, self, event, 2)
  return uncancelled -- no tail call: errors name the caller's line
end

local pause, resume = methods.pause, methods.resume

--- Stops reading from the network, which slows the peer down (backpressure).
function methods:pause()
  arguments.socket(self, "pause", 2)
  telling.set_paused(self, true)
  pause(self)
end

--- Reads from the network again.
function methods:resume()
  arguments.socket(self, "resume", 2)
  telling.set_paused(self, false)
  resume(self)
end

--- Starts the closing handshake; a second call does nothing. Messages that the peer
--- still sends are dropped, but its pings are answered (RFC 6455 section 5.5.1).
---@param code? integer 1000 or 3000 to 4999 (on a server's socket also the codes that
--- RFC 6455 section 7.4 lets a server send); others raise InvalidAccessError
---@param reason? string at most 123 bytes (else SyntaxError) of UTF-8 (else TypeError)
function methods:close(code, reason)
  local of_server = arguments.socket(self, "close", 2)
  if code ~= nil then code = arguments.code(code, of_server, 2) end
  if reason ~= nil then reason = arguments.reason(reason, 2) end
  if self.readyState >= 2 then return end
  if code == nil and reason and reason ~= "" then code = 1000 end
  if code then internals.rawClose(self, code, reason) else internals.rawClose(self) end
end

-- ------------------------------------------------------------- constructor

--- What ws.new, ws(...) and ws.connect share. `level` counts as in error(), and
--- stands for their caller.
function websocket.construct(level, url, protocols, given)
  level = level + 1
  local parsed = arguments.url(url, level)
  protocols, given = arguments.protocols_and_options(protocols, given, level)
  local config, raw, views = client_config(given, parsed, level)
  config.protocols = arguments.protocols(protocols or config.protocols, level)
  config.url = parsed.href
  config.handlers = raw and telling.adopt(raw, config.highWaterMark, views) or telling.plain
  -- Made before it connects: if memory ran out after that, nobody could close it.
  local state = not raw and telling.new_state() or nil
  if state then state.listens, state.high_water = true, config.highWaterMark end
  local sock = options.blame(level, loop.get().connect, loop.get(), config)
  if state then internals.setState(sock, state) end
  return sock
end

return websocket
