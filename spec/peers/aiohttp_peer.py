# SPDX-License-Identifier: MIT
"""A peer with aiohttp that obeys orders.   aiohttp_peer.py server | client URL

A server prints its ports: plain, TLS.
"""

import asyncio
import ssl
import sys

import aiohttp
from aiohttp import WSMsgType, web

# Pings and pongs come to us instead of being handled by the library.
OPTIONS = {"autoping": False, "max_msg_size": 4 * 1024 * 1024}
control = None


async def report(text):
    await control.send_str(text)


async def order(ws, text):
    """Carries out an order. Returns a Close's reason, which aiohttp forgets."""
    name, _, rest = text[1:].partition(" ")
    if name == "ping":
        await ws.ping(rest.encode())
    elif name == "close":
        code, _, reason = rest.partition(" ")
        await ws.close(code=int(code), message=reason.encode())
        return reason
    return ""


async def obey(ws):
    code, reason = None, ""
    while not ws.closed:
        message = await ws.receive()
        if message.type == WSMsgType.PING:
            await ws.pong(message.data)
        elif message.type == WSMsgType.PONG:
            await ws.send_str("pong " + message.data.decode())
        elif message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.type == WSMsgType.CLOSE:
            # Newer versions take a Close without a code for none.
            code, reason = message.data or 1005, message.extra
        elif message.type == WSMsgType.TEXT and message.data.startswith("!"):
            reason = await order(ws, message.data)
        elif message.type == WSMsgType.TEXT:
            await ws.send_str(message.data)
    await report(f"closed {code or ws.close_code or 1005} {reason}")


# ------------------------------------------------------------------ server


async def serve_control(request):
    global control
    control = web.WebSocketResponse()
    await control.prepare(request)
    async for _ in control:
        pass
    return control


async def serve_one(request):
    ws = web.WebSocketResponse(protocols=["chat.v1"], compress=True, **OPTIONS)
    await ws.prepare(request)
    await obey(ws)
    return ws


async def serve():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain("build/certs/server.pem", "build/certs/leaf.key")
    app = web.Application()
    app.add_routes([web.get("/control", serve_control), web.get("/obey", serve_one)])
    runner = web.AppRunner(app)
    await runner.setup()
    for context in [None, tls]:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    print(*(port for _, port in runner.addresses), flush=True)
    await asyncio.Future()


# ------------------------------------------------------------------ client


async def open_one(session, url, protocols):
    tls = ssl.create_default_context(cafile="build/certs/root.pem")
    offered = protocols.split(",") if protocols else []
    try:
        ws = await session.ws_connect(url, protocols=offered, ssl=tls, compress=15, **OPTIONS)
    except aiohttp.ClientError as error:
        await report(f"failed {error}")
    else:
        await obey(ws)


async def run_client(url):
    global control
    tasks = set()
    async with aiohttp.ClientSession() as session:
        control = await session.ws_connect(url + "/control")
        async for message in control:
            _, target, protocols = message.data.split(" ")
            tasks.add(asyncio.create_task(open_one(session, target, protocols)))


asyncio.run(serve() if sys.argv[1] == "server" else run_client(sys.argv[2]))
