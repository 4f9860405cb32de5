# SPDX-License-Identifier: MIT
"""A client with Python's websockets that obeys orders.   python_client.py URL"""

import asyncio
import ssl
import sys

import websockets
from python_obey import obey


async def open_one(url, protocols, report):
    options = {"subprotocols": protocols.split(",") if protocols else None, "max_size": None}
    if url.startswith("wss:"):
        options["ssl"] = ssl.create_default_context(cafile="build/certs/root.pem")
    try:
        ws = await websockets.connect(url, **options)
    except Exception as error:  # any error goes into the report
        await report(f"failed {error}")
    else:
        await obey(ws, report)


async def main():
    tasks = set()
    async with websockets.connect(sys.argv[1] + "/control") as control:
        async for order in control:
            _, url, protocols = order.split(" ")
            tasks.add(asyncio.create_task(open_one(url, protocols, control.send)))


asyncio.run(main())
