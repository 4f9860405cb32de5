-- SPDX-License-Identifier: MIT
-- Decides whether a server accepts a handshake, and on which terms: Origin, the
-- user's `upgrade` function, the subprotocol (RFC 6455 section 4.2.2).

local options = require "ws.options"

local judge = {}

local default_ports = { http = "80", https = "443" }

-- As browsers send it (RFC 6454 section 6.2): without a path or a default port.
local function is_origin(text)
  text = text:lower()
  if text == "null" then return true end
  local scheme, rest = text:match "^(%a[%w+.-]*)://([^/?#@\\%s%c]+)$"
  local port = rest and rest:match ":(%d+)$"
  return scheme ~= nil and (port == nil or port ~= default_ports[scheme])
end

judge.schema = {
  origins = function(value)
    if value == "*" or options.is_callable(value) then return true end
    if not options.is_list(value) then return false, '"*", a list of strings or a function' end
    for _, origin in ipairs(value) do
      if not is_origin(origin) then
        return false, 'origins such as "https://example.com"', ("'%s'"):format(origin)
      end
    end
    return true
  end,
  protocols = "table|callable",
  upgrade = "callable",
}

local answer_schema = { headers = "table", protocol = "string", data = "any" }

local not_allowed = "This Origin may not connect: see the server's option `origins`.\n"

local function listed(list, wanted)
  for _, value in ipairs(list) do
    if value:lower() == wanted then return true end
  end
  return false
end

-- Programs other than browsers send no Origin (RFC 6455 section 10.2).
local function origin_allowed(origins, request)
  if request.origin == nil then return true end
  if request.origin:find(", ", 1, true) then return false end -- several
  if origins == "*" then return true end
  if origins == nil then return request.sameOrigin end
  if options.is_callable(origins) then return origins(request.origin, request) end
  return listed(origins, request.origin:lower())
end

local function choose_protocol(protocols, request)
  if protocols == nil or #request.protocols == 0 then return nil end
  if options.is_callable(protocols) then
    return protocols(request.protocols, request) or nil
  end
  for _, ours in ipairs(protocols) do
    for _, offered in ipairs(request.protocols) do
      if ours == offered then return ours end
    end
  end
end

-- Checks the parts of a refusal; the status is 403 by default.
local function refusal(status, body, headers)
  status = status or 403
  if type(status) ~= "number" or status % 1 ~= 0 or status < 300 or status > 599 then
    options.raise("TypeError", "a status from 300 to 599 expected, got "
      .. options.shown(status), 2)
  end
  if body ~= nil and type(body) ~= "string" then
    options.raise("TypeError", "the body must be a string, got " .. type(body), 2)
  end
  return { status = status, body = body, headers = options.flat_headers(headers, 2) }
end

-- The terms to accept on, or nil and a refusal.
local function read_answer(answer, status, body, headers)
  if answer == false then return nil, refusal(status, body, headers) end
  if answer == nil or answer == true then return {} end
  local terms = options.check(answer, answer_schema, 2)
  terms.headers = options.flat_headers(terms.headers, 2)
  return terms
end

-- Raises an error in what this option's function returned. The function has ended, so
-- the error can only name the line on which it is defined.
local function blame(policy, option, raised)
  local fn = policy[option]
  local place = type(fn) == "function" and debug.getinfo(fn, "S")
  place = place and place.what ~= "C" and ("%s:%d: "):format(place.short_src, place.linedefined)
  local text = raised:match "TypeError: (.*)" or raised
  error(("%sTypeError: %s returned an invalid value: %s"):format(place or "", option, text), 0)
end

-- RFC 6455 section 4.2.2: the subprotocol has to be one that the client offered, or
-- none.
local function check_offered(protocol, request, policy, option)
  if protocol == nil or protocol == "" then return end
  for _, offered in ipairs(request.protocols) do
    if offered == protocol then return end
  end
  blame(policy, option, ("the client did not offer the subprotocol %s"):format(
    options.shown(protocol)))
end

-- What `upgrade` returned -> the terms to accept on, or nil and a refusal.
local function terms_of(policy, request)
  if not policy.upgrade then return {} end
  local answer, status, body, headers = policy.upgrade(request)
  local ok, terms, refused = pcall(read_answer, answer, status, body, headers)
  if not ok then blame(policy, "upgrade", terms) end
  return terms, refused
end

--- Accepts or refuses `request` on `side`, a connection or a session of
--- ws.core, by the functions `accept` and `refuse` of its `kind`. `prepare(data)`
--- is called before it opens, with the `data` that `upgrade` returned. Returns true,
--- or nil and the status of the refusal (only nil when the client has gone). Raises
--- what the user's functions raise, and the request is then still unanswered.
function judge.answer(policy, request, side, kind, prepare)
  if not origin_allowed(policy.origins, request) then
    kind.refuse(side, 403, not_allowed)
    return nil, 403
  end
  local terms, refused = terms_of(policy, request)
  if not terms then
    kind.refuse(side, refused.status, refused.body, refused.headers)
    return nil, refused.status
  end
  local protocol = terms.protocol or choose_protocol(policy.protocols, request)
  check_offered(protocol, request, policy, terms.protocol and "upgrade" or "protocols")
  if prepare and terms.data ~= nil then prepare(terms.data) end
  local accepted, why, code = kind.accept(side, protocol, terms.headers or {})
  if accepted then return true end
  if code == "EINVAL" then error(why, 0) end
end

return judge
