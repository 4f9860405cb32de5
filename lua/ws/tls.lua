-- SPDX-License-Identifier: MIT
-- The `tls` option of clients and servers -> the contexts of ws.core.

local core = require "ws.core"
local options = require "ws.options"

local raise = options.raise
local tls = {}

-- ".a.test" has one, for example, and some implementations match it with "*.a.test".
local function has_empty_label(host) return ("." .. host):find("..", 1, true) ~= nil end

-- An empty string is refused: it would count as none, which may mean the system's roots.
local function is_source(value)
  return (options.is_path(value)), "a path or PEM text"
end

-- A host as in a URL, IPv6 without its brackets.
local function is_host(value)
  if type(value) ~= "string" then return false, "a host's name" end
  if value:find(":", 1, true) then value = "[" .. value .. "]" end
  local url = core.url("wss://" .. value .. "/")
  local same = url and (url.hostKind == "ipv6" or url.host == value:lower())
  return same and not has_empty_label(url.host), "a host's name"
end

local common = {
  ca = is_source, cert = is_source, key = is_source, password = "string", ciphers = "string",
  minVersion = function(value)
    return value == "TLSv1.2" or value == "TLSv1.3", '"TLSv1.2" or "TLSv1.3"'
  end,
}

local function with_common(schema)
  for name, expected in pairs(common) do schema[name] = expected end
  return schema
end

local client_schema = with_common {
  verify = "boolean", servername = is_host,
  pin = function(value)
    if type(value) == "string" then return true end
    return options.is_list(value) and #value > 0, "a string or a list of strings"
  end,
}

local name_schema = with_common {
  requestCert = function(value)
    return type(value) == "boolean" or value == "optional", 'a boolean or "optional"'
  end,
}

local server_schema = { sni = "table" }
for name, expected in pairs(name_schema) do server_schema[name] = expected end

local function pins_of(pin)
  return type(pin) == "string" and { pin } or pin
end

-- Reading the system's certificates takes milliseconds, so contexts that read no
-- file of the user's are made once and shared.
local shared = {}

local function shared_key(checked)
  if checked.ca or checked.cert or checked.key or checked.pin then return nil end
  return ("%s %s %s"):format(tostring(checked.verify), tostring(checked.ciphers),
    tostring(checked.minVersion))
end

--- Checks a client's options, also where TLS is not used.
function tls.check_client(given, level)
  level = level + 1
  local checked = options.check(given, client_schema, level, "tls")
  return checked, pins_of(checked.pin)
end

--- Returns a client's context, and the name to ask for instead of the URL's, or nil.
--- Raises if a certificate, key or cipher is unusable, or if no certificate can be
--- for the host.
---@param given? ws.ClientTLS
function tls.client(given, url, level)
  level = level + 1
  if url.secure and has_empty_label(url.host) then
    raise("SyntaxError", ("no certificate can be for the host of '%s'"):format(url.href), level)
  end
  local checked, pins = tls.check_client(given, level)
  local key = shared_key(checked)
  if key and shared[key] then return shared[key], checked.servername end
  local context, why = core.tls {
    server = false, verify = checked.verify ~= false, ca = checked.ca, cert = checked.cert,
    key = checked.key, password = checked.password, ciphers = checked.ciphers,
    minVersion = checked.minVersion, pins = pins,
  }
  if not context then raise("TypeError", "option 'tls': " .. why, level) end
  if key then shared[key] = context end
  return context, checked.servername
end

local function check_certificate(checked, what, level)
  if not checked.cert then raise("TypeError", what .. ": cert is missing", level + 1) end
  if checked.requestCert and not checked.ca then
    raise("TypeError", what .. ": requestCert needs ca, or any certificate would do", level + 1)
  end
end

local function server_context(checked)
  local asked = checked.requestCert or false
  return core.tls {
    server = true, cert = checked.cert, key = checked.key, password = checked.password,
    ca = checked.ca, ciphers = checked.ciphers, minVersion = checked.minVersion,
    requestCert = asked ~= false, requireCert = asked == true,
  }
end

-- The options for every name of `sni`: its own certificate, and otherwise the options
-- around `sni` where it has none of its own.
local function options_of_names(checked, level)
  local names = {}
  for name, own in pairs(checked.sni or {}) do
    if type(name) ~= "string" then
      raise("TypeError", "sni: a host's name expected, got " .. options.shown(name), level + 1)
    end
    local what = ("sni '%s'"):format(name)
    local merged = options.check(own, name_schema, level + 1, what)
    for option in pairs(common) do
      if option ~= "cert" and option ~= "key" and merged[option] == nil then
        merged[option] = checked[option]
      end
    end
    if merged.requestCert == nil then merged.requestCert = checked.requestCert end
    check_certificate(merged, what, level + 1)
    names[name] = merged
  end
  return names
end

local function add_names(context, names)
  for name, merged in pairs(names) do
    local named, message, code = server_context(merged)
    if not named then return nil, ("sni '%s': %s"):format(name, message), code end
    local added, why, reason = context:addName(name, named)
    if not added then return nil, ("sni '%s': %s"):format(name, why), reason end
  end
  return context
end

--- A server's context; nil, message, code when a file cannot be used. The caller's
--- mistakes raise before any file is read.
---@param given ws.ServerTLS
function tls.server(given, level)
  level = level + 1
  local checked = options.check(given, server_schema, level, "tls")
  check_certificate(checked, "option 'tls'", level)
  local names = options_of_names(checked, level)
  local context, message, code = server_context(checked)
  if not context then return nil, message, code end
  return add_names(context, names)
end

return tls
