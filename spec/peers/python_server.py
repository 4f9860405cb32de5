# SPDX-License-Identifier: MIT
"""A server with Python's websockets that obeys orders; prints its ports: plain, TLS."""

import asyncio
import ssl

import websockets
from python_obey import obey

control = None


async def report(text):
    await control.send(text)


def path_of(ws):
    return ws.path if hasattr(ws, "path") else ws.request.path  # before 14, and since


async def serve_one(ws):
    global control
    if path_of(ws) == "/control":
        control = ws
        await ws.wait_closed()
    else:
        await obey(ws, report)


def choose(first, second):
    """Gets the offered subprotocols first before version 14, and second since. Without
    this, newer servers refuse those who offer none."""
    offered = first if isinstance(first, list) else second
    return "chat.v1" if "chat.v1" in offered else None


async def serve(tls):
    server = await websockets.serve(
        serve_one, "127.0.0.1", 0, ssl=tls, subprotocols=["chat.v1"],
        select_subprotocol=choose, max_size=None
    )
    return server.sockets[0].getsockname()[1]


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain("build/certs/server.pem", "build/certs/leaf.key")
    print(await serve(None), await serve(tls), flush=True)
    await asyncio.Future()


asyncio.run(main())
