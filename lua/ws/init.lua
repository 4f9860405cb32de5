-- SPDX-License-Identifier: MIT
-- What `require "ws"` returns.

local core = require "ws.core"
local events = require "ws.events"
local loop = require "ws.loop"
local protocol = require "ws.protocol"
local server = require "ws.server"
local waiting = require "ws.coroutine"
local websocket = require "ws.websocket"

---@class ws
local ws = {
  VERSION = core.VERSION, _VERSION = core.VERSION,
  CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3,

  Event = events.Event,
  MessageEvent = events.MessageEvent,
  CloseEvent = events.CloseEvent,
  ErrorEvent = events.ErrorEvent,

  run = loop.run,
  poll = loop.poll,
  stop = loop.stop,
  fd = loop.fd,
  nextTimeout = loop.next_timeout,
  setTimeout = loop.set_timeout,
  setInterval = loop.set_interval,
  clearTimeout = loop.clear,
  clearInterval = loop.clear,
  now = core.now,

  spawn = waiting.spawn,
  sleep = waiting.sleep,
  connect = waiting.connect,

  serve = server.serve,
  protocol = protocol,
}

--- Opens a WebSocket as a browser does: returns it at once, CONNECTING; once the loop
--- runs, events tell what happens (WebSockets Standard, section 3.1).
---@param url string ws:, wss:, http: or https:
---@param protocols? string|string[]|ws.ClientOptions subprotocols in order of
--- preference, or the options
---@param options? ws.ClientOptions
---@return ws.WebSocket sock bad arguments raise SyntaxError or TypeError
function ws.new(url, protocols, options)
  local sock = websocket.construct(2, url, protocols, options)
  return sock -- no tail call: errors name the caller's line
end

ws.WebSocket = ws.new

return setmetatable(ws, {
  __call = function(_, url, protocols, options)
    local sock = websocket.construct(2, url, protocols, options)
    return sock
  end,
  __index = function(_, name)
    if name == "onerror" then return loop.error_handler() end
  end,
  __newindex = function(self, name, value)
    if name == "onerror" then loop.set_error_handler(value, 2)
    else rawset(self, name, value) end
  end,
})
