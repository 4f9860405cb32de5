-- SPDX-License-Identifier: MIT
-- What `make demo` shows: a server and clients that talk over ws and wss, all
-- in this one process, then the bytes of a handshake and of a frame, explained.
-- Exits with 0 if everything went as it should.

local ws = require "ws"

local function say(text, ...) print(select("#", ...) > 0 and text:format(...) or text) end
local function title(text) say("\n== %s\n", text) end
-- ------------------------------------------------ a throw-away certificate

local function shell(command)
  local ok = os.execute(command)
  assert(ok == true or ok == 0, "failed: " .. command) -- Lua 5.1 gives the exit code
end

local function make_certificate(folder)
  local cert, key = folder .. "/cert.pem", folder .. "/key.pem"
  shell(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
    .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
    .. "-keyout '%s' -out '%s' 2>/dev/null"):format(key, cert))
  return cert, key
end

-- ---------------------------------------------------------------- the talk

local function start_server(tls)
  return assert(ws.serve {
    port = 0, -- any free one
    tls = tls,
    protocols = { "shout" },
    message = function(sock, data, opcode) sock:send(data:upper(), opcode) end,
  })
end

local function talk(url, options)
  local sock = assert(ws.connect(url, "shout", options))
  say("client   connected to %s", url)
  say("         subprotocol %q%s", sock.protocol,
    sock.tls and (", %s with %s"):format(sock.tls.version, sock.tls.cipher) or ", not encrypted")
  for _, text in ipairs { "hello, server", "how do you do?" } do
    sock:send(text)
    local answer = assert(sock:receive(5000))
    say("client   sent %q, got %q", text, answer)
    assert(answer == text:upper())
  end
  sock:send(("\0\1\2\255"):rep(65536), "binary")
  local data, opcode = sock:receive(5000)
  say("client   sent 256 KiB of bytes, got %d KiB, %s", math.floor(#data / 1024), opcode)
  assert(opcode == "binary" and #data == 262144)
  sock:close(1000, "that was all")
  local _, _, code, reason = sock:receive(5000)
  say("client   closed: %s %q", code, reason)
  assert(code == 1000)
end

local function refused(url)
  local sock, message, code = ws.connect(url)
  assert(not sock and code == "ETLS")
  say("client   without that certificate as `ca`: %s", message)
end

-- --------------------------------------------------------------- the bytes

local meaning = {
  { "^GET", "an ordinary HTTP request" },
  { "^HTTP/1.1 101", "after this head it is HTTP no longer" },
  { "^Host", "which of the server's names is meant" },
  { "^Upgrade", "what is to be spoken from here on" },
  { "^Connection", "Upgrade is meant for the next hop" },
  { "%-Key", "16 random bytes, to be answered" },
  { "%-Accept", "SHA-1 of that key and a fixed text" },
  { "%-Version", "the version of RFC 6455" },
  { "%-Protocol", "the subprotocol" },
  { "%-Extensions", "whether messages are compressed" },
}

local function explain_head(head)
  for line in head:gmatch "([^\r\n]+)\r\n" do
    for _, pair in ipairs(meaning) do
      if line:find(pair[1]) then say("  # %-36s %s", pair[2], line) end
    end
  end
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x "):format(byte:byte()) end))
end

local function last_event(side)
  local last
  for event in side:events() do last = event end
  return last
end

local function show_bytes()
  local client = ws.protocol.client { url = "ws://demo.test/", protocols = "shout" }
  local server = ws.protocol.server { protocols = { "shout" } }

  title "One handshake (ws.protocol: both sides in memory, no socket)"
  local request = client:output()
  explain_head(request)
  server:feed(request)
  last_event(server)
  local answer = server:output()
  say ""
  explain_head(answer)
  client:feed(answer)
  assert(last_event(client).type == "open")

  title "One frame from the client: the text \"Hi!\""
  client:send "Hi!"
  local frame = client:output()
  say("  # a whole text message                 %s", hex(frame:sub(1, 1)))
  say("  # masked, and 3 bytes long             %s", hex(frame:sub(2, 2)))
  say("  # the mask, another for each frame     %s", hex(frame:sub(3, 6)))
  say("  # \"Hi!\" XOR the mask                   %s", hex(frame:sub(7)))
  server:feed(frame)
  local event = last_event(server)
  say("\n  The server reads: %s %q", event.opcode, event.data)
  assert(#frame == 9 and event.data == "Hi!")
end

-- ---------------------------------------------------------------- all of it

local function demo(folder)
  local cert, key = make_certificate(folder)
  local plain, secure = start_server(), start_server { cert = cert, key = key }
  title "ws"
  talk(("ws://127.0.0.1:%d/"):format(plain.port))
  title "wss, with a certificate made a moment ago"
  talk(("wss://localhost:%d/"):format(secure.port), { tls = { ca = cert } })
  refused(("wss://localhost:%d/"):format(secure.port))
  plain:close()
  secure:close()
  ws.run() -- until both servers and their connections are gone
  show_bytes()
end

say("ws %s on %s", ws.VERSION, _VERSION)
local folder = assert(assert(io.popen "mktemp -d"):read "*l", "mktemp gave no folder")
local ok, failure = xpcall(function() demo(folder) end, debug.traceback)
shell(("rm -rf '%s'"):format(folder))
if not ok then
  io.stderr:write("\nThe demo failed: ", failure, "\n")
  os.exit(1)
end
say "\nAll of it went well. Next: examples/echo_server.lua, or `make chat`."
