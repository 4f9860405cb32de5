# SPDX-License-Identifier: MIT
# A TLS client that gets bytes into OpenSSL's buffers, where the descriptor does not
# announce them: a request in one write with the end of the handshake, and a short
# frame in the last record of a long one.   held_bytes.py PORT RESULT
import base64
import os
import socket
import ssl
import struct
import sys
import time

port, result = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile="build/certs/root.pem")
REQUEST = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: " + base64.b64encode(b"x" * 16) + b"\r\n\r\n")


def handshake(tcp):
    """Does the handshake up to our last flight, which is left in `out`."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            return tls, into, out
        except ssl.SSLWantReadError:
            tcp.sendall(out.read())
            into.write(tcp.recv(65536))


def answer(tcp, tls, into):
    got = b""
    while b"\r\n\r\n" not in got:
        try:
            got += tls.read(65536)
        except ssl.SSLWantReadError:
            got_now = tcp.recv(65536)
            if not got_now:
                return got
            into.write(got_now)
    return got


def request_with_finished():
    tcp = socket.create_connection(("127.0.0.1", port))
    tcp.settimeout(3)
    tls, into, out = handshake(tcp)
    tls.write(REQUEST)
    tcp.sendall(out.read())
    try:
        return answer(tcp, tls, into).startswith(b"HTTP/1.1 101 ")
    except OSError:
        return False
    finally:
        tcp.close()


def frame_behind_a_long_one():
    tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                              server_hostname="localhost")
    tls.settimeout(3)
    tls.sendall(REQUEST)
    tls.recv(4096)
    length = 100000
    both = (b"\x82\xff" + struct.pack(">Q", length) + b"\0\0\0\0"
            + b"a" * length + b"\x81\x81\0\0\0\0x")
    tls.sendall(both[:20000])
    time.sleep(0.1)  # so that the rest is read straight into the message
    tls.sendall(both[20000:36384])
    tls.sendall(both[36384:])
    got = b""
    try:
        while got.count(b"echo") < 2:
            more = tls.recv(4096)
            if not more:
                return False
            got += more
        return True
    except OSError:
        return False
    finally:
        tls.close()


opened = sum(request_with_finished() for _ in range(60))
told = sum(frame_behind_a_long_one() for _ in range(5))
with open(result + ".part", "w", encoding="ascii") as file:
    file.write(f"{opened} {told}\n")
os.rename(result + ".part", result)
