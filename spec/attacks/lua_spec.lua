-- SPDX-License-Identifier: MIT
-- Attacks A90 and A92: what a program may do in its handlers, and when it may drop
-- its objects. Over plain TCP, and over TLS with compression. A98 to A100 and A104:
-- lua_values_spec.lua; those that need a process of their own: lua_process_spec.lua.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local grounds = {
  plain = {},
  secure = { tls = { cert = "build/certs/server.pem", key = "build/certs/leaf.key" },
             compression = { threshold = 0 } },
}

local client_options = {
  plain = {},
  secure = { tls = { verify = false }, compression = { threshold = 0 } },
}

-- What a handler does inside each event.
local actions = {
  send = function(sock) if sock.readyState == 1 then sock:send "more" end end,
  send_long = function(sock)
    if sock.readyState == 1 then sock:send(("y"):rep(2 ^ 20), "binary") end
  end,
  close = function(sock) sock:close() end,
  terminate = function(sock) sock:terminate() end,
  unset = function(sock)
    sock.onopen, sock.onmessage, sock.onclose, sock.onerror = nil, nil, nil, nil
  end,
  collect = function() collectgarbage() collectgarbage "step" end,
  close_server = function(_, server) server:close() end,
  connect = function(_, server, url, options)
    if server.again then return end
    server.again = ws.new(url, options)
  end,
  stop = function() ws.stop() end,
  ping = function(sock) if sock.readyState == 1 then sock:ping "p" end end,
  pause = function(sock) sock:pause() sock:resume() end,
  timer = function() ws.clearTimeout(ws.setTimeout(function() end, 0)) end,
  spawn = function() ws.spawn(function() ws.sleep(0) end) end,
  -- These must fail without harming anything.
  raise = function() error "on purpose" end,
  raise_nil = function() error(nil) end,
  raise_table = function() error({}) end,
  raise_worse = function() error(setmetatable({}, { __tostring = error })) end,
  run = function() ws.run() end,
  poll = function() ws.poll(0) end,
  yield = function() coroutine.yield() end,
}

local events = { "open", "message", "ping", "pong", "drain", "close", "error" }

for kind, server_options in pairs(grounds) do
  describe("inside an event, " .. kind .. ":", function()
    setup(require "spec.attacks.deflating".fill_pools)
    local ground = proving.ground(before_each, after_each)

    -- A conversation in which both sides get all kinds of events, each of which calls
    -- act(event, sock).
    local function converse(act)
      local url = ground.url
      local sock = ws.new(url, client_options[kind])
      ground.socks[#ground.socks + 1] = sock
      for _, event in ipairs(events) do
        sock["on" .. event] = function() act(event, sock) end
      end
      for i = 1, 12 do
        if sock.readyState == 1 then
          sock:send(("x"):rep(i == 8 and 3000 or 50)) -- above maxPayload
          sock:ping "p"
          if i == 6 then sock:send(("z"):rep(900)) end
        end
        ws.poll(2)
      end
      sock:terminate()
    end

    for _, event in ipairs(events) do
      it("A90 " .. event .. " may do anything (luv#99 usockets-uaf)", function()
        ws.onerror = function() end
        local acted = 0
        for _, action in pairs(actions) do
          local options = { maxPayload = 2000, highWaterMark = 10, lowWaterMark = 5 }
          local server
          local function act(name, sock)
            if name == event and server then
              acted = acted + 1
              action(sock, server, ground.url, client_options[kind])
            end
          end
          for _, name in ipairs { "ping", "pong", "drain", "close", "error" } do
            options[name] = function(sock) act(name, sock) end
          end
          options.open = function(sock) act("open", sock) end
          options.message = function(sock, data)
            sock:send(data)
            act("message", sock)
          end
          for name, value in pairs(server_options) do options[name] = value end
          local state = {}
          local inner = ground:serve(options)
          server = setmetatable(state, { __index = function(_, name)
            if name == "close" then return function() inner:close() end end
          end })
          converse(act)
          if state.again then state.again:terminate() end
          server = nil
          inner:close()
          helper.wait_until(function() return inner.connections == 0 end)
        end
        assert.is_true(acted >= 20, acted) -- once for each action at least
        ground:serve()
      end)
    end

    it("A92 sockets are dropped and collected in every state, their late events harm nobody "
      .. "(craftos#376 libwebsockets#1362)", function()
      ground:serve(server_options)
      for turns = 0, 12 do
        for how = 1, 4 do
          local sock = ws.new(ground.url, client_options[kind])
          local cycle = { sock }
          sock.data = cycle -- which refers back to it
          sock.onopen = function() sock:send(("q"):rep(200000)) end
          sock.onmessage = function() return cycle end
          for _ = 1, turns do ws.poll(1) end
          if how == 1 then sock:close()
          elseif how == 2 then sock:terminate()
          elseif how == 3 then
            sock:close()
            sock.onclose = function() collectgarbage() end
          end
          if how == 4 then sock:terminate() end
          sock, cycle = nil, nil -- luacheck: ignore 311
          collectgarbage() collectgarbage()
          ws.poll(0)
        end
      end
      helper.wait_until(function() return ground.server.connections == 0 end)
    end)
  end)
end
