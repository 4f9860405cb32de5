-- SPDX-License-Identifier: MIT
-- Listeners as the DOM has them (DOM section 2.7 and 2.9): for one target
-- that has no parents. A list of listeners belongs to a type; the on... handler
-- takes its place in it when first set (HTML "event handlers").

local events = require "ws.events"
local loop = require "ws.loop"
local options = require "ws.options"

local event_target = {}

-- Plain 5.1 gives xpcall's function no arguments.
local passes_arguments = select(2, xpcall(function(value) return value end, print, 1)) == 1

--- A message handler that keeps the message and says where it was raised.
function event_target.traced(message)
  return { message = message, traceback = debug.traceback(loop.describe(message), 2) }
end

local function report(raised)
  if type(raised) == "table" and raised.traceback then
    loop.report(raised.message, raised.traceback)
  else
    loop.report(raised)
  end
end

--- Calls fn(); an error is reported and does not come out.
function event_target.call(fn)
  local ok, raised = xpcall(fn, event_target.traced)
  if not ok then report(raised) end
end

-- ------------------------------------------------------------------ listeners

local listener_options = {
  capture = "any", once = "any", passive = "any", signal = "table|userdata",
}

-- DOM section 2.7, "flatten more": a boolean is `capture`. `name` is the
-- method's.
local function flat_options(opts, name, level)
  if opts == nil or type(opts) == "boolean" then return { capture = opts or false } end
  local flat = options.check(opts, listener_options, level + 1, name)
  flat.capture = flat.capture and true or false
  return flat
end

local function check_type(type_, name, level)
  if type_ == nil then options.raise("TypeError", name .. ": the type is missing", level + 1) end
  return tostring(type_)
end

local function find(list, callback, capture)
  for i, listener in ipairs(list or {}) do
    if not listener.is_on and listener.callback == callback and listener.capture == capture then
      return i, listener
    end
  end
end

-- Lists are replaced, never changed: a pass under way keeps the one it started
-- with.
local function without(list, index)
  local copy = {}
  for i, listener in ipairs(list) do
    if i ~= index then copy[#copy + 1] = listener end
  end
  list[index].removed = true
  return copy[1] and copy or nil
end

local function with(list, listener)
  local copy = {}
  for i, other in ipairs(list or {}) do copy[i] = other end
  copy[#copy + 1] = listener
  return copy
end

-- lists[1] is the function that alone listens to messages, if that is all that
-- does: the core calls it straight.
local function put(lists, type_, list)
  lists[type_] = list
  if type_ ~= "message" then return end
  local only = list and not list[2] and list[1]
  lists[1] = only and only.plain and not only.once and only.callback or nil
end

local function take_out(lists, type_, callback, capture)
  local index = find(lists[type_], callback, capture)
  if index then put(lists, type_, without(lists[type_], index)) end
end

--- Adds a listener to `lists` (type -> list). S81, S84.
function event_target.add(lists, type_, callback, opts, level)
  type_ = check_type(type_, "addEventListener", level + 1)
  local more = flat_options(opts, "addEventListener", level + 1)
  if callback == nil then return end
  local kind = type(callback)
  if kind ~= "function" and kind ~= "table" and kind ~= "userdata" then
    options.raise("TypeError", "addEventListener: a function or an object with handleEvent "
      .. "expected, got " .. kind, level + 1)
  end
  local capture = more.capture
  if more.signal and more.signal.aborted then return end
  if find(lists[type_], callback, capture) then return end
  local listener = {
    callback = callback, plain = kind == "function", capture = capture,
    once = more.once and true or nil, passive = more.passive and true or nil,
  }
  put(lists, type_, with(lists[type_], listener))
  if more.signal and more.signal.addEventListener then
    more.signal:addEventListener("abort", function()
      if not listener.removed then take_out(lists, type_, callback, capture) end
    end)
  end
end

--- Removes one that was added with the same type, callback and capture.
function event_target.remove(lists, type_, callback, opts, level)
  type_ = check_type(type_, "removeEventListener", level + 1)
  local more = flat_options(opts, "removeEventListener", level + 1)
  take_out(lists, type_, callback, more.capture)
end

--- What the on... property reads.
function event_target.get_on(lists, type_)
  for _, listener in ipairs(lists[type_] or {}) do
    if listener.is_on then return listener.callback end
  end
end

--- Sets the on... property: functions and objects are kept, all else is nil;
--- replacing keeps the place. S82, S83.
function event_target.set_on(lists, type_, value)
  local kind = type(value)
  if kind ~= "function" and kind ~= "table" and kind ~= "userdata" then value = nil end
  for i, listener in ipairs(lists[type_] or {}) do
    if listener.is_on then
      local list = lists[type_]
      if value == nil then list = without(list, i)
      else listener.callback, listener.plain = value, kind == "function" end
      return put(lists, type_, list)
    end
  end
  if value ~= nil then
    put(lists, type_, with(lists[type_],
      { callback = value, plain = kind == "function", is_on = true, capture = false }))
  end
end

-- ------------------------------------------------------------------- dispatch

-- Its handleEvent is looked up at each call, S81.
local function call_object(object, event)
  local handle = object.handleEvent
  if not options.is_callable(handle) then
    error(("TypeError: a listener for '%s' has no function handleEvent, but %s"):format(
      event.type, type(handle)), 0)
  end
  handle(object, event)
end

local function invoke(listener, event)
  local callback = listener.callback
  if listener.plain and passes_arguments then
    local ok, raised = xpcall(callback, event_target.traced, event)
    if not ok then report(raised) end
  elseif listener.plain or options.is_callable(callback) then
    event_target.call(function() callback(event) end)
  elseif not listener.is_on then
    event_target.call(function() call_object(callback, event) end)
  end
end

-- Its preventDefault does nothing, S84.
local function invoke_passive(listener, event)
  event.inPassiveListener = true
  invoke(listener, event)
  event.inPassiveListener = nil
end

local function pass(lists, event, capture)
  if event.propagationStopped then return end
  local list = lists[event.type] or {}
  for i = 1, #list do
    local listener = list[i]
    if listener.capture == capture and not listener.removed then
      if listener.once then take_out(lists, event.type, listener.callback, capture) end
      if listener.passive then invoke_passive(listener, event)
      else invoke(listener, event) end
      if event.immediatelyStopped then return end
    end
  end
end

--- Calls the listeners of event.type: first those that capture, then the
--- others, each in the order added. S79, S85, S87, S88.
function event_target.dispatch(lists, target, event)
  event.target = target
  if lists[event.type] then
    event.currentTarget, event.eventPhase, event.dispatching = target, 2, true
    pass(lists, event, true)
    pass(lists, event, false)
    event.currentTarget, event.eventPhase, event.dispatching = nil, 0, nil
  end
  event.propagationStopped, event.immediatelyStopped = nil, nil
end

--- dispatchEvent: for made-up events, at once. S86.
function event_target.dispatch_made(lists, target, event, level)
  if not events.is_event(event) then
    options.raise("TypeError", "dispatchEvent: an event expected (ws.Event makes one), got "
      .. type(event), level + 1)
  end
  if event.dispatching then
    options.raise("InvalidStateError", "dispatchEvent: the event is being dispatched", level + 1)
  end
  event.isTrusted = false
  event_target.dispatch(lists, target, event)
  return not event.defaultPrevented
end

return event_target
