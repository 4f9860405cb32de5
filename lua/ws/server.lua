-- SPDX-License-Identifier: MIT
-- ws.serve: a server's options, its object, and what becomes of requests.
-- RFC 6455 section 4.2; plain HTTP on the same port goes to `request`.

local arguments = require "ws.arguments"
local compression = require "ws.compression"
local core = require "ws.core"
local judge = require "ws.judge"
local loop = require "ws.loop"
local options = require "ws.options"
local Response = require "ws.response"
local telling = require "ws.telling"
local tls = require "ws.tls"
local waiting = require "ws.coroutine"
local websocket = require "ws.websocket"

local raise = options.raise
local internals = core.connection.internals
local server = {}

local schema = {
  host = "string", path = options.is_path, tls = "table", request = "callable",
  port = function(value)
    return type(value) == "number" and value % 1 == 0 and value >= 0 and value < 65536,
      "a port from 0 to 65535"
  end,
  backpressure = function(value)
    return value == "close" or value == "drop", '"close" or "drop"'
  end,
  compression = "boolean|table", maxPayload = "size", maxConnections = "size",
  handshakeTimeout = "size", idleTimeout = "size", closeTimeout = "size",
  pingInterval = "size", pingTimeout = "size", maxBackpressure = "size",
  highWaterMark = "size", lowWaterMark = "size", backlog = "size",
  reusePort = "boolean", noDelay = "boolean", views = "boolean",
}
for _, name in ipairs(telling.raw_names) do schema[name] = "callable" end
for name, expected in pairs(judge.schema) do schema[name] = expected end

-- Options that are passed on as they are.
local plain_names = {
  "host", "port", "path", "maxPayload", "maxConnections", "handshakeTimeout", "idleTimeout",
  "closeTimeout", "pingInterval", "pingTimeout", "maxBackpressure", "highWaterMark",
  "lowWaterMark", "backlog", "reusePort", "noDelay",
}

-- ---------------------------------------------------------------- requests

local function judge_upgrade(checked, conn, request)
  local function answer()
    judge.answer(checked, request, conn, internals,
      function(data) websocket.set_data(conn, data) end)
  end
  local function fail() internals.refuse(conn, 500, "The server failed to answer.\n") end
  waiting.task(answer, fail)
end

-- While a connection carries plain HTTP its state is the response.
local http_handlers = core.handlers {
  drain = function(conn)
    local response = internals.state(conn)
    if response then response:drained() end
  end,
}

local function answer_plain(checked, conn, request)
  local response = Response.new(conn, request)
  internals.setHandlers(conn, http_handlers)
  internals.setState(conn, response)
  waiting.task(checked.request, function() response:fail() end, request, response)
end

local function http_closed(conn)
  local response = internals.state(conn)
  if getmetatable(response) == Response then response:ended() end
end

-- The function that ws.core asks about requests; nil if it is to decide by itself.
local function judge_of(checked)
  if not (checked.upgrade or checked.request or checked.protocols or checked.origins) then
    return nil
  end
  return function(conn, request)
    if request.upgrade then judge_upgrade(checked, conn, request)
    else answer_plain(checked, conn, request) end
  end
end

-- ------------------------------------------------------------- the object

--- What ws.serve returns.
---@class ws.Server
---@field port integer the port it listens on
---@field host string
---@field connections integer how many connections are open or closing
local methods = {}
local properties = {}
local core_of = setmetatable({}, { __mode = "k" })
local encrypts = setmetatable({}, { __mode = "k" }) -- the servers with `tls`

local function check(self, name)
  local inner = core_of[self]
  if not inner then
    raise("TypeError", ("%s: a server expected, got %s (call it as server:%s)")
      :format(name, type(self), name), 3)
  end
  return inner
end

function properties.port(self) return check(self, "port"):port() end
function properties.host(self) return check(self, "host"):host() end
function properties.connections(self) return check(self, "connections"):connections() end

