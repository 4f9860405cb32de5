-- SPDX-License-Identifier: MIT
-- Plain HTTP on a server's port: what `request` gets, and every form of response, read
-- by a raw client. RFC 9112.

local ws = require "ws"
local helper = require "spec.helper"
local loop = require "ws.loop"

local raised, wait_until = helper.raised, helper.wait_until

describe("plain HTTP", function()
  local server, raws, reports, handler

  -- A server whose requests go to the function `handler`.
  local function serve(options)
    local all = { port = 0, request = function(...) return handler(...) end }
    for name, value in pairs(options or {}) do all[name] = value end
    server = assert(ws.serve(all))
  end

  local function ask(line, headers, body)
    -- Not with string.format, which in old Luas ends a string at a NUL.
    local raw = helper.raw_client(server.port, (line or "GET / HTTP/1.1")
      .. "\r\nHost: 127.0.0.1\r\n" .. (headers or "") .. "\r\n" .. (body or ""))
    raws[#raws + 1] = raw
    return raw
  end

  -- The status and the length of the body, which is taken as it comes and not kept.
  local function long_response(raw)
    local status, length = raw:head(), 0
    raw:wait(function()
      while raw.bytes ~= "" do
        length, raw.bytes = length + #raw.bytes, ""
        raw:pump()
      end
      return raw.ended
    end, "the end of the connection")
    return status, length
  end

  before_each(function()
    raws, reports = {}, {}
    ws.onerror = function(message) reports[#reports + 1] = message end
  end)

  after_each(function()
    ws.onerror = nil
    for _, raw in ipairs(raws) do raw:close() end
    helper.close_server(server)
  end)

  it("is 426 without `request`, as a whole response", function()
    server = assert(ws.serve { port = 0 })
    for _, line in ipairs { "GET / HTTP/1.1", "POST /x HTTP/1.1", "GET / HTTP/1.0" } do
      local status, headers, body = ask(line):response()
      assert.equal(426, status)
      assert.equal("websocket", headers.upgrade)
      assert.matches("Upgrade", headers.connection)
      assert.matches("close", headers.connection)
      assert.equal(tostring(#body), headers["content-length"])
    end
  end)

  it("gives the request: method, path, query, headers, address, body", function()
    local got
    handler = function(request, response) got = request response:finish() end
    serve()
    assert.equal(200, (ask("POST /a%20b?c=d&e HTTP/1.1",
      "X-A: 1\r\nx-a: 2\r\nCookie: c=1\r\nCookie: d=2\r\nOrigin: http://o\r\nContent-Length: 5\r\n",
      "he\0lo"):response()))
    assert.equal("POST", got.method)
    assert.equal("/a%20b", got.path)
    assert.equal("c=d&e", got.query)
    assert.equal("1, 2", got.headers["x-a"])
    assert.equal("c=1; d=2", got.headers.cookie)
    assert.equal("http://o", got.origin)
    assert.equal("127.0.0.1", got.remoteAddress)
    assert.equal("he\0lo", got.body)
    assert.same({}, got.protocols)
    ask():response()
    assert.is_nil(got.query)
    assert.equal("", got.body)
  end)

  it("reads a body in chunks, and one that comes slowly", function()
    local got
    handler = function(request, response) got = request.body response:finish() end
    serve()
    ask("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n",
      "5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n"):response()
    assert.equal("hello world", got)
    local raw = ask("PUT / HTTP/1.1", "Content-Length: 3\r\nExpect: 100-continue\r\n")
    local status = raw:head()
    assert.equal(100, status)
    for letter in ("abc"):gmatch(".") do
      raw:send(letter)
      helper.turn_for(5)
    end
    assert.equal(200, (raw:response()))
    assert.equal("abc", got)
  end)

  it("refuses a body above maxPayload with 413, and unclear lengths with 400", function()
    local calls = 0
    handler = function(_, response) calls = calls + 1 response:finish() end
    serve { maxPayload = 10 }
    assert.equal(413, (ask("PUT / HTTP/1.1", "Content-Length: 11\r\n"):response()))
    assert.equal(413, (ask("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n",
      "b\r\nhello world\r\n"):response()))
    for _, headers in ipairs {
      "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: -1\r\n",
      "Content-Length: 1x\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    } do
      assert.equal(400, (ask("PUT / HTTP/1.1", headers, "x"):response()))
    end
    assert.equal(400, (ask("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n", "x\r\n"):response()))
    assert.equal(0, calls)
  end)

  it("takes any body with maxPayload = 0, as it takes any message", function()
    local body
    handler = function(request, response) body = request.body response:finish() end
    serve { maxPayload = 0 }
    assert.equal(200, (ask("POST / HTTP/1.1", "Content-Length: 4\r\n", "body"):response()))
    assert.equal("body", body)
    assert.equal(200, (ask("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n",
      "5\r\nhello\r\n0\r\n\r\n"):response()))
    assert.equal("hello", body)
  end)

  it("finish alone is 200 with its Content-Length, and ends the connection", function()
    handler = function(_, response) response:finish("hello") end
    serve()
    local status, headers, body = ask():response()
    assert.same({ 200, "5", "close", "hello" },
      { status, headers["content-length"], headers.connection, body })
    assert.is_nil(headers["transfer-encoding"])
  end)

  it("writeHead sets status and headers, repeated ones from a list", function()
    handler = function(_, response)
      response:writeHead(404, { ["Content-Type"] = "text/x", ["Set-Cookie"] = { "a", "b" },
                                ["X-N"] = 5 })
      response:finish("no")
    end
    serve()
    local raw = ask()
    local status, headers, head = raw:head()
    assert.equal(404, status)
    assert.matches("^HTTP/1.1 404 Not Found\r\n", head)
    assert.same({ "text/x", "a, b", "5", "2" }, { headers["content-type"],
      headers["set-cookie"], headers["x-n"], headers["content-length"] })
    assert.matches("Set%-Cookie: a\r\n.*Set%-Cookie: b\r\n", head)
    assert.equal("no", raw:all())
  end)

  it("writes in chunks when the length is not known", function()
    handler = function(_, response)
      assert(response:write("hello"))
      response:write("")
      ws.sleep(5)
      response:write(("x"):rep(300))
      response:finish("end")
    end
    serve()
    local status, headers, body = ask():response()
    assert.same({ 200, "chunked" }, { status, headers["transfer-encoding"] })
    assert.is_nil(headers["content-length"])
    assert.equal(("5\r\nhello\r\n12c\r\n%s\r\n3\r\nend\r\n0\r\n\r\n"):format(("x"):rep(300)), body)
  end)

  it("writes plainly up to a Content-Length of the handler's", function()
    handler = function(_, response)
      response:writeHead(200, { ["Content-Length"] = 6 })
      response:write("abc")
      response:finish("def")
    end
    serve()
    local _, headers, body = ask():response()
    assert.same({ "6", "abcdef" }, { headers["content-length"], body })
    assert.is_nil(headers["transfer-encoding"])
  end)

  it("raises for more or less than Content-Length says", function()
    local message
    handler = function(_, response)
      response:writeHead(200, { ["Content-Length"] = 3 })
      message = raised(response.write, response, "abcd")
      response:write("ab")
      response:finish()
    end
    serve()
    local answer = ask():all()
    assert.matches("InvalidStateError", message)
    assert.is_true(answer == "" or answer:find("\r\n\r\na?b?$") ~= nil) -- not whole
    assert.matches("response_spec.lua:%d+: InvalidStateError: finish", reports[1])
  end)

  it("sends no body to HEAD, nor with 204 and 304", function()
    handler = function(request, response)
      local status = tonumber(request.path:match("%d+"))
      if status then response:writeHead(status) end
      if request.query then response:write("chunk") end
      response:finish("hello")
    end
    serve()
    for line, expected in pairs {
      ["HEAD /"] = 200, ["HEAD /?write"] = 200, ["GET /204"] = 204, ["GET /304"] = 304,
      ["HEAD /404"] = 404,
    } do
      local status, headers, body = ask(line .. " HTTP/1.1"):response()
      assert.same({ expected, "", nil }, { status, body, headers["transfer-encoding"] })
    end
    handler = function(_, response)
      response:writeHead(200, { ["Content-Length"] = 5 })
      response:finish()
    end
    local status, headers, body = ask("HEAD / HTTP/1.1"):response()
    assert.same({ 200, "5", "" }, { status, headers["content-length"], body })
    assert.same({}, reports)
  end)

  it("tells HTTP/1.0 the end by the end of the connection", function()
    handler = function(_, response)
      response:write("hello ")
      ws.sleep(5)
      response:finish("world")
    end
    serve()
    local status, headers, body = ask("GET / HTTP/1.0"):response()
    assert.same({ 200, "hello world", "close" }, { status, body, headers.connection })
    assert.is_nil(headers["transfer-encoding"])
    -- HTTP/1.0 did not require Host.
    local raw = helper.raw_client(server.port, "GET / HTTP/1.0\r\n\r\n")
    assert.equal(200, (raw:response()))
  end)

  it("may be finished later, by anybody", function()
    handler = function(_, response) ws.setTimeout(function() response:finish("later") end, 20) end
    serve()
    local _, _, body = ask():response()
    assert.equal("later", body)
  end)

  it("may go on for longer than handshakeTimeout once it has begun", function()
    handler = function(_, response)
      for i = 1, 4 do
        response:write("data: " .. i .. "\n\n")
        ws.sleep(100)
      end
      response:finish()
    end
    serve { handshakeTimeout = 250 }
    local status, _, body = ask("GET / HTTP/1.0"):response()
    assert.same({ 200, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n" }, { status, body })
  end)

  it("that begins after handshakeTimeout is told so, whoever sends it", function()
    local results = {}
    handler = function(request, response)
      response:onclose(function()
        if request.path == "/head" then response:writeHead(200, { ["Content-Length"] = 5 }) end
        if request.path == "/write" then results[1] = { response:write "x" } end
        results[#results + 1] = { response:finish "y" }
      end)
    end
    serve { handshakeTimeout = 50 }
    for _, path in ipairs { "/write", "/finish", "/head" } do
      assert.equal("", ask("GET " .. path .. " HTTP/1.1"):all())
    end
    wait_until(function() return results[4] end)
    local late = { false, "beginning the answer took longer than 50 ms", "ETIMEDOUT" }
    assert.same({ late, late, late, late }, results)
    assert.same({}, reports)
  end)

  it("tells what became of it, as far as that is known", function()
    local finished, response
    handler = function(_, it) response = it end
    serve()
    local raw = ask()
    wait_until(function() return response end)
    raw:close(true)
    wait_until(function()
      finished = { response:write "x" }
      return not finished[1]
    end)
    assert.same({ false, "string", "string" },
      { finished[1], type(finished[2]), type(finished[3]) })
    assert.same({ finished[1], finished[2], finished[3] }, { response:finish() })
    handler = function(_, it) finished = { it:finish "all" } end
    assert.equal(200, (ask():response()))
    assert.same({ true }, finished)
    handler = function(_, it) response = it end
    response = nil
    raw = ask()
    wait_until(function() return response end)
    server:close()
    assert.same({ false, "connection aborted", "ECONNABORTED" }, { response:write "late" })
    assert.equal(503, (raw:response()))
  end)

  it("says that the server closed in the middle of it", function()
    local response
    handler = function(_, it)
      response = it
      it:write "begun"
    end
    serve()
    ask()
    wait_until(function() return response end)
    server:close()
    assert.same({ false, "terminated before the answer was complete", "ECONNABORTED" },
      { response:write "late" })
  end)

  describe("with more than the system takes", function()
    local LENGTH = 8000000 -- bytes
    local ended

    before_each(function()
      ended = 0
      handler = function(_, response)
        response:onclose(function() ended = ended + 1 end)
        response:finish(("x"):rep(LENGTH))
      end
    end)

    it("is given whole to a client that stalls; its end is told after that", function()
      serve()
      local raw = ask("GET / HTTP/1.0")
      helper.turn_for(1300) -- the peer's bytes are dropped for 1000 after our last
      server:close()
      ws.poll(0)
      assert.same({ 0, true }, { ended, loop.get():alive() })
      assert.same({ 200, LENGTH }, { long_response(raw) })
      wait_until(function() return ended == 1 and not loop.get():alive() end)
    end)

    it("is given whole, in however few pieces above maxBackpressure", function()
      serve { maxBackpressure = 1000 }
      assert.same({ 200, LENGTH }, { long_response(ask()) })
      handler = function(_, response)
        response:write(("x"):rep(LENGTH))
        response:finish(("x"):rep(LENGTH))
      end
      assert.same({ 200, 2 * LENGTH }, { long_response(ask("GET / HTTP/1.0")) })
    end)

    it("is given whole, too, when it refuses", function()
      serve { upgrade = function() return false, 403, ("x"):rep(LENGTH) end }
      local raw = helper.raw_client(server.port, helper.handshake())
      raws[1] = raw
      helper.turn_for(1300)
      assert.same({ 403, LENGTH }, { long_response(raw) })
    end)

    it("ends when nothing of it was taken for idleTimeout", function()
      serve { idleTimeout = 100 }
      local raw = ask("GET / HTTP/1.0")
      wait_until(function() return ended == 1 end)
      local read, _, body = pcall(raw.response, raw)
      assert.is_true(not read or #body < LENGTH)
    end)
  end)

  it("ignores a second request behind the first", function()
    local calls = 0
    handler = function(_, response) calls = calls + 1 response:finish("once") end
    serve()
    local _, _, body = ask("GET / HTTP/1.1", nil, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"):response()
    assert.same({ "once", 1 }, { body, calls })
  end)

  it("checks what writeHead, write and finish are given, naming the caller's line", function()
    local messages = {}
    handler = function(_, response)
      local function try(name, ...)
        local arguments, count = { ... }, select("#", ...)
        messages[#messages + 1] = raised(function()
          response[name](response, (table.unpack or rawget(_G, "unpack"))(arguments, 1, count))
        end)
      end
      for _, status in ipairs { 99, 101, 600, 200.5, "200" } do try("writeHead", status) end
      try("writeHead", 200, { ["X A"] = "1" })
      try("writeHead", 200, { ["X-A"] = "1\r\nX-B: 2" })
      try("writeHead", 200, { ["X-A"] = "1\0" })
      try("writeHead", 200, { ["X-A"] = {}, ["Transfer-Encoding"] = "chunked" })
      try("writeHead", 200, { Connection = "keep-alive" })
      for _, length in ipairs { "x", -1, 1.5 } do
        try("writeHead", 200, { ["Content-Length"] = length })
      end
      try("writeHead", 200, { ["Content-Length"] = { "7", "7" } }) -- nothing of it stays
      try("write", {})
      try("finish", false)
      try("write")
      try("onclose", 5)
      try("ondrain")
      response:writeHead(201)
      try("writeHead", 200)
      response:finish(5)
      for _, name in ipairs { "write", "finish", "writeHead" } do try(name, "x") end
    end
    serve()
    local status, _, body = ask():response()
    assert.same({ 201, "5" }, { status, body })
    assert.equal(23, #messages)
    for i, message in ipairs(messages) do
      local kind = i <= 19 and "TypeError" or "InvalidStateError"
      assert.matches("response_spec.lua:%d+: " .. kind, message)
    end
  end)

  -- ------------------------------------------------------ errors and the end

  it("has methods that know a wrong self, and say who they are", function()
    local messages = {}
    handler = function(_, response)
      for _, name in ipairs { "writeHead", "write", "finish", "onclose", "ondrain" } do
        for _, wrong in ipairs { "x", {}, 5 } do
          messages[name .. type(wrong)] = helper.raised_there("TypeError",
            function() response[name](wrong) end)
        end
        messages[name] = helper.raised_there("TypeError", function() response[name]() end)
      end
      response:finish()
    end
    serve()
    assert.equal(200, (ask():response()))
    assert.same({}, reports)
    assert.matches("write: a response expected, got string %(call it as response:write%)",
      messages.writestring)
  end)

  it("R18 an error in the handler is reported, and 500 when nothing went out", function()
    local when
    handler = function(_, response)
      if when == "after a wait" then ws.sleep(5) end
      if when == "after writeHead" then response:writeHead(200, { ["X-A"] = "1" }) end
      error("inside " .. when)
    end
    serve()
    for _, each in ipairs { "at once", "after a wait", "after writeHead" } do
      when = each
      local status, headers, body = ask():response()
      assert.equal(500, status)
      assert.equal(tostring(#body), headers["content-length"])
      assert.is_nil(headers["x-a"])
      assert.is_nil(body:find("inside", 1, true))
      assert.matches("response_spec.lua:%d+: inside " .. when, reports[#reports])
    end
    assert.equal(3, #reports)
  end)

  it("an error after the head ends the connection, so that nobody takes it for whole", function()
    handler = function(_, response)
      response:write("half")
      ws.sleep(5)
      error("oops")
    end
    serve()
    local raw = ask()
    assert.equal(200, (raw:head()))
    assert.equal("4\r\nhalf\r\n", raw:all()) -- no last chunk
    assert.equal(1, #reports)
  end)

  -- After a reset, even the first write fails.
  local function was_reset(raw)
    return raw.tcp:send("x") == nil
  end

  it("an error after the head of HTTP/1.0 is a reset, as the end would say it is whole", function()
    local cut
    handler = function(_, response)
      response:write("half")
      ws.sleep(5)
      if cut == "error" then error("oops") end
      if cut == "close" then server:close() else response:finish() end
    end
    for _, each in ipairs { "error", "close", "finish" } do
      cut = each
      serve()
      local raw = ask("GET / HTTP/1.0")
      assert.equal(200, (raw:head()))
      assert.equal("half", raw:all())
      assert.equal(cut ~= "finish", was_reset(raw), cut)
      helper.close_server(server)
    end
    serve() -- when the framing shows that it is cut, what was written still arrives
    cut = "error"
    local raw = ask()
    assert.matches("\r\n4\r\nhalf\r\n$", raw:all())
    assert.is_false(was_reset(raw))
    assert.equal(2, #reports)
  end)

  it("write above maxBackpressure cuts it: that shows, and is told as any end is", function()
    local writes, closed, results
    handler = function(_, response)
      response:onclose(function() closed = closed + 1 end)
      local result
      repeat
        writes = writes + 1
        result = { response:write(("x"):rep(100000)) }
      until result[2] or writes == 1000
      assert.equal(0, closed) -- not inside the call
      results = { result, { response:write "late" }, { response:finish "late" } }
    end
    serve { maxBackpressure = 1000000 }
    for _, version in ipairs { "1.0", "1.1" } do
      writes, closed, results = 0, 0, nil
      local raw = ask("GET / HTTP/" .. version)
      wait_until(function() return results end)
      local cut = { false, "more waits for the peer than option maxBackpressure allows",
                    "EBACKPRESSURE" }
      assert.same({ cut, cut, cut }, results)
      assert.is_true(writes > 10)
      wait_until(function() return closed > 0 end)
      assert.equal(0, server.connections)
      local status, length = long_response(raw)
      assert.equal(200, status)
      assert.is_true(length < writes * 100000, length)
      assert.equal(version == "1.0", was_reset(raw))
      helper.turn_for(10)
      assert.equal(1, closed)
    end
    assert.same({}, reports)
  end)

  it("write that waits for ondrain is never above maxBackpressure", function()
    local pieces = 0
    handler = function(_, response)
      local function go_on()
        while pieces < 100 do
          pieces = pieces + 1
          local more, message = response:write(("x"):rep(100000))
          assert(not message, message)
          if not more then return response:ondrain(go_on) end
        end
        response:finish()
      end
      go_on()
    end
    serve { maxBackpressure = 300000, highWaterMark = 200000 }
    assert.same({ 200, 100 * 100000 }, { long_response(ask("GET / HTTP/1.0")) })
    assert.same({}, reports)
  end)

  it("an error after finish changes nothing", function()
    handler = function(_, response)
      response:finish("good")
      error("late")
    end
    serve()
    local status, _, body = ask():response()
    assert.same({ 200, "good", 1 }, { status, body, #reports })
  end)

  it("onclose is called once: after finish, or when the client has gone", function()
    local closed, responses = {}, {}
    handler = function(request, response)
      responses[request.path] = response
      response:onclose(function(...)
        assert(select("#", ...) == 0)
        closed[#closed + 1] = request.path
      end)
      if request.path == "/finish" then response:finish() end
    end
    serve()
    ask("GET /finish HTTP/1.1"):response()
    local raw = ask("GET /gone HTTP/1.1")
    wait_until(function() return responses["/gone"] end)
    raw:close(true)
    wait_until(function() return #closed == 2 end)
    helper.turn_for(20)
    table.sort(closed)
    assert.same({ "/finish", "/gone" }, closed)
    local gone = responses["/gone"]
    assert.is_false(gone:write("into the void"))
    gone:finish("too")
    gone:onclose(function() closed[3] = "late" end) -- is still called
    wait_until(function() return closed[3] end)
  end)

  it("a coroutine that waits in vain is collected, though onclose and ondrain know it", function()
    local threads, waiting = setmetatable({}, { __mode = "v" }), {}
    handler = function(_, response)
      local thread = coroutine.running()
      threads[1], waiting[thread] = thread, true
      response:onclose(function() waiting[thread] = nil end)
      response:ondrain(function() coroutine.resume(thread) end)
      coroutine.yield()
    end
    serve()
    local raw = ask()
    wait_until(function() return threads[1] end)
    raw:close(true)
    wait_until(function() return next(waiting) == nil end)
    wait_until(function() collectgarbage() return threads[1] == nil end)
  end)

  it("write returns false above highWaterMark, ondrain tells when to go on", function()
    local answers, drained = {}, 0
    handler = function(_, response)
      response:ondrain(function()
        drained = drained + 1
        response:finish("!")
      end)
      answers[1] = response:write("small")
      answers[2] = response:write(("x"):rep(500000))
    end
    serve { highWaterMark = 100000 }
    local raw = ask()
    local _, _, body = raw:response()
    assert.same({ true, false, 1 }, { answers[1], answers[2], drained })
    assert.equal("x\r\n1\r\n!\r\n0\r\n\r\n", body:sub(-14))
  end)

  it("ondrain tells who asks after the client has caught up, too", function()
    local late
    handler = function(_, response)
      assert.is_false(response:write(("x"):rep(500000)))
      late = response
    end
    serve { highWaterMark = 100000 }
    local raw = ask()
    raw:wait(function() return #raw.bytes > 500000 end, "the piece")
    helper.turn_for(10) -- the drain, too
    late:ondrain(function() late:finish("!") end)
    local _, _, body = raw:response()
    assert.equal("x\r\n1\r\n!\r\n0\r\n\r\n", body:sub(-14))
  end)

  it("serves upgrades beside it", function()
    handler = function(_, response) response:finish() end
    local opened = 0
    serve { open = function(sock) opened = opened + 1 sock:close() end }
    local raw = helper.raw_open(server.port)
    raws[1] = raw
    assert.equal(200, (ask():response()))
    assert.equal(8, (raw:frame()))
    assert.equal(1, opened)
  end)
end)
