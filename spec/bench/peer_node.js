// SPDX-License-Identifier: MIT
// npm's ws in the bench: peer_node.js MODE prints its port and serves.
// It runs without its optional native parts, as npm installs it.
"use strict";
const fs = require("fs");
const https = require("https");
const { WebSocketServer } = require("ws");

const mode = process.argv[2] || "echo";
const limits = {
  maxPayload: 16 * 1024 * 1024,
  perMessageDeflate: mode === "deflate",
};

function secureServer() {
  return https.createServer({
    cert: fs.readFileSync("build/certs/server.pem"),
    key: fs.readFileSync("build/certs/leaf.key"),
  });
}

function start(listener) {
  const where = listener ? { server: listener } : { port: 0, host: "127.0.0.1" };
  const server = new WebSocketServer({ ...limits, ...where });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => {
      if (mode !== "broadcast") return socket.send(data, { binary });
      for (const other of server.clients) other.send(data, { binary });
    });
  });
  return server;
}

if (mode === "tls") {
  const listener = secureServer();
  start(listener);
  listener.listen(0, "127.0.0.1", () => console.log(listener.address().port));
} else {
  const server = start();
  server.on("listening", () => console.log(server.address().port));
}
