-- SPDX-License-Identifier: MIT
-- What is measured and what is required. A row's figure is microseconds of CPU
-- time per message, unless `figure` names another. It is divided by that of the
-- base, which is the floor with the same load, unless `base` says otherwise.
--
-- name      its name in the table
-- load      options of build/bench/load
-- mode      how the servers are started, "echo" by default
-- base      {subject=, mode=, load=}, each by default as the row's own;
--           {tool=}: the load generator without a server, with these options;
--           {own=}: the load generator's own figure with these options
-- must, aim the limit of the ratio, and the ratio to aim for
-- most      the limit of the figure itself
-- more      by how much the figure may exceed the base's
-- unit      the figure's unit, "us" by default; scale: the factor that converts it
-- client    measures clients instead of servers, with these options
-- skip      peers that are too slow or need too much memory; only: the only peers
-- quick     also measured with QUICK=1
-- fresh     starts new servers

local function echo(size, connections, depth, must, aim, more)
  local row = {
    name = ("echo %s, %d connections, %d in flight"):format(size, connections, depth),
    load = ("echo -s %d -c %d -k %d"):format(
      size:gsub(" .*", "") * (size:find "KiB" and 1024 or size:find "MiB" and 1048576 or 1),
      connections, depth),
    must = must, aim = aim,
  }
  for key, value in pairs(more or {}) do row[key] = value end
  return row
end

return {
  echo("16 B", 50, 1, 1.08, 1.02),
  echo("125 B", 50, 1, 1.08, 1.02, { quick = true }),
  echo("125 B", 500, 1, 1.10, 1.02),
  echo("125 B", 5000, 1, 1.15, 1.02, { skip = "python lua_http" }),
  echo("16 B", 50, 16, 1.35, 1.10),
  echo("125 B", 50, 16, 1.35, 1.10, { quick = true }),
  echo("125 B", 500, 16, 1.35, 1.10, { skip = "python lua_http" }),
  echo("1 KiB", 50, 16, 1.6, 1.2, { quick = true }),
  echo("16 KiB", 50, 1, 1.3, 1.05),
  echo("16 KiB", 50, 16, 1.7, 1.25, { quick = true }),
  -- `must` is 1.3 times what a C echo takes, which is 1.46 times the floor.
  echo("1 MiB", 10, 1, 1.9, 1.46, { quick = true, skip = "bare" }),
  echo("125 B", 50, 16, 1.35, 1.10, {
    mode = "views", name = "echo of views 125 B, 50 connections, 16 in flight",
    base = { subject = "floor", mode = "echo" } }),
  echo("16 KiB", 50, 16, 1.7, 1.25, {
    mode = "views", name = "echo of views 16 KiB, 50 connections, 16 in flight",
    base = { subject = "floor", mode = "echo" } }),
  {
    name = "browser events against the raw handler", mode = "events",
    load = "echo -s 125 -c 50 -k 16", base = { subject = "ours", mode = "echo" },
    more = 0.20, only = "luajit",
  },
  {
    name = "UTF-8 of two bytes against binary, 16 KiB", load = "echo -s 16384 -t utf8",
    base = { subject = "ours", load = "echo -s 16384" }, must = 1.15, aim = 1.05, quick = true,
  },
  {
    name = "permessage-deflate, JSON of 1 KiB, 16 in flight, against zlib alone", mode = "deflate",
    load = "echo -s 1024 -t json -z -c 10 -k 16",
    base = { tool = "zlib -s 1024 -t json -c 10 -k 16 -d 0.1" },
    must = 1.15, aim = 1.05,
  },
  -- `must` is what uWebSockets takes, compared with a C echo.
  {
    name = "broadcast 125 B to 1000, 1 in flight", mode = "broadcast",
    load = "broadcast -c 1000 -k 1", must = 0.97, aim = 0.78,
  },
  {
    name = "broadcast 125 B to 1000, 16 in flight", mode = "broadcast",
    load = "broadcast -c 1000 -k 16", must = 1.25, aim = 1.0, quick = true,
  },
  { name = "open and close", load = "open -c 20", most = 60 },
  {
    name = "idle connection", load = "idle -c 5000", figure = "rss_each", unit = "KiB",
    scale = 1 / 1024, most = 1, fresh = true, quick = true,
  },
  {
    name = "client, 125 B, 50 connections, 16 in flight, against this generator",
    mode = "client", client = "50 16 125", base = { own = "echo -s 125 -c 50 -k 16" }, most = 1.0,
  },
  {
    name = "TLS against plain, 125 B, 1 in flight", mode = "tls", load = "echo -s 125 -T",
    base = { subject = "ours", mode = "echo", load = "echo -s 125" }, must = 1.6, aim = 1.4,
  },
  {
    name = "growth: 19900 connections against 5000", load = "echo -s 125 -c 19900 -w 1",
    base = { subject = "ours", load = "echo -s 125 -c 5000 -w 1" }, must = 1.3, aim = 1.0,
    only = "",
  },
}
