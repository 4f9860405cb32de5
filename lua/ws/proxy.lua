-- SPDX-License-Identifier: MIT
-- Which proxy a client uses: that of the `proxy` option, or of the environment
-- variables ws_proxy, wss_proxy, http_proxy, https_proxy, all_proxy and no_proxy
-- (lower case only). Names are always resolved by the proxy.

local addresses = require "ws.addresses"
local core = require "ws.core"
local options = require "ws.options"

local kinds = {
  http = "http", socks5 = "socks5", socks5h = "socks5", socks = "socks5", socks4a = "socks4",
  socks4 = "socks4",
}

-- Without the brackets of an IPv6 address.
local function unbracketed(host)
  return (host:gsub("^%[(.*)%]$", "%1"))
end

local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The parts of a proxy's URL; nil, why when it is not one we support.
local function parse(text)
  local scheme, rest = text:match "^([%w+.-]+)://(.*)$"
  if not scheme then scheme, rest = "http", text end
  local kind = kinds[scheme:lower()]
  if not kind then return nil, ("proxies of the kind '%s' are not supported"):format(scheme) end
  local url, why = core.url("ws://" .. rest)
  if not url then return nil, why end
  local port = url.port
  if port == 80 and core.url("wss://" .. rest).port == 443 then -- none was given
    port = kind == "http" and 80 or 1080
  end
  local user = url.username ~= "" or url.password ~= ""
  return {
    kind = kind, host = unbracketed(url.host), port = port,
    user = user and decode(url.username) or nil,
    password = user and decode(url.password) or nil,
  }
end

-- One item of no_proxy: "*", a name with or without a leading dot, an address,
-- a range of addresses; each with or without a port.
local function excepts(item, host, port)
  if item == "*" then return true end
  local bare, its_port = item:match "^%[?([^%]]-)%]?:(%d+)$"
  if bare and (not bare:find(":", 1, true) or item:find("]", 1, true)) then
    if tonumber(its_port) ~= port then return false end
    item = bare
  end
  item = unbracketed(item):gsub("^%*?%.", "")
  if addresses.bits(host) then return addresses.within(host, item) end
  return host == item or host:sub(-#item - 1) == "." .. item
end

local function is_excepted(list, host, port)
  for item in (list or ""):lower():gmatch "[^,%s]+" do
    if excepts(item, host, port) then return true end
  end
  return false
end

-- True for this machine, for which no proxy of the environment is used.
local function is_here(host)
  return host == "localhost" or host:match "%.localhost$" ~= nil
    or addresses.within(host, "127.0.0.0/8") or host == "::1"
end

local function from_environment(url, host)
  if is_here(host) or is_excepted(os.getenv "no_proxy", host, url.port) then return nil end
  local names = url.secure and { "wss_proxy", "https_proxy", "all_proxy" }
    or { "ws_proxy", "http_proxy", "all_proxy" }
  for _, name in ipairs(names) do
    local value = os.getenv(name)
    if value and value ~= "" then return value, name end
  end
end

--- The value of ws.core's `proxy`, or nil for none.
---@param given nil|boolean|string the option: a URL, or false for none
---@param url table the target, as core.url returned it
return function(given, url, level)
  level = level + 1
  if given == false then return nil end
  if given == true then options.raise("TypeError", "option 'proxy': a URL expected", level) end
  local text, source = given, "option 'proxy'"
  if text == nil then
    local host = unbracketed(url.host)
    text, source = from_environment(url, host)
    if not text then return nil end
  end
  local parsed, why = parse(text)
  if not parsed then
    options.raise(given and "SyntaxError" or "TypeError", ("%s: %s"):format(source, why), level)
  end
  return parsed
end
