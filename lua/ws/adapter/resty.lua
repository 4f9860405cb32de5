-- SPDX-License-Identifier: MIT
-- WebSockets in OpenResty, or nginx with ngx_http_lua_module: opens them over
-- cosockets, as a client or in a request's handler. The only event loop is nginx's:
-- nothing here makes one of ours.

local core = require "ws.core"
local loop = require "ws.loop"
local options = require "ws.options"
local protocol = require "ws.protocol"
local resty_socket = require "ws.adapter.resty_socket"
require "ws.adapter.resty_frames"

local ngx = ngx -- luacheck: ignore 113

--- WebSockets in OpenResty, or nginx with its Lua module.
---@class ws.adapter.resty
local resty = {}

local SEND_TIMEOUT = 60000
local CLOSE_TIMEOUT = 5000

-- As elsewhere 0 means no limit: then nginx waits as long as it can.
local function limit(ms, default)
  ms = ms or default
  return ms > 0 and math.min(ms, resty_socket.FOREVER) or resty_socket.FOREVER
end

-- As elsewhere 0 means the default.
local function positive(ms, default)
  return ms and ms > 0 and ms or default
end

-- Errors raised in the user's handlers go to nginx's error log.
if ngx and not loop.error_handler() then
  loop.set_error_handler(function(message, traceback) ngx.log(ngx.ERR, traceback or message) end)
end

-- ------------------------------------------------------------------- client

local client_schema = {
  protocols = "string|table|number", headers = "table", origin = "string", timeout = "size",
  closeTimeout = "size", sendTimeout = "size", tls = "table", path = options.is_path,
  compression = "boolean|table", maxPayload = "size", pingInterval = "size",
  pingTimeout = "size",
}
local tls_schema = { verify = "boolean", servername = "string" }

-- Words in nginx's messages, and our codes for them. Those about names come first, as
-- such a message quotes the host, in which the others may occur.
local codes = {
  { "resolve", "ENOTFOUND" }, { "host not found", "ENOTFOUND" }, { "timeout", "ETIMEDOUT" },
  { "refused", "ECONNREFUSED" }, { "no such file", "ENOENT" },
}

local function code_of(stage, why)
  for _, known in ipairs(codes) do
    if why:find(known[1], 1, true) then return known[2] end
  end
  return stage == "tls" and "ETLS" or "ECONNRESET"
end

local function failure(stage, why, place)
  local code = code_of(stage, why)
  if code == "ENOTFOUND" then stage = "name" end
  return nil, ("%s: %s%s"):format(stage, place and place .. ": " or "", why), code
end

local function secure(tcp, url, given)
  local name = given.servername or url.host
  local ok, why = tcp:sslhandshake(false, name, given.verify ~= false)
  -- When the handshake need not wait for the peer, nginx's module says that all
  -- is well even if the certificate is not; but it has closed the connection.
  if ok and tcp:getreusedtimes() then return tcp end
  why = why or "the certificate was not accepted"
  tcp:close()
  return failure("tls", why)
end

local function dial(url, checked, tls, deadline)
  local tcp = ngx.socket.tcp()
  local ms = math.max(1, deadline - core.now())
  tcp:settimeouts(ms, SEND_TIMEOUT, ms)
  local place = checked.path or ("%s port %d"):format(url.host, url.port)
  local ok, why
  if checked.path then ok, why = tcp:connect("unix:" .. checked.path)
  else ok, why = tcp:connect(url.host, url.port) end
  if not ok then return failure("tcp", why, place) end
  if url.secure then return secure(tcp, url, tls) end
  return tcp
end

