-- SPDX-License-Identifier: MIT
-- For LuaLS and `make docs`: what ws.core gives, written in C, and the fields
-- of events and requests. What is written in Lua is annotated where it stands.
-- No code: nothing requires this file. spec/ws/meta_spec.lua compares it with
-- what there is.
---@meta ws.meta.objects
-- luacheck: ignore 211 212 241

--- WebSocket for Lua: what `require "ws"` gives. Called, it is ws.new.
---@class ws
---@field VERSION string
---@field _VERSION string As VERSION.
---@field CONNECTING 0 The states of a socket.
---@field OPEN 1
---@field CLOSING 2
---@field CLOSED 3
--- Gets the errors raised in handlers, which otherwise go to stderr; what it raises itself comes
--- out of ws.run or ws.poll.
---@field onerror? fun(message: any, traceback?: string)
---@field protocol ws.protocol
---@field Event fun(type: string, fields?: table): ws.Event Makes an event for dispatchEvent.
---@field MessageEvent fun(type: string, fields?: table): ws.MessageEvent
---@field CloseEvent fun(type: string, fields?: table): ws.CloseEvent
---@field ErrorEvent fun(type: string, fields?: table): ws.ErrorEvent
---@overload fun(url: string, protocols?: any, options?: ws.ClientOptions): ws.WebSocket
local ws = {}

--- A monotonic clock.
---@return number milliseconds
function ws.now() end

--- One WebSocket: the browser's object, of a client or of a server. Reading an
--- unknown property gives nil, assigning one raises TypeError.
---@class ws.WebSocket
---@field CONNECTING 0 The states.
---@field OPEN 1
---@field CLOSING 2
---@field CLOSED 3
---@field url string|nil The URL, normalised; nil for a server's.
---@field readyState 0|1|2|3
---@field bufferedAmount integer Payload bytes taken by send and not yet by the system.
---@field protocol string The subprotocol that was agreed, "" when none.
---@field extensions string The extensions that were agreed, "" when none.
---@field binaryType "blob"|"arraybuffer" Kept for parity: binary data is a string either way.
---@field onopen? fun(event: ws.Event)
---@field onmessage? fun(event: ws.MessageEvent)
---@field onerror? fun(event: ws.ErrorEvent)
---@field onclose? fun(event: ws.CloseEvent)
---@field onping? fun(event: ws.DataEvent)
---@field onpong? fun(event: ws.DataEvent)
---@field ondrain? fun(event: ws.Event) send had returned false, and the peer has caught up.
---@field remoteAddress string|nil Of the TCP connection; nil before it.
---@field remotePort integer|nil
---@field localAddress string|nil
---@field localPort integer|nil
---@field tls ws.TLSInfo|nil Once it is encrypted.
---@field latency number|nil Milliseconds from the last automatic ping to its pong.
---@field data any One slot for the user's own state.
local WebSocket = {}

--- Sends a message. Raises InvalidStateError while CONNECTING, TypeError for
--- text that is not UTF-8; once closing has begun the data is discarded.
---@param data string|number|ws.View
---@param opcode? "text"|"binary" "text" by default; a view's own
---@param options? ws.SendOptions
---@return boolean more false when bufferedAmount is now above highWaterMark
function WebSocket:send(data, opcode, options) end

--- Drops the connection now; the close event has 1006.
function WebSocket:terminate() end

--- Sends a ping (RFC 6455 section 5.5.2).
---@param data? string at most 125 bytes
function WebSocket:ping(data) end

--- Sends a pong that nobody asked for; pings are answered without it.
---@param data? string at most 125 bytes
function WebSocket:pong(data) end

--- From now on a server's socket gets what is published on the topic.
---@param topic string
function WebSocket:subscribe(topic) end

--- And no longer.
---@param topic string
---@return boolean was whether it was subscribed
function WebSocket:unsubscribe(topic) end

--- What a server's socket is subscribed to.
---@return string[]
function WebSocket:topics() end

--- Sends a message to every subscriber but itself. It is framed and compressed
--- once for all.
---@param topic string
---@param data string|ws.View
---@param opcode? "text"|"binary" "text" by default; a view's own
---@return integer count to how many
function WebSocket:publish(topic, data, opcode) end

--- What was agreed with TLS.
---@class ws.TLSInfo
---@field version string
---@field cipher string
---@field peer string|nil The subject of the peer's certificate.
---@field verified boolean Its certificate was checked, and is good.
---@field resumed boolean An earlier TLS session goes on.

--- A message lent to its handler: `#view` is its length, tostring(view) a string
--- made of it. It raises once the handler has returned.
---@class ws.View
local View = {}

--- As string.sub.
---@param i integer
---@param j? integer
---@return string
function View:sub(i, j) end

--- As string.byte.
---@param i? integer 1 by default
---@param j? integer
---@return integer ...
function View:byte(i, j) end

--- A handshake's or a plain HTTP request.
---@class ws.Request
---@field method string
---@field path string With no query.
---@field query string|nil What follows the "?", as it came.
---@field headers table<string, string> By name in lower case; repeated ones joined by ", ".
---@field protocols string[] The subprotocols a handshake offers.
---@field origin string|nil
---@field remoteAddress string|nil
---@field httpVersion "1.0"|"1.1"
---@field body string|nil A plain HTTP request's.
---@field upgrade boolean Whether it is a WebSocket's handshake.
---@field sameOrigin boolean Whether its Origin is that of its Host.

--- An event, as the DOM has it: told to on... handlers and listeners.
---@class ws.Event
---@field type string "open", "message", "error", "close", "ping", "pong" or "drain".
---@field target any The socket.
---@field currentTarget any The same while it is dispatched.
---@field eventPhase integer
---@field bubbles boolean
---@field cancelable boolean
---@field composed boolean
---@field defaultPrevented boolean
---@field isTrusted boolean False for what dispatchEvent got.
---@field NONE 0
---@field CAPTURING_PHASE 1
---@field AT_TARGET 2
---@field BUBBLING_PHASE 3

--- A message.
---@class ws.MessageEvent: ws.Event
---@field data string
---@field opcode "text"|"binary"
---@field origin string The URL's origin.
---@field lastEventId string
---@field ports table

--- The end of a connection.
---@class ws.CloseEvent: ws.Event
---@field code integer
---@field reason string
---@field wasClean boolean Whether both sides have said Close.

--- Why a connection failed; a close event follows.
---@class ws.ErrorEvent: ws.Event
---@field message string For people.
--- A stable name, among others: before it opens "ENOTFOUND", "ECONNREFUSED", "ECONNRESET",
--- "ENETUNREACH", "EHOSTUNREACH", "ENOENT", "EACCES", "EINVAL", "EPROXY", "ETLS", "EHTTP",
--- "EHEADTOOBIG", "EHANDSHAKE", "ETIMEDOUT", "ECONNABORTED"; later "EPROTOCOL", "EUTF8", "ETOOBIG",
--- "EDEFLATE", "ECONNRESET", "EPIPE", "ETRUNCATED", "ETIMEDOUT", "EBACKPRESSURE"; ever "EMFILE",
--- "ENOBUFS", "ENOMEM".
---@field code string

--- A ping or a pong.
---@class ws.DataEvent: ws.Event
---@field data string
