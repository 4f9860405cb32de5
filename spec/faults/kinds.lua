-- SPDX-License-Identifier: MIT
-- The kinds of faults: at how many points of a scenario each can happen, and how it is
-- armed. `may_lack`: there may be no memory left for a close event. `must_succeed`:
-- the failed call may be tried again, so the scenario has to succeed.

local core = require "ws.core"

local faults = faults -- luacheck: ignore 113

local MANY = 1e9

-- ------------------------------------------------------------------- memory

local function of_core(forever)
  return {
    count = function(run)
      core.failAllocation(MANY)
      run()
      return MANY - core.failAllocation(0)
    end,
    arm = function(k) core.failAllocation(k, forever) end,
  }
end

-- Lua tries a failed allocation once more, after a full collection.
local function of_lua(times)
  return {
    may_lack = times ~= 1,
    must_succeed = times == 1,
    count = function(run)
      faults.failLua(0)
      run()
      return faults.count "lua"
    end,
    arm = function(k) faults.failLua(k, times) end,
  }
end

-- Attack A93: a full collection before every allocation.
local collecting = {
  must_succeed = true,
  list = function(run)
    run()
    return { 1 }
  end,
  arm = function(k) faults.failLua(k, "each") end,
}

local function of_openssl(times)
  return {
    count = function(run)
      faults.failOpenssl(0)
      run()
      return faults.count "openssl"
    end,
    arm = function(k) faults.failOpenssl(k, times) end,
  }
end

-- ------------------------------------------------------------- system calls

-- The numbers of errno and of getaddrinfo on Linux.
local errors = {
  EINTR = 4, EAGAIN = 11, ENOMEM = 12, EACCES = 13, ENFILE = 23, EMFILE = 24, ENOSPC = 28,
  EPIPE = 32, ENOSYS = 38, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENETUNREACH = 101,
  ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105, ETIMEDOUT = 110, ECONNREFUSED = 111,
  EAI_AGAIN = -3, EAI_SYSTEM = -11, EAI_MEMORY = -10,
  SHORT = -1, -- no error, but only one byte is transferred
}

local again = { EINTR = true, EAGAIN = true, SHORT = true, ENOSYS = true }

-- The errors that each call's manual page allows.
local legal = {
  { "socket", "EMFILE ENFILE ENOBUFS ENOMEM" },
  { "socketpair", "EMFILE ENFILE ENOBUFS ENOMEM" },
  { "connect", "EINTR ECONNREFUSED ETIMEDOUT ENETUNREACH EADDRNOTAVAIL ENOBUFS ENOMEM" },
  { "accept4", "EINTR EAGAIN ECONNABORTED EMFILE ENFILE ENOBUFS ENOMEM" },
  { "bind", "EADDRINUSE EACCES ENOMEM" },
  { "listen", "EADDRINUSE ENOBUFS" },
  { "recv", "EINTR EAGAIN SHORT ECONNRESET ETIMEDOUT ENOBUFS ENOMEM" },
  { "send", "EINTR EAGAIN SHORT ECONNRESET EPIPE ETIMEDOUT ENOBUFS ENOMEM" },
  { "sendmsg", "EINTR EAGAIN SHORT ECONNRESET EPIPE ETIMEDOUT ENOBUFS ENOMEM" },
  { "epoll_create1", "EMFILE ENFILE ENOMEM" },
  { "epoll_ctl", "ENOMEM ENOSPC" },
  { "epoll_wait", "EINTR" },
  { "poll", "EINTR" },
  { "getsockopt", "ENOBUFS" },
  { "setsockopt", "ENOBUFS ENOMEM" },
  { "getpeername", "ENOBUFS" },
  { "getsockname", "ENOBUFS" },
  { "getrandom", "EINTR SHORT ENOSYS" },
  { "getaddrinfo", "EAI_AGAIN EAI_SYSTEM EAI_MEMORY" },
  { "pthread_create", "EAGAIN" },
  { "wake", "EINTR ENOBUFS ENOMEM" }, -- send, in a thread of the resolver
}

-- A point of this kind is {call, n, name of the error}.
local calls = {
  list = function(run, choose)
    faults.failCall()
    run()
    local counts, points = {}, {}
    for i, entry in ipairs(legal) do counts[i] = faults.count(entry[1]) end
    for i, entry in ipairs(legal) do
      for _, n in ipairs(choose(counts[i], 4)) do -- each with several errors
        for name in entry[2]:gmatch "%S+" do
          points[#points + 1] = { entry[1], n, name }
        end
      end
    end
    return points
  end,
  arm = function(point) faults.failCall(point[1], point[2], errors[point[3]]) end,
  must = function(point) return again[point[3]] and point[1] ~= "pthread_create" end,
}

return {
  { name = "core once", kind = of_core(false) },
  { name = "core for good", kind = of_core(true) },
  { name = "Lua collects", kind = of_lua(1) },
  { name = "Lua collects each time", kind = collecting },
  { name = "Lua once", kind = of_lua(2) },
  { name = "Lua for good", kind = of_lua(true) },
  { name = "OpenSSL once", kind = of_openssl(1) },
  { name = "OpenSSL for good", kind = of_openssl(true) },
  { name = "calls", kind = calls },
}
