-- SPDX-License-Identifier: MIT
-- Seeded messages, and a conversation that checks them: each is compared by hash with
-- what was sent, in order, at the server and again, as echo, at the client.

local core = require "ws.core"
local link = require "spec.net.link"

local messages = {}

local BLOCK = 500000

--- Random bytes, and text of a few letters, which can be compressed.
local function blocks()
  math.randomseed(link.seed)
  local binary, text = {}, {}
  for i = 1, BLOCK do
    binary[i] = string.char(math.random(0, 255))
    text[i] = string.char(math.random(97, 112))
  end
  return table.concat(binary), table.concat(text)
end

local binary_block, text_block = blocks()

--- Messages of these sizes, each as text and as binary: { data, opcode, hash }.
function messages.of(sizes)
  local list = {}
  for _, size in ipairs(sizes) do
    local from = math.random(1, BLOCK - size + 1)
    for opcode, block in pairs { text = text_block, binary = binary_block } do
      local data = block:sub(from, from + size - 1)
      list[#list + 1] = { data = data, opcode = opcode, hash = core.sha1(data) }
    end
  end
  return list
end

--- Checks what comes to one end: heard.hear(data, opcode) takes the next message, and
--- heard.wrong says what was not as it was sent.
function messages.ear(list)
  local heard = { count = 0 }
  function heard.hear(data, opcode)
    heard.count = heard.count + 1
    local sent = list[heard.count]
    if heard.wrong then return end
    if not sent then
      heard.wrong = "more than was sent"
    elseif opcode ~= sent.opcode or core.sha1(data) ~= sent.hash then
      heard.wrong = ("message %d, %d bytes of %s, came as %d bytes of %s"):format(
        heard.count, #sent.data, sent.opcode, #data, opcode)
    end
  end
  return heard
end

-- Sends them as fast as the link takes them.
local function send_all(sock, list)
  local sent = 0
  local function go_on()
    local more = true
    while more and sent < #list do
      sent = sent + 1
      more = sock:send(list[sent].data, list[sent].opcode)
    end
  end
  sock:addEventListener("drain", go_on)
  go_on()
end

--- A client that sends all of them, as soon as it is open, to an echo server of its own.
--- `its` holds more options: its.client, its.server.
function messages.converse(ground, kind, list, its)
  local talk = { kind = kind, list = list, far = messages.ear(list), near = messages.ear(list) }
  local served = {
    maxBackpressure = 1e9,
    message = function(sock, data, opcode)
      talk.far.hear(data, opcode)
      sock:send(data, opcode)
    end,
    close = function(_, code, _, clean) talk.far.closed = { code, clean } end,
    error = function(_, why) talk.far.wrong = talk.far.wrong or why end,
  }
  for name, value in pairs(its and its.server or {}) do served[name] = value end
  local _, url = ground.far_server(kind, served)
  talk.sock = ground.near_client(kind, url, its and its.client)
  function talk.sock.onopen() send_all(talk.sock, list) end
  function talk.sock.onmessage(event) talk.near.hear(event.data, event.opcode) end
  function talk.sock.onerror(event) talk.near.wrong = talk.near.wrong or event.message end
  function talk.sock.onclose(event) talk.near.closed = { event.code, event.wasClean } end

  --- Whether everything has come, or the connection failed.
  function talk.over()
    return talk.near.wrong or talk.far.wrong or talk.near.closed or talk.near.count >= #list
  end
  function talk.ended() return talk.near.closed and (talk.far.closed or talk.far.wrong) end

  --- What went wrong, "" when all is well.
  function talk.verdict()
    local near, far = talk.near, talk.far
    if near.wrong or far.wrong then return ("near %s, far %s"):format(near.wrong, far.wrong) end
    if near.count ~= #list or far.count ~= #list then
      return ("%d of %d at the server, %d echoes"):format(far.count, #list, near.count)
    end
    return ""
  end
  return talk
end

return messages
