-- SPDX-License-Identifier: MIT
-- With Chromium's own WebSocket, on a page that our server serves.

local peer = require "spec.peers.peer"
local suite = require "spec.peers.suite".using(describe, it)

local can = { compressed = true, secure = true, choose = true, refused = "^failed 1006" }
local wait = 10000 -- milliseconds

local function page()
  local file = assert(io.open "spec/peers/chromium_page.html")
  local text = file:read "a"
  file:close()
  return text
end

describe("Chromium as client:", function()
  local chromium
  setup(function()
    chromium = peer.client(function(url)
      return peer.start("chromium", "node spec/peers/chromium_client.js " .. url)
    end, {
      request = function(_, response)
        response:writeHead(200, { ["Content-Type"] = "text/html" })
        response:finish(page())
      end,
    })
  end)
  teardown(function() chromium.stop() end)

  suite.talk(function() return chromium end, can)

  for _, case in ipairs { { "arraybuffer", "ArrayBuffer" }, { "blob", "Blob" } } do
    it("gives binary messages as " .. case[2], function()
      local sock = chromium.open "plain"
      sock:send("!binaryType " .. case[1])
      assert.equal(case[1], (sock:receive(wait)))
      sock:send("\0\127\128\255", "binary")
      local got = { (sock:receive(wait)), (sock:receive(wait)) }
      table.sort(got) -- the page echoes the message and says what it was, in any order
      assert.same({ "\0\127\128\255", case[2] .. " 0 127 128 255" }, got)
      sock:close()
      chromium.report()
    end)
  end

  it("sees the properties of the connection", function()
    local sock = chromium.open("plain", { "chat.v1" })
    sock:send "!state"
    assert.equal(("ws://127.0.0.1:%d/obey 1 chat.v1 "):format(chromium.servers.plain.port),
      (sock:receive(wait)))
    sock:close()
    chromium.report()
  end)

  -- RFC 6455 section 10.2: the page's origin is the plain server's.
  it("is refused by a server of another origin", function()
    chromium.order "foreign"
    assert.equal("failed 1006", chromium.report())
  end)

  suite.serves(function() return chromium end, can)
end)
