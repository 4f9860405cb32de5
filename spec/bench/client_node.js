// SPDX-License-Identifier: MIT
// npm's ws as a client:   client_node.js PORT CONNECTIONS DEPTH SIZE SECONDS
"use strict";
const { WebSocket } = require("ws");

const [port, connections, depth, size, seconds] = process.argv.slice(2).map(Number);
const payload = Buffer.alloc(size, "x");
const sockets = [];
let came = 0;
let opened = 0;

function go() {
  for (const socket of sockets) {
    for (let i = 0; i < depth; i++) socket.send(payload);
  }
  let before, cpu;
  setTimeout(() => { before = came; cpu = process.cpuUsage(); }, 200);
  setTimeout(() => {
    const spent = process.cpuUsage(cpu);
    const each = (spent.user + spent.system) / (came - before);
    console.log(`messages=${came - before} own_us=${each.toFixed(4)}`);
    process.exit(0);
  }, 200 + 1000 * seconds);
}

for (let i = 0; i < connections; i++) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  sockets.push(socket);
  socket.on("open", () => { if (++opened === connections) go(); });
  socket.on("message", (data) => { came++; socket.send(data); });
}
