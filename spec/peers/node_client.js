// SPDX-License-Identifier: MIT
// A client with the npm package ws that obeys orders.   node_client.js URL
"use strict"

const fs = require("fs")
const { WebSocket } = require("../../build/peers/node_modules/ws")
const obey = require("./node_obey")

const ca = fs.readFileSync("build/certs/root.pem")
const control = new WebSocket(`${process.argv[2]}/control`)
const report = text => control.send(text)

control.on("message", message => {
  const [, url, protocols] = message.toString().split(" ")
  const options = { ca, perMessageDeflate: { threshold: 0 } }
  const ws = new WebSocket(url, protocols ? protocols.split(",") : [], options)
  ws.once("open", () => obey(ws, report))
  ws.on("error", error => {
    if (ws.readyState !== WebSocket.OPEN) report(`failed ${error.message}`)
  })
})
control.on("close", () => process.exit())
