-- SPDX-License-Identifier: MIT
-- What the lossy specs share: servers of ours in the far namespace, clients in
-- the near one, both in this process, and proof after each test that nothing is
-- left behind (spec/attacks/proving.lua).

local helper = require "spec.helper"
local link = require "spec.net.link"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local scene = {}

--- How long to wait for what takes long at 20 % of loss, in milliseconds.
scene.PATIENCE = 40000

--- By how much a deadline may be missed on a machine that is busy.
scene.SLACK = 2000 * helper.patience

scene.kinds = { "plain", "compressed", "secure", "secure compressed" }

--- Options of a client of that kind; `more` adds or replaces.
function scene.client_options(kind, more)
  local options = { compression = kind:find "compressed" ~= nil, proxy = false }
  if kind:find "secure" then
    options.tls = { ca = "build/certs/root.pem", servername = "ws.test" }
  end
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

--- Options of a server of that kind, which echoes.
function scene.server_options(kind, more)
  local options = {
    host = link.FAR, port = 0, compression = kind:find "compressed" ~= nil,
    tls = kind:find "secure" and proving.certificate or nil,
    message = function(sock, data, opcode) sock:send(data, opcode) end,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

-- Fills the pools of deflaters and inflaters, which a loop keeps.
local function warm()
  local server, url = helper.echo_server { compression = true }
  local socks, echoes = {}, 0
  for i = 1, 16 do
    socks[i] = ws.new(url, { compression = true })
    socks[i].onopen = function() socks[i]:send(("warm"):rep(1000)) end
    socks[i].onmessage = function() echoes = echoes + 1 end
  end
  helper.wait_until(function() return echoes == #socks end, 5000, "the warming up")
  for _, sock in ipairs(socks) do sock:close() end
  server:close()
  helper.settle()
end

--- A ground with good weather before each test and after it, given busted's
--- three hooks.
function scene.ground(setup, before_each, after_each)
  setup(warm)
  before_each(link.reset)
  local ground = proving.ground(before_each, function(finish)
    after_each(function()
      link.reset()
      finish()
    end)
  end)

  --- A far server: server, url.
  function ground.far_server(kind, more)
    local server = assert(link.far(ws.serve, scene.server_options(kind, more)))
    table.insert(ground.servers, server)
    local scheme = kind:find "secure" and "wss" or "ws"
    return server, ("%s://%s:%d/"):format(scheme, link.FAR, server.port)
  end

  --- A recorded near client: sock, log.
  function ground.near_client(kind, url, more)
    return ground:client(url, scene.client_options(kind, more))
  end

  return ground
end

return scene
