-- SPDX-License-Identifier: MIT
-- Event, MessageEvent, CloseEvent and ErrorEvent: tables whose defaults and
-- methods come from their class (DOM section 2.2, HTML "MessageEvent").

local core = require "ws.core"
local options = require "ws.options"

local kind_of = type -- `type` is an event's, too

local events = {}

---@class ws.Event
local methods = {}

--- Keeps the listeners of the other phase from being called: those without `capture`,
--- if this is called in one with `capture`.
function methods:stopPropagation()
  self.propagationStopped = true
end

--- Keeps all further listeners from being called.
function methods:stopImmediatePropagation()
  self.propagationStopped = true
  self.immediatelyStopped = true
end

--- Makes dispatchEvent return false, if the event is cancelable and the listener is
--- not passive.
function methods:preventDefault()
  if self.cancelable and not self.inPassiveListener then self.defaultPrevented = true end
end

local function class(name, defaults)
  local fields = {
    bubbles = false, cancelable = false, composed = false, defaultPrevented = false,
    isTrusted = false, eventPhase = 0, NONE = 0, CAPTURING_PHASE = 1, AT_TARGET = 2,
    BUBBLING_PHASE = 3,
  }
  for key, method in pairs(methods) do fields[key] = method end
  for key, value in pairs(defaults) do fields[key] = value end
  return { __index = fields, __name = name, __tostring = function(event)
    return ("%s: %s"):format(name, tostring(event.type))
  end }
end

local classes = {
  Event = class("Event", {}),
  MessageEvent = class("MessageEvent", { origin = "", lastEventId = "", ports = {} }),
  CloseEvent = class("CloseEvent", { wasClean = false, code = 0, reason = "" }),
  ErrorEvent = class("ErrorEvent", { message = "" }),
}

-- The class of the events that the core makes of messages. These are tables with
-- data, opcode and target alone, so that they cost little. While its only listener is
-- called such an event also has the following; later it is like any other.
local while_told = {
  eventPhase = 2, dispatching = true,
  stopPropagation = function() end, stopImmediatePropagation = function() end,
}

local message_fields = setmetatable({ type = "message", isTrusted = true },
  classes.MessageEvent)

local function message_field(event, key)
  if key == "origin" then
    local target = rawget(event, "target")
    local url = target and target.url and core.url(target.url)
    return url and url.origin or ""
  end
  if key == "currentTarget" then return core.isTold(event) and rawget(event, "target") or nil end
  local value = while_told[key]
  if value ~= nil and core.isTold(event) then return value end
  return message_fields[key]
end

--- The metatable that core.handlers takes as `event`.
events.message_class = {
  __index = message_field, __name = "MessageEvent",
  __tostring = classes.MessageEvent.__tostring,
}

local known = { [events.message_class] = true }
for _, meta in pairs(classes) do known[meta] = true end

--- Makes a constructor: Event(type [, fields]).
local function constructor(name)
  return function(type, fields)
    if type == nil then options.raise("TypeError", name .. ": the type is missing", 2) end
    if fields ~= nil and kind_of(fields) ~= "table" then
      options.raise("TypeError", name .. ": a table of fields expected, got " .. kind_of(fields), 2)
    end
    local event = {}
    for key, value in pairs(fields or {}) do event[key] = value end
    event.type = tostring(type)
    return setmetatable(event, classes[name])
  end
end

for name in pairs(classes) do events[name] = constructor(name) end

--- Makes an event of the class out of this table of fields, without copying it.
function events.make(class_name, event)
  event.isTrusted = true
  return setmetatable(event, classes[class_name])
end

--- The event of a message that the core does not pass to its listener itself.
function events.message(data, opcode, target)
  return setmetatable({ data = data, opcode = opcode, target = target }, events.message_class)
end

--- True for all events, made here or in the core.
function events.is_event(value)
  return type(value) == "table" and known[getmetatable(value)] == true
end

return events
