-- The sets of topics, and calls with many members at once. commit.py puts this file in front of
-- commit.lua. One call with all members of a set costs less than a call for each member. So a commit
-- first collects the members, and then calls once for each set.
-- See docs/decisions/0093-a-commit-groups-its-calls.md.

-- The sets of an event: one for each topic in its header, or the set of '' for a broadcast. `prefix`
-- is the set of ''.
local function topics_of(header, prefix)
  local found = {}
  for topic in string.gmatch(header, ' ([^ ]+)') do found[#found + 1] = prefix .. topic end
  return #found > 0 and found or {prefix}
end

-- A position as a member: both numbers have 20 digits, so members sort in the order of the journal.
local function padded(position)
  local a, b = string.match(position, '^(%d+)-(%d+)$')
  return string.rep('0', 20 - #a) .. a .. '-' .. string.rep('0', 20 - #b) .. b
end

-- Values by set. `names` are the sets in the order in which they were first used.
local function collection()
  return {names = {}, values = {}}
end

local function collect(sets, name, value)
  local values = sets.values[name]
  if not values then
    values = {}
    sets.values[name] = values
    sets.names[#sets.names + 1] = name
  end
  values[#values + 1] = value
end

-- Lua's stack is limited, so one call has at most this many values. It is even, because ZADD has pairs.
local most_values = 1000

-- ZADD or ZREM with the values from `first` to `last`. `option` is an option of ZADD or nil. Returns
-- the sum of the replies.
local function change_set(command, key, option, values, first, last)
  local sum = 0
  for from = first, last, most_values do
    local upto = math.min(from + most_values - 1, last)
    if option then
      sum = sum + redis.call(command, key, option, unpack(values, from, upto))
    else
      sum = sum + redis.call(command, key, unpack(values, from, upto))
    end
  end
  return sum
end

-- How many of these sets exist.
local function count_existing(names)
  local sum = 0
  for from = 1, #names, most_values do
    sum = sum + redis.call('EXISTS', unpack(names, from, math.min(from + most_values - 1, #names)))
  end
  return sum
end
