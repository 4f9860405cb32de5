-- SPDX-License-Identifier: MIT
-- With the Python package websockets, both ways.

local peer = require "spec.peers.peer"
local suite = require "spec.peers.suite".using(describe, it)

local can = {
  compressed = true, secure = true, fragments = true, pings = true,
  terminate = true, choose = true, refused = "^failed .*401",
}

describe("Python websockets as server:", function()
  local server
  setup(function()
    local process = peer.start("python_server", "/usr/bin/python3 -B spec/peers/python_server.py")
    local port, secure_port = assert(process.read()):match "(%d+) (%d+)"
    server = peer.server(port, secure_port, process)
  end)
  teardown(function() server.stop() end)
  local function get() return server end

  suite.talk(get, can)
  suite.refuses(get)
end)

describe("Python websockets as client:", function()
  local client
  setup(function()
    client = peer.client(function(url)
      return peer.start("python_client", "/usr/bin/python3 -B spec/peers/python_client.py " .. url)
    end)
  end)
  teardown(function() client.stop() end)
  local function get() return client end

  suite.talk(get, can)
  suite.serves(get, can)
end)
