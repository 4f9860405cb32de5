-- SPDX-License-Identifier: MIT
-- What the lossy specs share: our servers in the far namespace and clients in the near
-- one, all in this process, and the proof after each test that nothing is left behind
-- (spec/attacks/proving.lua).

local helper = require "spec.helper"
local link = require "spec.net.link"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local scene = {}

-- By how much a deadline may be missed on a busy machine.
local SLACK = 2000 * helper.patience

--- How many milliseconds to wait for what takes long with 20 % of loss.
scene.PATIENCE = 40000

scene.kinds = { "plain", "compressed", "secure", "secure compressed" }

--- Fails unless it ended between `least` and `most` milliseconds after it began; on a
--- busy machine it may end somewhat later.
function scene.took(began, ended, least, most)
  local time = ended - began
  if time >= least and time <= most + SLACK then return end
  error(("it took %.0f ms, not %d to %d"):format(time, least, most), 2)
end

--- A client's options for that kind; `more` adds or replaces.
function scene.client_options(kind, more)
  local options = { compression = kind:find "compressed" ~= nil, proxy = false }
  if kind:find "secure" then
    options.tls = { ca = "build/certs/root.pem", servername = "ws.test" }
  end
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

--- An echo server's options for that kind; `more` adds or replaces.
function scene.server_options(kind, more)
  local options = {
    host = link.FAR, port = 0, compression = kind:find "compressed" ~= nil,
    tls = kind:find "secure" and proving.certificate or nil,
    message = function(sock, data, opcode) sock:send(data, opcode) end,
  }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

-- Fills the loop's pools of deflaters and inflaters.
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

--- A ground with good weather before and after each test; its arguments are busted's
--- hooks.
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

  --- The arguments for proving.echo, with a new server of that kind.
  function ground.fresh_echo(kind)
    local _, url = ground.far_server(kind)
    return url, scene.client_options(kind)
  end

  --- A recorded near client: sock, log.
  function ground.near_client(kind, url, more)
    return ground:client(url, scene.client_options(kind, more))
  end

  --- An open pair of a near and a far socket: pair.near, pair.far. The story of each is a
  --- string, such as pair.story.near = "open error:ETIMEDOUT close:1006". pair.why.near
  --- is why it failed, and pair.ended.near when it ended, by ws.now().
  function ground.pair(kind, its)
    local pair = ground.opening(kind, its)
    helper.wait_until(function() return pair.far and pair.near.readyState == 1 end,
      scene.PATIENCE, "a connection")
    return pair
  end

  --- The same before it is open; `its` holds more options: its.client, its.server.
  function ground.opening(kind, its)
    local pair = { story = { near = "", far = "" }, why = {}, ended = {} }
    local function tell(side, word)
      pair.story[side] = (pair.story[side] .. " " .. word):gsub("^ ", "")
    end
    local function failed(side, why, code)
      pair.why[side] = why
      tell(side, "error:" .. code)
    end
    local function ended(side, code, clean)
      pair.ended[side] = ws.now()
      tell(side, ("close:%d%s"):format(code, clean and ":clean" or ""))
    end
    local served = {
      open = function(sock) pair.far = sock tell("far", "open") end,
      error = function(_, why, code) failed("far", why, code) end,
      close = function(_, code, _, clean) ended("far", code, clean) end,
    }
    for name, value in pairs(its and its.server or {}) do served[name] = value end
    pair.server, pair.url = ground.far_server(kind, served)
    pair.near = ground.near_client(kind, pair.url, its and its.client)
    function pair.near.onopen() tell("near", "open") end
    function pair.near.onerror(event) failed("near", event.message, event.code) end
    function pair.near.onclose(event) ended("near", event.code, event.wasClean) end

    --- Waits until both sides have ended. A server's connection that never opened has no
    --- events and is not counted, but has a descriptor; so this also waits until only the
    --- listeners have one.
    function pair.wait()
      helper.wait_until(function()
        return pair.ended.near and pair.server.connections == 0
          and proving.descriptors() <= ground.open_descriptors + #ground.servers
      end, scene.PATIENCE, "both ends")
    end
    return pair
  end

  return ground
end

return scene
