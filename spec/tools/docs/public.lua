-- SPDX-License-Identifier: MIT
-- Finds what is public in the running module, not in a list kept by hand.
-- public.classes(): class -> set of names; public.options(): class -> name ->
-- what the validator expects.

local core = require "ws.core"
local options = require "ws.options"
local Response = require "ws.response"
local ws = require "ws"

local public = {}

local function names_of(...)
  local names = {}
  for _, tbl in ipairs { ... } do
    for name in pairs(tbl) do
      if type(name) == "string" and not name:find "^__" then names[name] = true end
    end
  end
  return names
end

-- The tables that an object's __index function uses: those among its upvalues.
local function behind(object)
  local index, found, i = getmetatable(object).__index, {}, 1
  while true do
    local name, value = debug.getupvalue(index, i)
    if not name then return found end
    if type(value) == "table" then found[name] = value end
    i = i + 1
  end
end

local function wait_until(condition)
  local deadline = ws.now() + 5000
  while not condition() do
    assert(ws.now() < deadline, "waited in vain")
    ws.poll(20)
  end
end

-- Names of a request with and without an upgrade, of a view, and their server.
local function of_a_server()
  local found = {}
  found.server = assert(ws.serve {
    port = 0, views = true,
    open = function(_, request) found.request = names_of(request) end,
    message = function(_, view) found.view = names_of(debug.getmetatable(view).__index) end,
    request = function(request, response)
      found.plain = names_of(request)
      response:finish ""
    end,
  })
  local sock = ws.new("ws://127.0.0.1:" .. found.server.port .. "/?a")
  sock.onopen = function() sock:send "x" end
  local tcp = require "socket".tcp()
  assert(tcp:connect("127.0.0.1", found.server.port))
  tcp:send "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na"
  wait_until(function() return found.view and found.plain end)
  sock:terminate()
  tcp:close()
  found.server:close()
  wait_until(function() return found.server.connections == 0 end)
  return found
end

--- Class -> set of its names.
function public.classes()
  local found = of_a_server()
  local server, protocol = behind(found.server), behind(ws.protocol.server())
  local classes = {
    ws = names_of(ws, { onerror = true }),
    ["ws.protocol"] = names_of(ws.protocol),
    ["ws.WebSocket"] = names_of(core.connection.methods, core.connection.getters),
    ["ws.Server"] = names_of(server.methods, server.properties),
    ["ws.Protocol"] = names_of(protocol.methods, ws.protocol.client { url = "ws://h/" },
      { state = true, readyState = true, request = true, data = true }),
    ["ws.Response"] = names_of(Response),
    ["ws.Request"] = names_of(found.request, found.plain),
    ["ws.View"] = found.view,
  }
  for _, name in ipairs { "Event", "MessageEvent", "CloseEvent", "ErrorEvent" } do
    classes["ws." .. name] = names_of(getmetatable(ws[name] "x").__index)
  end
  return classes
end

-- ------------------------------------------------------------------- options

-- The schemas with which options.check is called during fn(), in that order.
local function recorded(fn)
  local check, schemas = options.check, {}
  options.check = function(given, schema, level)
    schemas[#schemas + 1] = schema
    return check(given, schema, level + 1)
  end
  local ok, why = pcall(fn)
  options.check = check
  return schemas, ok, why
end

--- Class -> name of an option -> what the validator expects.
function public.options()
  local client = recorded(function()
    ws.new("wss://127.0.0.1:1/", { compression = {}, tls = {} }):terminate()
  end)
  local server = recorded(function()
    ws.serve { compression = {}, tls = { cert = "spec/none.pem" }, message = function() end }
  end)
  local p_client = recorded(function() ws.protocol.client { url = "ws://h/" } end)
  local terms = recorded(function()
    local p = ws.protocol.server { upgrade = function() return {} end }
    p:feed(ws.protocol.client { url = "ws://h/" }:output())
    for _ in p:events() do end -- luacheck: ignore 542
  end)
  return {
    ["ws.ClientOptions"] = client[1], ["ws.Compression"] = client[2],
    ["ws.ClientTLS"] = client[3], ["ws.ServerOptions"] = server[1],
    ["ws.ServerTLS"] = server[3], ["ws.ClientProtocolOptions"] = p_client[1],
    ["ws.ServerProtocolOptions"] = terms[1], ["ws.Terms"] = terms[#terms],
  }
end

return public
