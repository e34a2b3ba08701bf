-- The one atomic commit: all of it happens, or nothing does (docs/architecture.md, "The commit").
--
-- KEYS: 1 journal, 2 progress, then the fence, dead letters, answers, streams and indexes that ARGV
-- names by their place in KEYS: whoever has no token needs no right to the fence. The sets of topics
-- are named by the heads of events, of those trimmed too, so only their prefix is given; they stand
-- in the slot of the others. While a Cluster moves that slot away, a set that has left raises an
-- error wherever it is touched, so each is touched before the first write.
-- ARGV: namespace, channel, fencing token ('' = none asked), fence (0 = none), floor (highest
-- position the committer has seen), journal's maximum length, its maximum age in microseconds
-- (0 = none), prefix of the sets of topics, cursor that the source was read from ('' = not asked),
-- whether all is read that there is ('1'), then sections, each preceded by its number of rows:
--   answers:   answer key, head, seconds to keep it
--   expected:  stream key, version (0 = must not exist)
--   events:    position ('' = to be given here), head, body, stream key (0 = none), document
--   indexes:   '+' or '-', index key, score, member
--   progress:  field, value
--   dead:      key of the dead letters, JSON of one
-- Answers {'committed', position…} or, having written nothing, {'fenced', token}, {'answered', value},
-- {'conflict', stream key, version}, {'seen', position…}, {'disorder', position}, {'behind', floor},
-- {'unsettled'}, {'moved', cursor}.

local at = 10
local function take()
  at = at + 1
  return ARGV[at]
end

local function rows(width)
  local all = {}
  for r = 1, tonumber(take()) do
    local row = {}
    for c = 1, width do row[c] = take() end
    all[r] = row
  end
  return all
end

