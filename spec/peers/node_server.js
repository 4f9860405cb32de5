// SPDX-License-Identifier: MIT
// A server with the npm package ws that obeys orders; prints its ports: plain, TLS.
//   node_server.js [HOST]
"use strict"

const fs = require("fs")
const http = require("http")
const https = require("https")
const { WebSocketServer } = require("../../build/peers/node_modules/ws")
const obey = require("./node_obey")

const host = process.argv[2] ?? "127.0.0.1"
let control
const report = text => control?.send(text)

function serve(server) {
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: offered => offered.has("chat.v1") && "chat.v1",
  })
  sockets.on("connection", (ws, request) => {
    if (request.url === "/control") control = ws
    else obey(ws, report)
  })
  return new Promise(done => server.listen(0, host, () => done(server.address().port)))
}

const tls = {
  cert: fs.readFileSync("build/certs/server.pem"),
  key: fs.readFileSync("build/certs/leaf.key"),
}
Promise.all([serve(http.createServer()), serve(https.createServer(tls))])
  .then(ports => console.log(ports.join(" ")))
