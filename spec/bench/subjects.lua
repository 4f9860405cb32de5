-- SPDX-License-Identifier: MIT
-- What the bench compares: how each subject is started, what it can do, and whether
-- it is installed.

local processes = require "processes"

local subjects = {}

-- Our module as built for `lua` in the tree `top`.
local function ours_in(top, lua)
  local env = ("export LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/%s/?.so;;'")
    :format(top, top, top, lua)
  return {
    env = env, modes = "echo views events deflate tls broadcast client",
    server = lua .. " spec/bench/echo.lua", client = lua .. " spec/bench/client.lua",
    there = function()
      return processes.find(lua) and
        processes.succeeds(("test -f %s/build/%s/ws/core.so"):format(top, lua))
    end,
  }
end

local function is_there(command)
  return function() return processes.succeeds(command) end
end

local node_env = "export NODE_PATH=build/peers/node_modules"
local all = {
  floor = {
    env = ":", modes = "echo broadcast", server = "build/bench/floor",
    load = " -x", there = is_there "test -x build/bench/floor",
  },
  bare = {
    title = "C with Lua", env = ":", modes = "echo", -- subjects.find sets its server
  },
  node = {
    title = "node ws", env = node_env, modes = "echo deflate tls broadcast client",
    server = "node spec/bench/peer_node.js", client = "node spec/bench/client_node.js",
    there = is_there(node_env .. "; node -e 'require(\"ws\")'"),
  },
  python = {
    title = "Python websockets", env = ":", modes = "echo deflate tls broadcast client",
    server = "/usr/bin/python3 spec/bench/peer_python.py",
    client = "/usr/bin/python3 spec/bench/client_python.py",
    there = is_there "/usr/bin/python3 -c 'import websockets'",
  },
  lws = {
    title = "libwebsockets", env = ":", modes = "echo",
    server = "build/bench/peer_lws", there = is_there "test -x build/bench/peer_lws",
  },
  lua_http = { -- Debian's package works with LuaJIT
    title = "lua-http, LuaJIT", env = "unset LUA_PATH LUA_CPATH", modes = "echo",
    server = "luajit spec/bench/peer_lua_http.lua",
    there = is_there "unset LUA_PATH LUA_CPATH; luajit -e 'require(\"http.server\")'",
  },
}
subjects.peers = { "bare", "node", "python", "lws", "lua_http" }

--- The subjects that are there, by name: ours for `lua`, ours for LuaJIT, ours as
--- built in another tree (`before`, or nil), the floor, what `lua` alone costs, and
--- the peers. Also returns a list of those that are missing.
function subjects.find(lua, before, quick)
  all.ours = ours_in(".", lua)
  all.luajit = lua ~= "luajit" and not quick and ours_in(".", "luajit") or nil
  all.before = before and ours_in(before, lua) or nil
  all.bare.server = "build/bench/bare-" .. lua
  all.bare.there = is_there("test -x " .. all.bare.server)
  if all.luajit then all.luajit.title = "ours on LuaJIT" end
  local found, missing = {}, {}
  for name, subject in pairs(all) do
    if subject.there() then found[name] = subject
    else missing[#missing + 1] = subject.title or name end
  end
  table.sort(missing)
  return found, missing
end

--- Whether a list of names, which is a string of words, has this one.
function subjects.has_word(words, word)
  return (" " .. words .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

return subjects
