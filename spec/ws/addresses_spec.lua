-- SPDX-License-Identifier: MIT
-- Address literals and ranges of them.

local addresses = require "ws.addresses"

describe("ws.addresses", function()
  it("knows literals from names", function()
    assert.equal(32, #addresses.bits "10.0.0.1")
    assert.equal(128, #addresses.bits "::1")
    assert.equal(128, #addresses.bits "1:2:3:4:5:6:7:8")
    for _, text in ipairs { "", "a.b", "1.2.3", "1.2.3.256", "1.2.3.4.5", "::1::", "1:2",
      "12345::", "g::", "[::1]", "1:2:3:4:5:6:7:8:9" } do
      assert.is_nil(addresses.bits(text), text)
    end
  end)

  it("knows what lies in a range (RFC 4632, RFC 4291)", function()
    assert.is_true(addresses.within("10.200.3.4", "10.0.0.0/8"))
    assert.is_false(addresses.within("11.0.0.1", "10.0.0.0/8"))
    assert.is_true(addresses.within("192.0.2.130", "192.0.2.128/25"))
    assert.is_false(addresses.within("192.0.2.127", "192.0.2.128/25"))
    assert.is_true(addresses.within("1.2.3.4", "0.0.0.0/0"))
    assert.is_true(addresses.within("fd12::1", "fd00::/8"))
    assert.is_false(addresses.within("fe80::1", "fd00::/8"))
    assert.is_true(addresses.within("2001:db8::1", "2001:db8:0::1"))
  end)

  it("never mixes the families, nor takes impossible lengths", function()
    assert.is_false(addresses.within("::1", "0.0.0.0/0"))
    assert.is_false(addresses.within("1.2.3.4", "::/0"))
    assert.is_false(addresses.within("1.2.3.4", "1.2.3.4/33"))
    assert.is_false(addresses.within("name", "0.0.0.0/0"))
    assert.is_false(addresses.within("1.2.3.4", "name"))
  end)
end)
