-- SPDX-License-Identifier: MIT
-- The `compression` option and permessage-deflate as users see it (RFC 7692).

local compression = require "ws.compression"
local helper = require "spec.helper"
local ws = require "ws"

describe("the compression option", function()
  it("is on, off, or a table of what is wanted", function()
    assert.is_nil(compression(nil, false, 1))
    assert.is_table(compression(nil, true, 1))
    assert.is_nil(compression(false, true, 1))
    assert.is_table(compression(true, false, 1))
    assert.same({ level = 9, threshold = 0, clientMaxWindowBits = 10 },
      compression({ level = 9, threshold = 0, clientMaxWindowBits = 10 }, true, 1))
    assert.same({}, compression({ clientMaxWindowBits = true }, true, 1))
  end)

  it("raises for what is none", function()
    for _, wrong in ipairs { { level = 10 }, { level = 1.5 }, { serverMaxWindowBits = 7 },
      { serverMaxWindowBits = 16 }, { serverMaxWindowBits = true }, { threshold = -1 },
      { clientMaxWindowBits = "9" }, { serverNoContextTakeover = 1 }, { windowBits = 9 } } do
      assert.error_matches(function() ws.new("ws://a.test", nil, { compression = wrong }) end,
        "TypeError: ")
    end
  end)
end)

describe("permessage-deflate", function()
  local server, url
  after_each(function()
    helper.close_server(server)
  end)

  local function serve(option)
    server, url = helper.echo_server { compression = option }
  end

  -- Sends and gets back; outside any coroutine.
  local function echoes(sock, data, opcode, how)
    sock:send(data, opcode, how)
    local back, its_opcode = sock:receive(10000)
    assert.equal(data, back)
    assert.equal(opcode or "text", its_opcode)
  end

  local function conversation(sock)
    for round = 1, 3 do
      echoes(sock, "short")
      echoes(sock, "")
      echoes(sock, ("a long text, round %d. "):format(round):rep(500))
      echoes(sock, ("\0\1\2\255"):rep(2000), "binary")
      echoes(sock, ("left as it is"):rep(500), "text", { compress = false })
    end
  end

  it("is offered by clients, agreed by servers that want it", function()
    serve(nil)
    local sock = assert(ws.connect(url))
    assert.equal("", sock.extensions) -- S163
    sock:close()
    server:close()
    serve(true)
    sock = assert(ws.connect(url))
    assert.matches("^permessage%-deflate", sock.extensions)
    conversation(sock)
    sock:close()
    sock = assert(ws.connect(url, nil, { compression = false }))
    assert.equal("", sock.extensions)
    sock:close()
  end)

  it("works with every set of parameters both sides can have", function()
    local sets = {
      {}, { serverNoContextTakeover = true }, { clientNoContextTakeover = true },
      { serverNoContextTakeover = true, clientNoContextTakeover = true },
      { serverMaxWindowBits = 9 }, { clientMaxWindowBits = 9 },
      { serverMaxWindowBits = 8, clientMaxWindowBits = 8, threshold = 0 }, -- S180, R52
      { threshold = 0, level = 1 }, { level = 0 },
    }
    for _, ours in ipairs(sets) do
      serve(ours)
      for _, theirs in ipairs(sets) do
        local sock = assert(ws.connect(url, nil, { compression = theirs }))
        conversation(sock)
        sock:close()
        sock:receive(10000)
      end
      server:close()
    end
    serve(true)
  end)

  it("counts bufferedAmount before compression (S182)", function()
    serve(true)
    local sock = assert(ws.connect(url))
    sock:send(("x"):rep(100000))
    assert.equal(100000, sock.bufferedAmount)
    assert.equal(100000, #sock:receive(10000))
    assert.equal(0, sock.bufferedAmount)
    sock:close()
  end)

  it("limits a message while it is inflated: 1009 (S178)", function()
    server, url = helper.echo_server { compression = true, maxPayload = 100000 }
    local sock = assert(ws.connect(url))
    echoes(sock, ("x"):rep(100000))
    sock:send(("x"):rep(100001))
    local data, why, code = sock:receive(10000)
    assert.is_nil(data)
    assert.equal("closed", why)
    assert.equal(1009, code)
  end)

  it("publishes to those who agreed and those who did not", function()
    local joined = 0
    server = assert(ws.serve { port = 0, compression = true,
      open = function(sock)
        sock:subscribe "t"
        joined = joined + 1
      end,
      message = function(sock, data) sock:send(data) end })
    url = "ws://127.0.0.1:" .. server.port
    local plain = assert(ws.connect(url, nil, { compression = false }))
    local deflating = assert(ws.connect(url))
    helper.wait_until(function() return joined == 2 end)
    for i = 1, 5 do
      local text = ("news %d "):format(i):rep(400)
      echoes(deflating, ("between %d "):format(i):rep(400))
      assert.equal(2, server:publish("t", text))
      assert.equal(text, (plain:receive(10000)))
      assert.equal(text, (deflating:receive(10000)))
    end
    plain:close()
    deflating:close()
  end)

  it("serves the protocol alone too", function()
    serve(true)
    local client = ws.protocol.client { url = "ws://h/", compression = { threshold = 0 } }
    local peer = ws.protocol.server { compression = true }
    local got = {}
    local function pump()
      for _ = 1, 3 do
        peer:feed(client:output())
        for event in peer:events() do
          if event.type == "message" then peer:send(event.data, event.opcode) end
        end
        client:feed(peer:output())
        for event in client:events() do
          if event.type == "message" then got[#got + 1] = event.data end
        end
      end
    end
    pump()
    assert.equal("permessage-deflate", client.extensions)
    assert.equal("permessage-deflate", peer.extensions)
    local text = ("over and over "):rep(1000)
    for _ = 1, 3 do client:send(text) end
    assert.is_true(#client:output() < 1000)
  end)
end)
