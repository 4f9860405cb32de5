# SPDX-License-Identifier: MIT
"""Python's websockets as a client: client_python.py PORT CONNECTIONS DEPTH SIZE SECONDS"""
import asyncio
import sys
import time

import websockets

PORT, CONNECTIONS, DEPTH, SIZE = map(int, sys.argv[1:5])
SECONDS = float(sys.argv[5])
came = 0


async def answer(socket):
    global came
    async for message in socket:
        came += 1
        await socket.send(message)


async def main():
    url = f"ws://127.0.0.1:{PORT}"
    sockets = [await websockets.connect(url, compression=None, ping_interval=None)
               for _ in range(CONNECTIONS)]
    for socket in sockets:
        for _ in range(DEPTH):
            await socket.send(b"x" * SIZE)
    tasks = [asyncio.ensure_future(answer(socket)) for socket in sockets]
    await asyncio.sleep(0.2)
    before, cpu = came, time.process_time()
    await asyncio.sleep(SECONDS)
    messages = came - before
    each = (time.process_time() - cpu) * 1e6 / max(messages, 1)
    print(f"messages={messages} own_us={each:.4f}", flush=True)
    for task in tasks:
        task.cancel()


asyncio.run(main())
