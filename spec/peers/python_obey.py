# SPDX-License-Identifier: MIT
"""The orders that peer.lua describes, for Python's websockets."""

import sys

import websockets


async def ping(ws, data):
    answered = await ws.ping(data)
    await answered
    await ws.send("pong " + data)


async def fragments(ws, kind):
    parts = [b"\0", b"\1\xfe", b"\xff"] if kind == "binary" else ["frag ", "ment ", "ed"]
    await ws.send(parts)


async def close_without_code(ws):
    if hasattr(ws, "write_close_frame"):  # before version 14
        await ws.write_close_frame(websockets.frames.Close(1005, ""), b"")
    else:
        await ws.close(None)


async def close(ws, rest):
    code, _, reason = rest.partition(" ")
    if code:
        await ws.close(int(code), reason)
    else:
        await close_without_code(ws)


async def terminate(ws, _):
    ws.transport.abort()


ORDERS = {"ping": ping, "fragments": fragments, "close": close, "terminate": terminate}


async def obey(ws, report):
    try:
        async for message in ws:
            if isinstance(message, str) and message.startswith("!"):
                order, _, rest = message[1:].partition(" ")
                await ORDERS[order](ws, rest)
            else:
                await ws.send(message)
    except websockets.ConnectionClosed as closed:
        print(closed, file=sys.stderr)
    await ws.wait_closed()
    await report(f"closed {ws.close_code} {ws.close_reason}")
