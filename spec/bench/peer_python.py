# SPDX-License-Identifier: MIT
"""Python's websockets in the bench: peer_python.py MODE, prints its port."""
import asyncio
import ssl
import sys

import websockets

MODE = sys.argv[1] if len(sys.argv) > 1 else "echo"
CLIENTS = set()


async def echo(socket, *_):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass


async def broadcast(socket, *_):
    CLIENTS.add(socket)
    try:
        async for message in socket:
            websockets.broadcast(CLIENTS, message)
    except websockets.ConnectionClosed:
        pass
    finally:
        CLIENTS.discard(socket)


async def main():
    options = {"max_size": 16 * 1024 * 1024, "ping_interval": None}
    if MODE != "deflate":
        options["compression"] = None
    if MODE == "tls":
        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain("build/certs/server.pem", "build/certs/leaf.key")
    handler = broadcast if MODE == "broadcast" else echo
    server = await websockets.serve(handler, "127.0.0.1", 0, **options)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
