// SPDX-License-Identifier: MIT
// Opens our server's page in Chromium, without a window.   chromium_client.js URL
"use strict"

const crypto = require("crypto")
const fs = require("fs")
const { chromium } = require("../../build/peers/node_modules/playwright-core")

// Has the browser trust our certificate by its key, and no other.
const key = crypto.createPublicKey(fs.readFileSync("build/certs/leaf.key"))
  .export({ type: "spki", format: "der" })
const pin = crypto.createHash("sha256").update(key).digest("base64")

async function main() {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
      "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      `--ignore-certificate-errors-spki-list=${pin}`,
    ],
  })
  process.on("SIGTERM", () => browser.close().then(() => process.exit()))
  const page = await browser.newPage()
  page.on("console", message => console.error(message.text()))
  page.on("pageerror", error => console.error(error))
  await page.goto(process.argv[2].replace(/^ws/, "http"))
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
