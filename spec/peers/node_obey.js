// SPDX-License-Identifier: MIT
// The orders that peer.lua describes, for the npm package ws.
"use strict"

const orders = {
  ping: (ws, data) => ws.ping(data),
  fragments(ws, kind) {
    const binary = kind === "binary"
    const parts = binary ? [[0], [1, 254], [255]].map(Buffer.from) : ["frag ", "ment ", "ed"]
    parts.forEach((part, i) => ws.send(part, { binary, fin: i === parts.length - 1 }))
  },
  split(ws) { // the three bytes of one character
    ws.send(Buffer.from([0xe2]), { binary: false, fin: false })
    ws.ping("between")
    ws.send(Buffer.from([0x82, 0xac]), { binary: false, fin: true })
  },
  close(ws, rest) {
    const [, code, reason] = rest.match(/^(\d*) ?(.*)$/)
    if (code) ws.close(Number(code), reason)
    else ws.close()
  },
  terminate: ws => ws.terminate(),
}

module.exports = function obey(ws, report) {
  ws.on("message", (data, binary) => {
    const order = !binary && data.toString().match(/^!(\w+) ?(.*)$/)
    if (order) orders[order[1]](ws, order[2])
    else ws.send(data, { binary })
  })
  ws.on("pong", data => ws.send(`pong ${data}`))
  ws.on("close", (code, reason) => report(`closed ${code} ${reason}`))
  ws.on("error", error => console.error(error))
}
