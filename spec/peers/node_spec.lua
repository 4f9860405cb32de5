-- SPDX-License-Identifier: MIT
-- With the npm package ws, both ways.

local peer = require "spec.peers.peer"
local suite = require "spec.peers.suite".using(describe, it)

local can = {
  compressed = true, secure = true, fragments = true, split = true, pings = true,
  terminate = true, choose = true, refused = "^failed .*401",
}

describe("npm ws as server:", function()
  local server
  setup(function()
    local process = peer.start("node_server", "node spec/peers/node_server.js")
    local port, secure_port = assert(process.read()):match "(%d+) (%d+)"
    server = peer.server(port, secure_port, process)
  end)
  teardown(function() server.stop() end)
  local function get() return server end

  suite.talk(get, can)
  suite.refuses(get)
end)

describe("npm ws as client:", function()
  local client
  setup(function()
    client = peer.client(function(url)
      return peer.start("node_client", "node spec/peers/node_client.js " .. url)
    end)
  end)
  teardown(function() client.stop() end)
  local function get() return client end

  suite.talk(get, can)
  suite.serves(get, can)
end)
