-- SPDX-License-Identifier: MIT
-- Attacks 1 to 20 of RELIABILITY.md: on a server's handshake, by raw clients.

local helper = require "spec.helper"
local proving = require "spec.attacks.proving"
local ws = require "ws"

local handshake = helper.handshake

describe("handshake of a server:", function()
  local ground = proving.ground(before_each, after_each)

  local function status_of(bytes)
    local raw = ground:raw(bytes)
    local status, headers = raw:head()
    return status, headers, raw
  end

  it("A1 byte by byte: the deadline is for the whole handshake", function()
    local opened = 0
    ground:serve { handshakeTimeout = 300, open = function() opened = opened + 1 end }
    local raw, request = ground:raw(), handshake()
    local began, sent = ws.now(), 0
    raw:wait(function(self)
      if ws.now() - began >= sent * 20 and sent < #request - 1 then
        sent = sent + 1
        self:send(request:sub(sent, sent))
      end
      return self.ended
    end, "the deadline")
    local took = ws.now() - began
    assert.is_true(took >= 290 and took < 300 + 1500 * helper.patience, took)
    assert.is_true(sent > 2)
    assert.equal(0, opened)
    assert.equal("", raw.bytes)
  end)

  it("A3 the 101st header, and 4,000 headers of two bytes: 431 (CVE-2024-37890)", function()
    ground:serve()
    local hundred = {}
    for i = 1, 95 do hundred[i] = "a:b" end
    assert.equal(101, (status_of(handshake(nil, table.concat(hundred, "\r\n")))))
    hundred[96] = "a:b"
    assert.equal(431, (status_of(handshake(nil, table.concat(hundred, "\r\n")))))
    assert.equal(431, (status_of(handshake(nil, ("a:\r\n"):rep(4000) .. "a:"))))
  end)
end)
