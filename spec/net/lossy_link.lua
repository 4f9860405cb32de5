-- SPDX-License-Identifier: MIT
-- Tests the link itself with datagrams: what was ordered happens to them, and after a
-- reset the same happens again.

local link = require "spec.net.link"
local socket = require "socket"

local COUNT = 200

local near, far

local function bound(address)
  local udp = assert(socket.udp())
  assert(udp:setsockname(address, 0))
  udp:settimeout(0)
  return udp
end

local function receive(udp)
  assert(#socket.select({ udp }, nil, 5) == 1, "no datagram comes")
  return assert(udp:receive())
end

-- Takes datagrams until "last", which is sent in good weather after all others.
local function take_all()
  local list = {}
  for data in receive, far do
    if data == "last" then return list end
    list[#list + 1] = data
  end
end

-- Waits until so many have left the device's queue, where they must not be lost.
local function wait_for(count)
  local deadline = socket.gettime() + 5
  while link.counts().out.came < count do
    assert(socket.gettime() < deadline, "they do not come out of the device")
  end
end

-- Sends numbered datagrams; returns those that arrive, in that order, and the link's
-- counts. Tries again when packets of earlier tests' connections come in between, as
-- they would change the random choices.
local function send(weather, delay)
  local _, port = far:getsockname()
  for _ = 1, 10 do
    link.reset()
    link.weather(weather)
    for i = 1, COUNT do
      assert(near:sendto(tostring(i), link.FAR, port))
      if i % 20 == 0 then wait_for(i) end
    end
    local counts = link.counts().out
    link.weather { loss = 0, doubling = 0, damage = 0, jitter = 0, delay = delay or 0 }
    assert(near:sendto("last", link.FAR, port))
    local arrived = take_all()
    if counts.came == COUNT then return arrived, counts end
  end
  error "there are always other packets"
end

describe("the link", function()
  setup(function()
    near, far = bound(link.NEAR), link.far(bound, link.FAR)
  end)
  teardown(function()
    link.reset()
    near:close()
    far:close()
  end)

  it("carries all, in order", function()
    local arrived, counts = send {}
    for i = 1, COUNT do assert.equal(tostring(i), arrived[i]) end
    assert.same({ came = COUNT, lost = 0, doubled = 0, damaged = 0, late = 0, cut = 0,
      refused = 0 }, counts)
  end)

  it("loses a part, the same one again", function()
    local arrived, counts = send { loss = 20 }
    assert.is_true(counts.lost >= 10 and counts.lost <= 80) -- 40, at least five deviations
    assert.equal(COUNT - counts.lost, #arrived)
    assert.same(arrived, (send { loss = 20 }))
  end)

  it("doubles a part", function()
    local arrived, counts = send { doubling = 20 }
    assert.is_true(counts.doubled >= 10 and counts.doubled <= 80)
    assert.equal(COUNT + counts.doubled, #arrived)
  end)

  it("damages a part, which the system then drops", function()
    local arrived, counts = send { damage = 20 }
    assert.is_true(counts.damaged >= 10 and counts.damaged <= 80)
    assert.equal(COUNT - counts.damaged, #arrived)
  end)

  it("holds them up, some longer than others", function()
    local began = socket.gettime()
    local arrived = send({ delay = 20, jitter = 30 }, 60)
    assert.is_true(socket.gettime() - began >= 0.06)
    assert.equal(COUNT, #arrived)
    local late = 0
    for i = 2, COUNT do
      if tonumber(arrived[i]) < tonumber(arrived[i - 1]) then late = late + 1 end
    end
    assert.is_true(late > 0)
  end)

  it("breaks after so many packets, one way", function()
    local _, port = far:getsockname()
    link.reset()
    link.cut("out", 3, port)
    for i = 1, 5 do assert(near:sendto(tostring(i), link.FAR, port)) end
    wait_for(5)
    assert.equal(2, link.counts().out.cut)
    local _, back = near:getsockname()
    assert(far:sendto("and back", link.NEAR, back))
    assert.equal("and back", receive(near))
    link.mend()
    assert(near:sendto("last", link.FAR, port))
    assert.same({ "1", "2", "3" }, take_all())
  end)
end)
