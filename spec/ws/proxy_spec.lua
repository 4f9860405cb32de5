-- SPDX-License-Identifier: MIT
-- Which proxy is chosen: the option, the environment, and its exceptions.

local core = require "ws.core"
local choose = require "ws.proxy"

local real_getenv = os.getenv

-- The proxy chosen for `url` with this environment.
local function chosen(environment, url, option)
  os.getenv = function(name) return environment[name] end -- luacheck: ignore 122
  local ok, found = pcall(choose, option, core.url(url), 1)
  os.getenv = real_getenv -- luacheck: ignore 122
  assert(ok, found)
  return found
end

describe("the proxy option", function()
  it("is a URL", function()
    assert.same({ kind = "http", host = "p.test", port = 3128 },
      chosen({}, "ws://a.test", "http://p.test:3128"))
    assert.same({ kind = "socks5", host = "::1", port = 9, user = "joe", password = "a:b" },
      chosen({}, "ws://a.test", "socks5h://joe:a%3Ab@[::1]:9"))
    assert.equal("socks4", chosen({}, "ws://a.test", "socks4a://p.test").kind)
    assert.equal("http", chosen({}, "ws://a.test", "p.test:8080").kind)
  end)

  it("has default ports", function()
    assert.equal(80, chosen({}, "ws://a.test", "http://p.test").port)
    assert.equal(80, chosen({}, "ws://a.test", "http://p.test:80").port)
    assert.equal(1080, chosen({}, "ws://a.test", "socks5://p.test").port)
    assert.equal(80, chosen({}, "ws://a.test", "socks5://p.test:80").port)
    assert.equal(443, chosen({}, "ws://a.test", "socks5://p.test:443").port)
  end)

  it("false means none, whatever the environment says", function()
    assert.is_nil(chosen({ all_proxy = "http://p.test" }, "ws://a.test", false))
  end)

  it("wins over the environment", function()
    assert.equal("mine.test",
      chosen({ ws_proxy = "http://p.test" }, "ws://a.test", "http://mine.test").host)
  end)

  it("raises for what is no proxy", function()
    local url = core.url "ws://a.test"
    for _, text in ipairs { "ftp://p.test", "https://p.test", "http://p.test:99999", "http://" } do
      assert.error_matches(function() choose(text, url, 1) end, "SyntaxError: option 'proxy'")
    end
    assert.error_matches(function() choose(true, url, 1) end, "TypeError")
  end)
end)

describe("the environment", function()
  it("is asked in order", function()
    local all = { ws_proxy = "http://a", http_proxy = "http://b", all_proxy = "http://c",
      wss_proxy = "http://d", https_proxy = "http://e" }
    assert.equal("a", chosen(all, "ws://x.test").host)
    assert.equal("d", chosen(all, "wss://x.test").host)
    all.ws_proxy, all.wss_proxy = nil, ""
    assert.equal("b", chosen(all, "ws://x.test").host)
    assert.equal("e", chosen(all, "wss://x.test").host)
    all.http_proxy, all.https_proxy = nil, nil
    assert.equal("c", chosen(all, "ws://x.test").host)
    assert.equal("c", chosen(all, "wss://x.test").host)
    assert.is_nil(chosen({}, "ws://x.test"))
  end)

  it("counts in lower case only (CVE-2016-5385)", function()
    assert.is_nil(chosen({ HTTP_PROXY = "http://evil", ALL_PROXY = "http://evil" }, "ws://x.test"))
  end)

  it("is not for what runs on this machine", function()
    for _, host in ipairs { "localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]" } do
      assert.is_nil(chosen({ all_proxy = "http://p" }, "ws://" .. host .. "/"), host)
    end
    assert.is_table(chosen({}, "ws://127.0.0.1/", "http://p")) -- but the option is
  end)

  it("has exceptions", function()
    local function excepted(list, url)
      return chosen({ all_proxy = "http://p", no_proxy = list }, url) == nil
    end
    assert.is_true(excepted("*", "ws://a.test"))
    assert.is_true(excepted("a.test", "ws://a.test"))
    assert.is_true(excepted("A.TEST", "ws://a.test"))
    assert.is_true(excepted("a.test", "ws://b.a.test"))
    assert.is_true(excepted(".a.test", "ws://b.a.test"))
    assert.is_true(excepted("*.a.test", "ws://b.a.test"))
    assert.is_true(excepted("x, a.test ,y", "ws://a.test"))
    assert.is_false(excepted("a.test", "ws://ba.test"))
    assert.is_false(excepted("b.a.test", "ws://a.test"))
    assert.is_true(excepted("a.test:81", "ws://a.test:81"))
    assert.is_false(excepted("a.test:81", "ws://a.test"))
    assert.is_true(excepted("10.0.0.0/8", "ws://10.1.2.3"))
    assert.is_true(excepted("10.1.2.3", "ws://10.1.2.3"))
    assert.is_false(excepted("10.1.2.3", "ws://10.1.2.30"))
    assert.is_false(excepted("2.3", "ws://10.1.2.3"))
    assert.is_true(excepted("fd00::/8", "ws://[fd00::1]"))
    assert.is_true(excepted("[fd00::1]", "ws://[fd00::1]:80"))
    assert.is_true(excepted("[fd00::1]:81", "ws://[fd00::1]:81"))
    assert.is_true(excepted("fd00::1", "ws://[fd00::1]"))
    assert.is_false(excepted("", "ws://a.test"))
  end)
end)