-- Both halves of a position may pass 2^53, so they are compared as digits, never as numbers.
local function digits_less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function less(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  if a1 ~= b1 then return digits_less(a1, b1) end
  return digits_less(a2, b2)
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- The cursor is the source's own: RPC pads it with zeros.
local stored = redis.call('HGET', KEYS[2], 'cursor')
local cursor = stored and string.match(stored, '^0*(%d+)') or nil

-- Not the last entry's id: that one may be trimmed or deleted, and Redis refuses ids up to this.
-- The first entry follows the place at which this journal began: what was before is not in it. When
-- there was a first entry and the journal alone was deleted, all up to the cursor is missing.
local first
local function journal_top()
  local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
  if info.err then
    local began = redis.call('HGET', KEYS[2], 'began') or '0-0'
    local read = string.format('%s-%.0f', cursor or '0', now)
    local deleted = redis.call('HGET', KEYS[2], 'first') and less(began, read)
    first = true
    return deleted and read or began
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

local function version_of(key)
  local document = redis.call('GET', key)
  return document and string.match(document, '^{"version":(%d+)') or '0'
end

local namespace, channel, token, fence, floor = unpack(ARGV, 1, 5)
local max_length, max_age, topic_prefix = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local from, settled = ARGV[9], ARGV[10]
local answers, expected, events, indexes = rows(3), rows(2), rows(5), rows(4)
local progress, dead = rows(2), rows(2)

-- ── look: whatever refuses the commit does so before the first write ──

if token ~= '' then
  local holder = redis.call('GET', KEYS[tonumber(fence)]) or ''
  if holder ~= token then return {'fenced', holder} end
end

for _, answer in ipairs(answers) do
  local given = redis.call('GET', KEYS[tonumber(answer[1])])
  if given then return {'answered', given} end
end

local top = journal_top()

if from ~= '' and from ~= cursor then return {'moved', stored or ''} end

-- A failover that lost writes leaves the journal below what the committer has seen. An event given a
-- position up there now would shut out the chain events that the indexer is about to bring back.
-- Without a cursor, the loss took that too.
local function behind()
  local lost, have = string.match(floor, '^%d+'), string.match(top, '^%d+')
  return digits_less(have, lost) and (cursor == nil or digits_less(cursor, lost))
end

-- Which history of writes this Redis has, a new one with each start and promotion; '' when the user
-- may not know. Another one than the indexer has settled with may have lost what clients were told,
-- though no committer saw that.
local function server()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
end

local function unsettled()
  local known = redis.call('HGET', KEYS[2], 'server')
  local here = known and server() or ''
  return here ~= '' and known ~= here
end

local seen = {'seen'}
for _, event in ipairs(events) do
  local position = event[1]
  if position == '' then
    if behind() then return {'behind', floor} end
    if unsettled() then return {'unsettled'} end
  elseif not less(top, position) then
    local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    local kept = first and not less(position, first[1])
    if kept and #redis.call('XRANGE', KEYS[1], position, position) == 0 then
      return {'disorder', position}
    end
    seen[#seen + 1] = position
  end
end
if #seen > 1 then return seen end

for _, row in ipairs(expected) do
  local version = version_of(KEYS[tonumber(row[1])])
  if version ~= row[2] then return {'conflict', row[1], version} end
end

-- An event stands in the set of each topic of its head, or in that of '' when it is for everyone.
local function topics_of(head)
  local found = {}
  for topic in string.gmatch(head, ' ([^ ]+)') do found[#found + 1] = topic_prefix .. topic end
  return #found > 0 and found or {topic_prefix}
end

-- What goes: by length, in strides, and by age from the old end; readers start from the top, so it
-- stays unless something newer comes. A commit takes away a bounded number.
local going = {}
local surplus = redis.call('XLEN', KEYS[1]) + #events - max_length
if surplus < 100 then surplus = 0 end
local most = math.min(math.max(surplus, max_age > 0 and #events + 2 or 0), 1000)
for n, entry in ipairs(most > 0 and redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', most) or {}) do
  local published = tonumber(string.match(entry[2][6], '"publishedAt":(%d+)'))
  local expired = max_age > 0 and now - published > max_age
  if (entry[1] == top and #events == 0) or not (n <= surplus or expired) then break end
  going[n] = entry
end

for _, event in ipairs(events) do redis.call('EXISTS', unpack(topics_of(event[2]))) end
for _, entry in ipairs(going) do redis.call('EXISTS', unpack(topics_of(entry[2][4]))) end

-- ── act ──

-- Above all of the top's operation, below the next operation, never used twice: not even after a
-- failover that lost writes, because the committer's floor remembers them.
local function next_position()
  local above = less(top, floor) and floor or top
  local toid, n = string.match(above, '^(%d+)-(%d+)$')
  return string.format('%s-%.0f', toid, math.max(tonumber(n) + 1, now))
end

local function padded(position)
  local a, b = string.match(position, '^(%d+)-(%d+)$')
  return string.rep('0', 20 - #a) .. a .. '-' .. string.rep('0', 20 - #b) .. b
end

local last = ''
local committed = {'committed'}
if first and #events > 0 then redis.call('HSET', KEYS[2], 'first', top) end
for _, event in ipairs(events) do
  local position = event[1] ~= '' and event[1] or next_position()
  local body = string.format('{"id":"%s","publishedAt":%.0f,', position, now) .. string.sub(event[3], 2)
  if event[5] ~= '' then
    local document = string.sub(event[5], 1, -2) .. ',"position":"' .. position .. '"}'
    redis.call('SET', KEYS[tonumber(event[4])], document)
    body = string.sub(body, 1, -2) .. ',"stream":' .. document .. '}'
    last = document
  end
  redis.call('XADD', KEYS[1], position, 'p', top, 'h', event[2], 'b', body)
  for _, topic in ipairs(topics_of(event[2])) do redis.call('ZADD', topic, 0, padded(position)) end
  redis.call('PUBLISH', channel, table.concat({namespace, top, position, event[2]}, ' ') .. '\n' .. body)
  top = position
  committed[#committed + 1] = position
end

for _, row in ipairs(indexes) do
  if row[1] == '+' then
    redis.call('ZADD', KEYS[tonumber(row[2])], row[3], row[4])
  else
    redis.call('ZREM', KEYS[tonumber(row[2])], row[4])
  end
end
for _, row in ipairs(progress) do
  redis.call('HSET', KEYS[2], row[1], row[2])
  if row[1] == 'cursor' and (settled == '1' or not redis.call('HGET', KEYS[2], 'server')) then
    redis.call('HSET', KEYS[2], 'server', server())
  end
end
for _, row in ipairs(dead) do
  redis.call('XADD', KEYS[tonumber(row[1])], 'MAXLEN', '~', 10000, '*', 'letter', row[2])
end

for _, row in ipairs(answers) do
  redis.call('SET', KEYS[tonumber(row[1])], row[2] .. '\n' .. last, 'EX', row[3])
end

local gone = {}
for n, entry in ipairs(going) do
  for _, topic in ipairs(topics_of(entry[2][4])) do redis.call('ZREM', topic, padded(entry[1])) end
  gone[n] = entry[1]
end
if #gone > 0 then redis.call('XDEL', KEYS[1], unpack(gone)) end
return committed
