-- SPDX-License-Identifier: MIT
-- A client's options (ws.ClientOptions) -> the configuration ws.core takes.

local compression = require "ws.compression"
local options = require "ws.options"
local proxy = require "ws.proxy"
local telling = require "ws.telling"
local tls = require "ws.tls"

local schema = {
  protocols = "string|table|number", headers = "table", origin = "string",
  timeout = "size", closeTimeout = "size", tls = "table", path = options.is_path,
  proxy = "string|boolean", compression = "boolean|table", maxPayload = "size",
  pingInterval = "size", pingTimeout = "size", highWaterMark = "size", lowWaterMark = "size",
  followRedirects = "size", noDelay = "boolean", views = "boolean",
  anyPort = "boolean", parallel = "boolean",
  family = function(value) return value == 4 or value == 6, "4 or 6" end,
}
for _, name in ipairs(telling.raw_names) do schema[name] = "function" end

--- The core's configuration for a client, its raw handlers or nil, and whether
--- they are lent views.
---@param given? ws.ClientOptions as the caller gave them
---@param url table what core.url gave
return function(given, url, level)
  level = level + 1
  local checked = options.check(given, schema, level)
  options.check_water(checked, level)
  local raw = telling.take_raw(checked)
  local headers = options.flat_headers(checked.headers, level)
  options.check_origin(checked.origin, headers, level)
  local config = {
    protocols = checked.protocols, origin = checked.origin, timeout = checked.timeout,
    headers = headers,
    closeTimeout = checked.closeTimeout, maxPayload = checked.maxPayload,
    pingInterval = checked.pingInterval, pingTimeout = checked.pingTimeout,
    highWaterMark = checked.highWaterMark, lowWaterMark = checked.lowWaterMark,
    deflate = compression(checked.compression, true, level),
    noDelay = checked.noDelay, family = checked.family, unixPath = checked.path,
  }
  if not checked.path then config.proxy = proxy(checked.proxy, url, level) end
  config.redirects = checked.followRedirects
  config.blockPorts, config.parallel = not checked.anyPort, checked.parallel
  if url.secure or (checked.followRedirects or 0) > 0 then
    config.tls, config.servername = tls.client(checked.tls, url, level)
  else
    tls.check_client(checked.tls, level)
  end
  return config, raw, checked.views
end
