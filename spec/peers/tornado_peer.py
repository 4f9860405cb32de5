# SPDX-License-Identifier: MIT
"""A peer with Tornado that obeys orders.   tornado_peer.py server | client URL

A server prints its ports: plain, TLS.
"""

import asyncio
import ssl
import sys

from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect

control = None


async def report(text):
    await control.write_message(text)


def close(ws, rest):
    code, _, reason = rest.partition(" ")
    if code:
        ws.close(int(code), reason)
    else:
        ws.close()


ORDERS = {"ping": lambda ws, data: ws.ping(data.encode()), "close": close}


async def obey(ws, message):
    if isinstance(message, str) and message.startswith("!"):
        order, _, rest = message[1:].partition(" ")
        ORDERS[order](ws, rest)
    else:
        await ws.write_message(message, binary=isinstance(message, bytes))


async def tell_pong(ws, data):
    await ws.write_message("pong " + data.decode())


async def tell_close(ws):
    await report(f"closed {ws.close_code or 1005} {ws.close_reason or ''}")


# ------------------------------------------------------------------ server


class Control(WebSocketHandler):
    def open(self):
        global control
        control = self

    def on_message(self, message):
        pass


class Peer(WebSocketHandler):
    def get_compression_options(self):
        return {}

    def select_subprotocol(self, subprotocols):
        return "chat.v1" if "chat.v1" in subprotocols else None

    async def on_message(self, message):
        await obey(self, message)

    def on_pong(self, data):
        return tell_pong(self, data)

    def on_close(self):
        asyncio.create_task(tell_close(self))


async def serve():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain("build/certs/server.pem", "build/certs/leaf.key")
    app = Application([("/control", Control), ("/obey", Peer)])
    ports = []
    for context in [None, tls]:
        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(app, ssl_options=context).add_sockets(sockets)
        ports.append(sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await asyncio.Future()


# ------------------------------------------------------------------ client


async def open_one(url, protocols):
    request = HTTPRequest(url, ca_certs="build/certs/root.pem")
    offered = protocols.split(",") if protocols else None
    try:
        ws = await websocket_connect(request, subprotocols=offered, compression_options={})
    except Exception as error:  # any error goes into the report
        await report(f"failed {error}")
        return
    # Tornado's clients have no callback for pongs.
    ws.on_pong = lambda data: asyncio.create_task(tell_pong(ws, data))
    while (message := await ws.read_message()) is not None:
        await obey(ws, message)
    await tell_close(ws)


async def run_client(url):
    global control
    tasks = set()
    control = await websocket_connect(url + "/control")
    while (order := await control.read_message()) is not None:
        _, target, protocols = order.split(" ")
        tasks.add(asyncio.create_task(open_one(target, protocols)))


asyncio.run(serve() if sys.argv[1] == "server" else run_client(sys.argv[2]))
