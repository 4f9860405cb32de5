-- SPDX-License-Identifier: MIT
-- How a socket's handlers are called. The core calls raw ones directly, until
-- something listens or waits; then events are made and dispatched, or messages
-- are kept for receive.

local core = require "ws.core"
local event_target = require "ws.event_target"
local events = require "ws.events"
local inbox = require "ws.inbox"
local loop = require "ws.loop"

local internals = core.connection.internals
local telling = {}

--- The names of raw handlers, as users give them among the options.
telling.raw_names = { "open", "message", "close", "error", "drain", "ping", "pong" }

-- The core calls functions; other values that can be called are wrapped in one.
local function as_function(callable)
  if type(callable) == "function" then return callable end
  return function(...) return callable(...) end
end

--- Takes the raw handlers out of checked options; nil when there are none.
function telling.take_raw(checked)
  local raw
  for _, name in ipairs(telling.raw_names) do
    if checked[name] then
      raw = raw or {}
      raw[name], checked[name] = as_function(checked[name]), nil
    end
  end
  return raw
end

-- ------------------------------------------------- the state kept in Lua

--- A socket has a state table only once something is kept for it: listeners, an
--- inbox, data. Its raw handlers and options are in the tag that `adopt` made.
function telling.new_state()
  return { listeners = {}, binaryType = "blob" }
end

function telling.state_of(sock)
  local state = internals.state(sock)
  if not state then
    state = telling.new_state()
    internals.setState(sock, state)
  end
  return state
end

local function call_raw(sock, name, ...)
  local raw = internals.tag(sock).raw[name]
  if raw then return raw(sock, ...) end
end

-- Calls a raw handler when there may be listeners, too: if it raises, they are still
-- called.
local function guarded_raw(sock, name, a, b, c)
  if not internals.tag(sock).raw[name] then return end
  event_target.call(function() call_raw(sock, name, a, b, c) end)
end

local function dispatch(sock, class, fields)
  local state = internals.state(sock)
  if not state or not state.listeners[fields.type] then return end
  event_target.dispatch(state.listeners, sock, events.make(class, fields))
end

local function tell_message(sock, state, data, opcode)
  if not state.listeners.message then return end
  event_target.dispatch(state.listeners, sock, events.message(data, opcode, sock))
end

-- No event is made when nobody listens: pings can be many.
local function tell_control(sock, type_, data)
  guarded_raw(sock, type_, data)
  local state = internals.state(sock)
  if state and state.listeners[type_] then
    dispatch(sock, "Event", { type = type_, data = data })
  end
end

-- The handlers of sockets that have listeners or an inbox.
local listening = {
  open = function(sock, request)
    guarded_raw(sock, "open", request)
    inbox.opened(sock)
    dispatch(sock, "Event", { type = "open" })
  end,
  message = function(sock, data, opcode)
    local state = internals.state(sock)
    if not state then return end
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
    guarded_raw(sock, "close", code, reason, clean)
    inbox.closed(sock, code, reason)
    dispatch(sock, "CloseEvent",
      { type = "close", code = code, reason = reason, wasClean = clean })
  end,
  drain = function(sock)
    guarded_raw(sock, "drain")
    dispatch(sock, "Event", { type = "drain" })
  end,
  ping = function(sock, data) tell_control(sock, "ping", data) end,
  pong = function(sock, data) tell_control(sock, "pong", data) end,
}

-- The handler `message` when there is a raw one, which is called first and may close
-- the socket. The message then counts as delivered: it is not kept for a receive that
-- may never come. Who else gets it is decided before: a receive or a listener that
-- begins in the raw handler gets the next messages.
local function message_after(raw)
  return function(sock, data, opcode)
    local state = internals.state(sock)
    local kept = state and state.inbox and state.inbox.used
    local wanted = kept or state and state.listeners.message
    event_target.call(function() raw(sock, data, opcode) end)
    if not wanted or sock.readyState ~= 1 then return end
    if kept then inbox.push(sock, tostring(data), opcode)
    else tell_message(sock, state, tostring(data), opcode) end
  end
end

-- Without a raw handler the core itself calls the listener, if there is only one
-- and messages are not kept for receive.
local function listening_handlers(tag, keeps)
  local set = { tag = tag }
  for name, fn in pairs(listening) do set[name] = fn end
  if tag.raw.message then
    set.message, set.views = message_after(tag.raw.message), tag.views
  elseif not keeps then
    set.event = events.message_class
  end
  return core.handlers(set)
end

--- The core's handlers for sockets with these raw handlers {open, message, close,
--- error, drain, ping, pong}. The core calls them directly, until a socket gets
--- listeners or is used with receive, for which it holds up to `high_water` bytes of
--- messages. With `views` the message handler is lent views.
function telling.adopt(raw, high_water, views)
  local tag = { raw = raw, high_water = high_water, views = views }
  local set = { tag = tag, views = views }
  for name, fn in pairs(raw) do set[name] = fn end
  return core.handlers(set)
end

--- The core's handlers for sockets that have no raw ones.
telling.plain = listening_handlers { raw = {} }

--- From now on the socket's events go through `listening`.
function telling.listen(sock)
  local state = telling.state_of(sock)
  if state.listens then return state end
  state.listens = true
  local tag = internals.tag(sock)
  if not tag.listening then tag.listening = listening_handlers(tag) end
  internals.setHandlers(sock, tag.listening)
  return state
end

--- The inbox of a socket, made on first use. From then on messages are kept in it
--- while nobody listens.
function telling.use_inbox(sock)
  local state = telling.listen(sock)
  if not state.inbox then
    state.inbox = inbox.new(sock, state.high_water or internals.tag(sock).high_water)
  end
  return state.inbox
end

--- The same for receive: from then on messages are kept in it even if somebody listens.
function telling.use_inbox_only(sock)
  local box = telling.use_inbox(sock)
  if box.used then return box end
  local tag = internals.tag(sock)
  if not tag.keeping then tag.keeping = listening_handlers(tag, true) end
  internals.setHandlers(sock, tag.keeping)
  box.used = true
  return box
end

-- ------------------------------------------ messages kept for a listener

local function may_tell(sock, state, box)
  return inbox.holds_any(box) and state.listeners.message and not box.used
    and not state.paused and sock.readyState == 1
end

--- For a socket of ws.connect that has kept messages for receive(), and now has a
--- listener: passes them to it before anything else is read, one at a time. The timer
--- repeats, so that it goes on even after a call for which there was no memory.
function telling.tell_kept(sock)
  local state = internals.state(sock)
  local box = state.inbox
  if not box or box.telling or not may_tell(sock, state, box) then return end
  local timer
  timer = loop.get():timer(0, true, function()
    if may_tell(sock, state, box) then return tell_message(sock, state, inbox.pop(box)) end
    timer:stop()
    inbox.set_telling(box, false)
  end)
  inbox.set_telling(box, true)
end

--- pause() keeps back those messages too, until resume().
function telling.set_paused(sock, paused)
  local state = internals.state(sock)
  if not state then return end
  state.paused = paused
  telling.tell_kept(sock)
end

return telling