--- Opens a WebSocket and waits until it is open. Names are resolved by nginx's
--- directive `resolver`, and certificates checked against its
--- `lua_ssl_trusted_certificate`.
---@param url string ws:, wss:, http: or https:
---@param given? table as for ws.new: protocols, headers, origin, timeout,
--- closeTimeout, compression, maxPayload, pingInterval (after silence), pingTimeout,
--- path, tls (verify, servername); and sendTimeout
---@return ws.resty.Socket|nil sock bad arguments raise
---@return string|nil message
---@return string|nil code "ECONNREFUSED", "ENOTFOUND", "ETLS", "EHANDSHAKE" ...
function resty.client(url, given)
  local checked = options.check(given, client_schema, 2)
  local tls = options.check(checked.tls, tls_schema, 2)
  local p = options.blame(2, protocol.client, {
    url = url, protocols = checked.protocols, headers = checked.headers,
    origin = checked.origin, maxPayload = checked.maxPayload,
    compression = checked.compression,
  })
  local deadline = core.now() + limit(checked.timeout, 30000)
  local tcp, message, code = dial(core.url(p.url), checked, tls, deadline)
  if not tcp then return nil, message, code end
  local interval = checked.pingInterval or 0
  local sock = resty_socket.new(tcp, p, {
    silence = interval, grace = positive(checked.pingTimeout, interval),
    close_timeout = positive(checked.closeTimeout, CLOSE_TIMEOUT),
    send_timeout = limit(checked.sendTimeout, SEND_TIMEOUT),
  })
  local ok
  ok, message, code = resty_socket.open(sock, deadline)
  if ok then return sock end
  return nil, message, code
end

-- ------------------------------------------------------------------- server

local server_schema = {
  protocols = "table|callable", origins = "any", upgrade = "callable",
  compression = "boolean|table", maxPayload = "size", idleTimeout = "size",
  closeTimeout = "size", sendTimeout = "size",
}

-- nginx writes these itself.
local of_nginx = { connection = true, ["content-length"] = true, date = true, server = true }

local function set_headers(lines)
  local seen = {}
  for name, value in lines:gmatch("([^:\r\n]+): *([^\r\n]*)\r\n") do
    local key = name:lower()
    if not of_nginx[key] then
      seen[key] = seen[key] or {}
      table.insert(seen[key], value)
      ngx.header[name] = #seen[key] > 1 and seen[key] or value
    end
  end
end

-- The answer goes out through nginx, so that its logs and filters see it.
local function answer(bytes)
  local status, lines, body = bytes:match("^HTTP/1%.1 (%d+)[^\r\n]*\r\n(.-\r\n)\r\n(.*)$")
  if not status then return nil, "http: no answer to the request" end
  ngx.status = tonumber(status)
  if ngx.status ~= 101 then
    set_headers(lines)
    ngx.print(body)
    return true
  end
  ngx.header["Content-Type"] = nil
  set_headers(lines)
  local ok, why = ngx.send_headers()
  if ok then ok, why = ngx.flush(true) end
  return ok, why
end

-- nil when the request is accepted, else the event that tells why not.
local function judge(p)
  local refused = { message = "the request is not a WebSocket handshake", code = "EHANDSHAKE" }
  for event in p:events() do
    if event.type == "open" then return nil end
    if event.type == "error" then refused = event end
  end
  return refused
end

--- Answers the handshake of the current request, in a content handler. If this
--- returns nil, the request has been answered already: just return.
---@param given? table as for ws.serve: protocols, origins, upgrade (which may use
--- cosockets), compression, maxPayload, idleTimeout, closeTimeout; and sendTimeout
---@return ws.resty.Socket|nil sock
---@return string|nil message
---@return string|nil code
function resty.server(given)
  local checked = options.check(given, server_schema, 2)
  local p = options.blame(2, protocol.server, {
    protocols = checked.protocols, origins = checked.origins, upgrade = checked.upgrade,
    maxPayload = checked.maxPayload, compression = checked.compression,
  })
  if ngx.req.http_version() >= 2 then
    ngx.status = 426
    ngx.header["Upgrade"] = "websocket"
    return nil, "http: a WebSocket handshake needs HTTP/1.1", "EHANDSHAKE"
  end
  p:feed(ngx.req.raw_header())
  local refused = judge(p)
  local ok, why = answer(p:output())
  if refused then return nil, refused.message, refused.code end
  local tcp
  if ok then tcp, why = ngx.req.socket(true) end
  if not tcp then return nil, "tcp: " .. tostring(why), "ECONNRESET" end
  local half = math.ceil((checked.idleTimeout or 120000) / 2)
  return resty_socket.new(tcp, p, {
    silence = half, grace = half,
    close_timeout = positive(checked.closeTimeout, CLOSE_TIMEOUT),
    send_timeout = limit(checked.sendTimeout, SEND_TIMEOUT),
  })
end

return resty
