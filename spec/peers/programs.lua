-- SPDX-License-Identifier: MIT
-- Peers that are programs of ours with the libraries of others: each is tested as server
-- and as client, with all of suite.lua.

local peer = require "spec.peers.peer"
local suite = require "spec.peers.suite"

local programs = {}
local describe, setup, teardown

--- busted defines its functions only in the spec's own file, which passes them on here.
function programs.using(describe_, it, setup_, teardown_)
  describe, setup, teardown = describe_, setup_, teardown_
  suite.using(describe_, it)
  return programs
end

-- Starts a peer before the tests that `tests(get)` defines, and stops it after them.
local function with_peer(title, start, tests)
  describe(title, function()
    local it_runs
    setup(function() it_runs = start() end)
    teardown(function() it_runs.stop() end)
    tests(function() return it_runs end)
  end)
end

-- command(role) is the command for the peer: a server prints its two ports; a client
-- gets the URL of its orders as a further argument.
local function both_roles(title, id, command, can)
  with_peer(title .. " as server:", function()
    local process = peer.start(id .. "_server", command "server")
    local port, secure_port = assert(process.read()):match "(%d+) (%d+)"
    return peer.server(port, secure_port, process)
  end, function(get)
    suite.talk(get, can)
    suite.refuses(get)
  end)
  with_peer(title .. " as client:", function()
    return peer.client(function(url)
      return peer.start(id .. "_client", command "client" .. " " .. url)
    end)
  end, function(get)
    suite.talk(get, can)
    suite.serves(get, can)
  end)
end

--- A peer that is a pair of programs, ID_server and ID_client.
---@param title string
---@param id string also names the logs
---@param interpreter string
---@param extension string "js" or "py"
function programs.both_ways(title, id, interpreter, extension, can)
  both_roles(title, id, function(role)
    return ("%s spec/peers/%s_%s.%s"):format(interpreter, id, role, extension)
  end, can)
end

--- A peer that is one program, with its role as an argument.
---@param title string
---@param id string names the logs
---@param program string
function programs.one_program(title, id, program, can)
  both_roles(title, id, function(role) return program .. " " .. role end, can)
end

return programs
