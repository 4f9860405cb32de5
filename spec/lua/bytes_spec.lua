-- SPDX-License-Identifier: MIT
-- The functions of `bytes` and `protocol` as Lua sees them (csrc/lua/lua_bytes.c):
-- arguments and results. What they compute is tested in C.

local core = require "ws.core"
local turning = require "spec.lua.turning"

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

describe("ws.core's functions over bytes", function()
  local baseline
  before_each(function() baseline = turning.live() end)
  after_each(function()
    core.failAllocation(0)
    turning.no_more(baseline)
  end)

  it("survive every odd argument", function()
    for _, name in ipairs { "url", "validUtf8", "isToken", "headerValueOk", "ownsHeader",
                            "reasonPhrase", "sha1", "base64", "mask" } do
      assert.is_true(turning.survives(function(_, ...) return core[name](...) end, nil, 3), name)
    end
  end)

  it("raise a TypeError at the caller's line for what is no string", function()
    for _, name in ipairs { "url", "validUtf8", "isToken", "headerValueOk", "ownsHeader",
                            "sha1", "base64", "mask" } do
      local ok, message = pcall(function() local r = core[name]({}) return r end)
      assert.is_false(ok)
      assert.matches("bytes_spec.lua:%d+: TypeError: a string expected, got table", message)
      assert.is_false(pcall(core[name]))
    end
  end)

  it("take numbers as their text", function()
    assert.equal(core.sha1("12"), core.sha1(12))
    assert.is_true(core.validUtf8(3.5))
  end)

  it("hash, encode and mask", function()
    assert.equal("da39a3ee5e6b4b0d3255bfef95601890afd80709", hex(core.sha1("")))
    assert.equal("", core.base64(""))
    assert.equal("AGEA/w==", core.base64("\0a\0\255"))
    assert.equal("", core.mask("", "abcd"))
    local data = ("\0\1\2"):rep(1000)
    local masked = core.mask(data, "a\0b\255")
    assert.not_equal(data, masked)
    assert.equal(data, core.mask(masked, "a\0b\255"))
    for _, key in ipairs { "", "abc", "abcde" } do
      assert.has_error(function() core.mask("x", key) end)
    end
  end)

  it("judge text, tokens and headers, NUL among them", function()
    assert.is_true(core.validUtf8("a\0b"))
    assert.is_false(core.validUtf8("\237\160\128"))
    assert.is_true(core.validUtf8(""))
    assert.is_true(core.isToken("chat.v1"))
    assert.is_false(core.isToken(""))
    assert.is_false(core.isToken("a\0"))
    assert.is_true(core.headerValueOk("a b"))
    assert.is_false(core.headerValueOk("a\0b"))
    assert.is_false(core.headerValueOk("a\nb"))
    assert.is_true(core.ownsHeader("SEC-WebSocket-Key"))
    assert.is_false(core.ownsHeader("Cookie"))
    assert.is_false(core.ownsHeader("Host\0"))
  end)

  it("know reason phrases, and a word for unknown numbers", function()
    assert.equal("Switching Protocols", core.reasonPhrase(101))
    assert.is_string(core.reasonPhrase(-1))
    assert.is_string(core.reasonPhrase(99999))
  end)
end)

describe("core.url", function()
  it("gives every part", function()
    local url = core.url("WSS://me:pw@EXAMPLE.org:8443/a/../b?q=1")
    assert.equal("wss://me:pw@example.org:8443/b?q=1", url.href)
    assert.is_true(url.secure)
    assert.equal("example.org", url.host)
    assert.equal("name", url.hostKind)
    assert.equal(8443, url.port)
    assert.equal("example.org:8443", url.authority)
    assert.equal("/b?q=1", url.target)
    assert.equal("me", url.username)
    assert.equal("pw", url.password)
    assert.equal("wss://example.org:8443", url.origin)
  end)

  it("tells IPv4 from IPv6, and fills in the port", function()
    assert.equal("ipv4", core.url("ws://127.1/").hostKind)
    assert.equal("127.0.0.1", core.url("ws://127.1/").host)
    assert.equal("ipv6", core.url("ws://[::1]/").hostKind)
    assert.equal(80, core.url("ws://a/").port)
    assert.equal(443, core.url("wss://a/").port)
  end)

  it("gives nil and why for what is none", function()
    for _, text in ipairs { "", "x", "ftp://a/", "ws://", "ws://a:99999/", "ws://a/#f",
                            "ws://a b/", "ws://[::1/", "ws://a\0b/" } do
      local url, why = core.url(text)
      assert.is_nil(url, text)
      assert.is_string(why)
    end
  end)

  it("survives memory running out at each step", function()
    local baseline = turning.live()
    for k = 1, 20 do
      core.failAllocation(k)
      local url, why = core.url("ws://example.org/" .. ("a"):rep(600))
      core.failAllocation(0)
      if url == nil then assert.equal("not enough memory", why) end
      turning.no_more(baseline)
    end
  end)
end)

describe("core.failAllocation", function()
  after_each(function() core.failAllocation(0) end)

  it("takes what can be a whole number only", function()
    for _, value in ipairs { "x", {}, true, 1.5, 0 / 0, 1 / 0 } do
      assert.has_error(function() core.failAllocation(value) end)
    end
    assert.has_error(function() core.failAllocation() end)
  end)

  it("fails the one asked for, or all from there", function()
    core.failAllocation(1)
    local url, why = core.url("ws://example.org/")
    assert.is_nil(url)
    assert.equal("not enough memory", why)
    assert.is_table(core.url("ws://example.org/"))
    core.failAllocation(1, true)
    assert.is_nil(core.url("ws://example.org/"))
    assert.is_nil(core.url("ws://example.org/"))
  end)
end)