--- Iterates over the open connections: for sock in server:clients() do ... end
---@return fun(): ws.WebSocket|nil next
function methods:clients()
  local list, i = check(self, "clients"):clients(), 0
  return function()
    i = i + 1
    while list[i] and list[i].readyState ~= 1 do i = i + 1 end
    return list[i]
  end
end

--- Sends a message to all subscribers of the topic; it is framed once for all of them.
---@param topic string
---@param data string|ws.View
---@param opcode? "text"|"binary" "text" by default; for a view, the view's own
---@return integer count how many it was sent to
function methods:publish(topic, data, opcode)
  local inner = check(self, "publish")
  local result = options.blame(2, inner.publish, inner, topic, data, opcode)
  return result
end

--- Stops listening and closes every connection with a closing handshake. Requests that `upgrade` or
--- `request` has not answered yet get 503; an answer that is not finished is cut off.
---@param code? integer 1001 by default; a code of RFC 6455 section 7.4 that a
--- server may send, else InvalidAccessError
function methods:close(code)
  local inner = check(self, "close")
  if code ~= nil then code = arguments.code(code, true, 2) end
  inner:close(code)
end

--- Changes the certificate for new connections; open ones keep theirs.
---@param given ws.ServerTLS like the option `tls`
---@return boolean|nil ok
---@return string|nil message
---@return string|nil code
function methods:setTLS(given)
  local inner = check(self, "setTLS")
  if given == nil then raise("TypeError", "setTLS: a table of options expected, got nil", 2) end
  if not encrypts[self] then
    raise("InvalidStateError", "setTLS: the server was started without `tls`", 2)
  end
  local context, message, code = tls.server(given, 2)
  if not context then return nil, message, code end
  inner:setTLS(context)
  return true
end

local meta = {
  __name = "ws.server",
  __index = function(self, name)
    if properties[name] then return properties[name](self) end
    return methods[name]
  end,
  __newindex = function(_, name)
    raise("TypeError", ("cannot assign to '%s'"):format(tostring(name)), 2)
  end,
  __close = function(self) self:close() end, -- Lua 5.4: `local server <close>`
  __tostring = function(self)
    if self.port == 0 then return "ws.server on " .. self.host end -- a Unix socket
    return ("ws.server on %s port %d"):format(self.host, self.port)
  end,
}

-- ----------------------------------------------------------------- serving

local function config_of(checked)
  local config = {}
  for _, name in ipairs(plain_names) do config[name] = checked[name] end
  config.dropPublishes = checked.backpressure == "drop"
  config.plain = checked.request ~= nil
  config.judge = judge_of(checked)
  config.httpClosed = checked.request and http_closed
  config.handlers = telling.adopt(telling.take_raw(checked) or {}, checked.highWaterMark,
    checked.views)
  return config
end

--- Starts a server; it serves while the loop runs.
---@param given ws.ServerOptions
---@return ws.Server|nil server raises TypeError for wrong options
---@return string|nil message why it cannot listen
---@return string|nil code "EADDRINUSE", "EACCES", "ETLS" ...
function server.serve(given)
  if given == nil then raise("TypeError", "serve: a table of options expected, got nil", 2) end
  local checked = options.check(given, schema, 2, "serve")
  options.check_water(checked, 2)
  if checked.path and (checked.host or (checked.port or 0) ~= 0) then
    raise("TypeError", "serve: with option 'path', a Unix socket, there is no host or port", 2)
  end
  if checked.protocols and not options.is_callable(checked.protocols) then
    checked.protocols = arguments.protocols(checked.protocols, 2)
  end
  local config = config_of(checked)
  config.deflate = compression(checked.compression, false, 2)
  if checked.tls then
    local context, message, code = tls.server(checked.tls, 2)
    if not context then return nil, message, code end
    config.tls = context
  end
  -- Made before it listens: if memory ran out later, nobody could close it.
  local self = setmetatable({}, meta)
  core_of[self], encrypts[self] = false, false
  local inner, message, code = loop.get():listen(config)
  if not inner then return nil, message, code end
  core_of[self], encrypts[self] = inner, checked.tls and true
  return self
end

return server
