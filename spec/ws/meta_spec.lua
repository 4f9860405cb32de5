-- SPDX-License-Identifier: MIT
-- The annotations are complete: every public function, method, property and option is
-- described and typed, and nothing else is. What is public is found in the running
-- module.

local model = require "spec.tools.docs.model"
local public = require "spec.tools.docs.public"
local source = require "spec.tools.docs.source"

describe("the annotations", function()
  local described = model.load()
  local classes = described.classes

  local function complain(list)
    table.sort(list)
    assert.equal("", table.concat(list, "\n"))
  end

  it("are found wherever the project stands", function()
    local file = "lua/ws/adapter/luv.lua"
    for _, above in ipairs { "./", "/home/me/ws/", "/ws/ws/", "" } do
      assert.equal(file, model.file_of("@" .. above .. file))
    end
    assert.is_nil(model.file_of "=[C]")
  end)

  for class_name, names in pairs(public.classes()) do
    local class = classes[class_name]

    it("name all of " .. class_name .. ", and nothing more", function()
      assert.truthy(class)
      local wrong = {}
      for name in pairs(names) do
        if not model.member(classes, class, name) then
          wrong[#wrong + 1] = name .. " is not described"
        end
      end
      local optional = class_name:find "Event$" or class_name == "ws.Request"
      for _, list in ipairs { class.fields, class.functions } do
        for _, member in ipairs(list) do
          if not names[member.name] and not optional then
            wrong[#wrong + 1] = member.name .. " is described and not there"
          end
        end
      end
      complain(wrong)
    end)
  end

  -- Whether an annotated type covers what the validator expects.
  local accepts = {
    string = function(type_) return type_:find "string" or type_:find '^"' end,
    number = function(type_) return type_:find "number" or type_:find "integer" or
      type_:find "string" end, -- numbers are taken where strings are
    size = function(type_) return type_ == "integer" end,
    boolean = function(type_) return type_:find "boolean" or type_:find "false" end,
    table = function(type_)
      return type_:find "%[%]" or type_:find "table" or type_:find "ws%.%u"
    end,
    ["function"] = function(type_) return type_:find "fun%(" end,
    any = function() return true end,
  }
  accepts.callable = accepts["function"]

  for class_name, schema in pairs(public.options()) do
    local class = classes[class_name]

    it("name the options of " .. class_name .. ", with the types it takes", function()
      assert.truthy(class)
      local wrong, known = {}, {}
      for _, field in ipairs(model.all_fields(classes, class)) do
        known[field.name] = field
        if not schema[field.name] then
          wrong[#wrong + 1] = field.name .. " is described and not accepted"
        end
        if not field.optional and field.name ~= "url" then
          wrong[#wrong + 1] = field.name .. " is not optional"
        end
      end
      for name, expected in pairs(schema) do
        local field = known[name]
        if not field then
          wrong[#wrong + 1] = name .. " is not described"
        elseif type(expected) == "string" then
          for kind in expected:gmatch "%a+" do
            if not accepts[kind](field.type) then
              wrong[#wrong + 1] = ("%s: %s is no %s"):format(name, field.type, kind)
            end
          end
        end
      end
      complain(wrong)
    end)
  end

  -- ---------------------------------------------------- complete and typed

  for name, class in pairs(classes) do
    it("of " .. name .. " stand on a page, with a description", function()
      local listed = false
      for _, other in ipairs(described.order) do listed = listed or other == name end
      assert.is_true(listed)
      assert.truthy(class.text ~= "")
    end)

    for _, fn in ipairs(class.functions) do
      if model.is_public(fn) then
        it(("describe and type %s%s%s"):format(name, fn.sep, fn.name), function()
          assert.truthy(fn.text ~= "", "no description")
          local typed = {}
          for i, param in ipairs(fn.params) do typed[i] = param.name end
          assert.same(fn.arguments, typed)
          if source.returns_something(fn.file, fn) then
            assert.truthy(fn.returns[1], "no @return")
          end
        end)
      end
    end
  end

  it("describe every option", function()
    local wrong = {}
    for name, class in pairs(classes) do
      local is_options = name:find "Options$" or name:find "TLS$" or name == "ws.Compression"
        or name == "ws.Terms"
      for _, field in ipairs(is_options and class.fields or {}) do
        if field.text == "" then wrong[#wrong + 1] = name .. "." .. field.name end
      end
    end
    complain(wrong)
  end)

  it("have types that are whole", function()
    local wrong = {}
    local function look(what, type_)
      local rest = type_:gsub('"[^"]*"', "x"):gsub("%b()", ""):gsub("%b<>", ""):gsub("%b{}", "")
      if type_ == "" or rest:find '[()<>{}"]' or rest:find "[:,|]%s*$" then
        wrong[#wrong + 1] = ("%s: '%s'"):format(what, type_)
      end
    end
    for name, class in pairs(classes) do
      for _, field in ipairs(class.fields) do look(name .. "." .. field.name, field.type) end
      for _, fn in ipairs(class.functions) do
        for _, part in ipairs(fn.params) do look(name .. "." .. fn.name, part.type) end
        for _, part in ipairs(fn.returns) do look(name .. "." .. fn.name, part.type) end
      end
    end
    complain(wrong)
  end)

  it("tell of every failure that status.c names", function()
    local told = model.member(classes, classes["ws.ErrorEvent"], "code").text
    -- Codes that never end a connection: internal ones, a listener's, the caller's mistakes.
    local others = { OK = true, EAGAIN = true, EOF = true, EURL = true,
                     EADDRINUSE = true, EADDRNOTAVAIL = true, ERANDOM = true,
                     ESYSTEM = true, EUNSUPPORTED = true, EUNKNOWN = true }
    local wrong = {}
    for line in io.lines "csrc/bytes/status.c" do
      local name = line:match "%[%-WS_%w+%] = {\"(%w+)\""
      if name and not others[name] and not told:find('"' .. name .. '"', 1, true) then
        wrong[#wrong + 1] = name
      end
    end
    complain(wrong)
  end)

  it("name only classes that there are", function()
    local wrong, builtin = {}, { ["ws.core"] = true }
    local function look(what, type_)
      for used in type_:gmatch "ws%.[%w.]+" do
        if not classes[used] and not builtin[used] then
          wrong[#wrong + 1] = what .. ": " .. used
        end
      end
    end
    for name, class in pairs(classes) do
      if class.parent then look(name, class.parent) end
      for _, field in ipairs(class.fields) do look(name .. "." .. field.name, field.type) end
      for _, fn in ipairs(class.functions) do
        for _, part in ipairs(fn.params) do look(name .. "." .. fn.name, part.type) end
        for _, part in ipairs(fn.returns) do look(name .. "." .. fn.name, part.type) end
      end
    end
    complain(wrong)
  end)
end)
