-- SPDX-License-Identifier: MIT
-- For LuaLS and `make docs`: what ws.core provides, which is written in C, and
-- the fields of events and requests. What is written in Lua is annotated in its
-- own file. No code: nothing requires this file. spec/ws/meta_spec.lua compares
-- it with what there is.
---@meta ws.meta.objects
-- luacheck: ignore 211 212 241

--- WebSocket for Lua: what `require "ws"` returns. Calling this table is the same as
--- calling ws.new.
---@class ws
---@field VERSION string
---@field _VERSION string The same as VERSION.
---@field CONNECTING 0 The states of a socket.
---@field OPEN 1
---@field CLOSING 2
---@field CLOSED 3
--- Called with errors raised in handlers, which otherwise go to stderr. What it raises itself is
--- raised by ws.run or ws.poll.
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

--- One WebSocket: the browser's object, for clients and servers. Reading an
--- unknown property gives nil; assigning one raises TypeError.
---@class ws.WebSocket
---@field CONNECTING 0 The states.
---@field OPEN 1
---@field CLOSING 2
---@field CLOSED 3
---@field url string|nil The URL, normalised; nil for a server's socket.
---@field readyState 0|1|2|3
---@field bufferedAmount integer Payload bytes given to send that the system has not taken yet.
---@field protocol string The subprotocol agreed on; "" if none.
---@field extensions string The extensions agreed on; "" if none.
---@field binaryType "blob"|"arraybuffer" Kept for parity: binary data is a string either way.
---@field onopen? fun(event: ws.Event)
---@field onmessage? fun(event: ws.MessageEvent)
---@field onerror? fun(event: ws.ErrorEvent)
---@field onclose? fun(event: ws.CloseEvent)
---@field onping? fun(event: ws.DataEvent)
---@field onpong? fun(event: ws.DataEvent)
---@field ondrain? fun(event: ws.Event) The peer has caught up after send returned false.
---@field remoteAddress string|nil The peer's address; nil before there is a TCP connection.
---@field remotePort integer|nil
--- Our address, while there is a TCP connection. That may be gone when `close` comes: then this,
--- localPort and `tls` are nil.
---@field localAddress string|nil
---@field localPort integer|nil
---@field tls ws.TLSInfo|nil Set while the connection is encrypted.
---@field latency number|nil Milliseconds from the last automatic ping to its pong.
---@field data any A place for your own state.
local WebSocket = {}

--- Sends a message. Raises InvalidStateError while CONNECTING, and TypeError for
--- text that is not UTF-8. Once closing has begun the data is discarded.
---@param data string|number|ws.View
---@param opcode? "text"|"binary" "text" by default; for a view, the view's own
---@param options? ws.SendOptions
---@return boolean more false if bufferedAmount is now above highWaterMark
function WebSocket:send(data, opcode, options) end

--- Drops the connection at once; the close event has code 1006.
function WebSocket:terminate() end

--- Sends a ping (RFC 6455 section 5.5.2).
---@param data? string at most 125 bytes
function WebSocket:ping(data) end

--- Sends an unsolicited pong; pings are answered automatically.
---@param data? string at most 125 bytes
function WebSocket:pong(data) end

--- Subscribes a server's socket to a topic: it gets what is published there.
---@param topic string
function WebSocket:subscribe(topic) end

--- Ends a subscription.
---@param topic string
---@return boolean was whether it was subscribed
function WebSocket:unsubscribe(topic) end

--- The topics that a server's socket is subscribed to. It leaves them when its TCP connection
--- ends, which may be before `close` is called: what that needs to know belongs into sock.data.
---@return string[]
function WebSocket:topics() end

--- Sends a message to all subscribers of a topic except this socket. The message is
--- framed and compressed once for all of them.
---@param topic string
---@param data string|ws.View
---@param opcode? "text"|"binary" "text" by default; for a view, the view's own
---@return integer count how many it was sent to
function WebSocket:publish(topic, data, opcode) end

--- What TLS agreed on.
---@class ws.TLSInfo
---@field version string
---@field cipher string
---@field peer string|nil The subject of the peer's certificate.
---@field verified boolean The peer's certificate was checked, and is good.
---@field resumed boolean An earlier TLS session was resumed.

--- A message lent to its handler: `#view` is its length, and tostring(view) makes a
--- string of it. After the handler has returned, using it raises.
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

--- The request of a handshake, or a plain HTTP request.
---@class ws.Request
---@field method string
--- As received, without the query. If you protect a path by comparing it, mind that a client may
--- send an absolute URI instead (RFC 9112 section 3.2.2), which is left as it is.
---@field path string
---@field query string|nil What follows the "?", not decoded.
--- Keys are in lower case; repeated headers are joined by ", ", those of Cookie by "; ".
---@field headers table<string, string>
---@field protocols string[] The subprotocols a handshake offers.
---@field origin string|nil
---@field remoteAddress string|nil
---@field httpVersion "1.0"|"1.1"
---@field body string|nil Of a plain HTTP request.
---@field upgrade boolean Whether it is a WebSocket handshake.
---@field sameOrigin boolean Whether Origin and Host name the same host and port.

--- An event, as in the DOM: what on... handlers and listeners are called with.
---@class ws.Event
---@field type string "open", "message", "error", "close", "ping", "pong" or "drain".
---@field target any The socket.
---@field currentTarget any The socket, while the event is dispatched.
---@field eventPhase integer
---@field bubbles boolean
---@field cancelable boolean
---@field composed boolean
---@field defaultPrevented boolean
---@field isTrusted boolean False for events passed to dispatchEvent.
---@field NONE 0
---@field CAPTURING_PHASE 1
---@field AT_TARGET 2
---@field BUBBLING_PHASE 3

--- A message.
---@class ws.MessageEvent: ws.Event
---@field data string
---@field opcode "text"|"binary"
---@field origin string The origin of the URL.
---@field lastEventId string
---@field ports table

--- The end of a connection.
---@class ws.CloseEvent: ws.Event
---@field code integer
---@field reason string
---@field wasClean boolean Whether both sides sent a Close.

--- Why a connection failed; a close event follows.
---@class ws.ErrorEvent: ws.Event
---@field message string For people.
--- A stable name. Among others, before the connection opens: "ENOTFOUND", "ECONNREFUSED",
--- "ECONNRESET", "ENETUNREACH", "EHOSTUNREACH", "ENOENT", "EACCES", "EINVAL", "EPROXY", "ETLS",
--- "EHTTP", "EHEADTOOBIG", "EHANDSHAKE", "ETIMEDOUT", "ECONNABORTED"; later: "EPROTOCOL", "EUTF8",
--- "ETOOBIG", "EDEFLATE", "ECONNRESET", "EPIPE", "ETRUNCATED", "ETIMEDOUT", "EBACKPRESSURE"; at any
--- time: "EMFILE", "ENOBUFS", "ENOMEM".
---@field code string

--- A ping or a pong.
---@class ws.DataEvent: ws.Event
---@field data string
