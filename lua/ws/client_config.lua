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
for _, name in ipairs(telling.raw_names) do schema[name] = "callable" end

-- Options that are passed on as they are.
local plain_names = {
  "protocols", "origin", "timeout", "closeTimeout", "maxPayload", "pingInterval", "pingTimeout",
  "highWaterMark", "lowWaterMark", "noDelay", "family", "parallel",
}

--- The core's configuration for a client, its raw handlers or nil, and whether
--- they are lent views.
---@param given? ws.ClientOptions as the caller gave them
---@param url table what core.url gave
return function(given, url, level)
  level = level + 1
  local checked = options.check(given, schema, level)
  options.check_water(checked, level)
  local raw = telling.take_raw(checked)
  local config = {}
  for _, name in ipairs(plain_names) do config[name] = checked[name] end
  config.headers = options.flat_headers(checked.headers, level)
  options.check_origin(checked.origin, config.headers, level)
  config.deflate = compression(checked.compression, true, level)
  config.unixPath, config.redirects = checked.path, checked.followRedirects
  config.blockPorts = not checked.anyPort
  if not checked.path then config.proxy = proxy(checked.proxy, url, level) end
  if url.secure or (checked.followRedirects or 0) > 0 then
    config.tls, config.servername = tls.client(checked.tls, url, level)
  else
    tls.check_client(checked.tls, level)
  end
  return config, raw, checked.views
end
