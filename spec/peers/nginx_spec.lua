-- SPDX-License-Identifier: MIT
-- With nginx and lua-resty-websocket, in both roles. That library has no compression,
-- cannot choose a subprotocol, and its client does not check the answer.

local helper = require "spec.helper"
local peer = require "spec.peers.peer"
local ports = require "spec.peers.ports"
local socket = require "socket"
local suite = require "spec.peers.suite".using(describe, it)

local can = { secure = true, fragments = true, split = true, pings = true }

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local function here()
  local pipe = io.popen "pwd"
  local folder = pipe:read "l"
  pipe:close()
  return folder
end

local function listens(port)
  local probe = socket.connect("127.0.0.1", port)
  if probe then probe:close() end
  return probe ~= nil
end

--- Starts nginx: process, port, port for TLS. With a url it is also a client.
local function start(name, url)
  local folder = peer.folder .. name
  local values = {
    PORT = ports.reserve(), SECURE_PORT = ports.reserve(), URL = url or "", HERE = here(),
  }
  os.execute("mkdir -p " .. folder)
  local file = assert(io.open(folder .. "/nginx.conf", "w"))
  file:write((read_file("spec/peers/nginx.conf"):gsub("@([%u_]+)@", values)))
  file:close()
  local process = peer.start(name, ("nginx -p %s -c nginx.conf"):format(folder))
  return process, values.PORT, values.SECURE_PORT
end

describe("lua-resty-websocket as server:", function()
  local server
  setup(function()
    local process, port, secure_port = start "nginx_server"
    helper.wait_until(function() return listens(port) end, 10000, "nginx")
    server = peer.server(port, secure_port, process)
  end)
  teardown(function() server.stop() end)
  local function get() return server end

  suite.talk(get, can)
  suite.refuses(get)
end)

describe("lua-resty-websocket as client:", function()
  local client
  setup(function()
    client = peer.client(function(url) return (start("nginx_client", url)) end)
  end)
  teardown(function() client.stop() end)
  local function get() return client end

  suite.talk(get, can)
  suite.serves(get, can)
end)
