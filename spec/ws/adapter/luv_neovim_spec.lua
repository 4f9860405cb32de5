-- SPDX-License-Identifier: MIT
-- The adapter for luv inside Neovim: neovim_inside.lua runs there and reports to us.

local helper = require "spec.helper"
local peer = require "spec.peers.peer"

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local command = "env -u LD_PRELOAD -u WS_POLLER LUA_CPATH='build/luajit/?.so;;' WS_URL=%s"
  .. " timeout 10 nvim --headless -u NONE -i NONE -n"
  .. " -c 'luafile spec/ws/adapter/neovim_inside.lua' >" .. peer.folder .. "neovim.log 2>&1 &"

describe("inside Neovim", function()
  it("handlers may call its API, coroutines wait, and idling costs nothing", function()
    assert(exists "build/luajit/ws/core.so", "make luajit-core has to come before")
    assert(os.execute "command -v nvim >/dev/null", "there is no nvim")
    local told, closed, count = {}, nil, 0
    local server, url = helper.echo_server {
      message = function(_, line)
        local name, value = line:match "^(%S+) (.*)$"
        told[name] = value
      end,
      close = function(_, code)
        count = count + 1
        if count == 2 then closed = code end
      end,
    }
    os.execute(command:format(url))
    helper.wait_until(function() return closed end, 8000, "Neovim")
    server:close()
    assert.same({
      handlers = "|server hello|client hello|closed 1005",
      coroutine = "|server hello|client hello|closed 1005|in a coroutine",
      idle = "0", timer = "true", sent = "true",
    }, told)
    assert.equal(4000, closed)
  end)
end)
