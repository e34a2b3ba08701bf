-- The commit: one script call writes everything, or nothing (docs/architecture.md, "The commit").
--
-- Decisions:
--   docs/decisions/0001-position-is-the-chain-id.md
--   docs/decisions/0003-one-atomic-commit.md
--   docs/decisions/0012-api-waits-for-a-lost-journal.md
--   docs/decisions/0013-published-at-is-redis-time.md
--   docs/decisions/0014-fence-is-a-random-token.md
--   docs/decisions/0016-history-by-topic.md
--   docs/decisions/0017-stored-answers-in-the-commit.md
--   docs/decisions/0032-commit-checks-every-set-first.md
--   docs/decisions/0036-api-waits-after-a-failover.md
--   docs/decisions/0061-lua-scripts-are-files.md
--   docs/decisions/0066-journal-is-bounded-in-bytes.md
--   docs/decisions/0069-reads-are-bounded-in-bytes.md
--   docs/decisions/0121-journal-is-not-trimmed-past-the-archive.md
--
-- KEYS: 1 journal, 2 progress. Then, in any order, the fence, the dead letters, the stored responses,
-- the streams and the indexes that this commit uses. ARGV names a key by its number in KEYS. A
-- commit without a fencing token does not name the fence, so its user of Redis needs no permission
-- for that key. The sets of topics are not in KEYS: the script finds their names in the headers of
-- the new and the trimmed events. The sets are in the same Cluster slot as KEYS. While a Cluster
-- moves this slot to another node, a command on a set that was already moved raises an error. So the
-- script reads every set before the first write.
-- ARGV: 1 namespace, 2 channel, 3 fencing token ('' = none required), 4 fence (0 = none), 5 floor
-- (the highest position that the committer has seen), 6 maximum length of the journal, 7 maximum
-- bytes of the journal, 8 maximum age of an entry in microseconds (0 = any age), 9 prefix of the sets
-- of topics, 10 the cursor that the source was read from ('' = not checked), 11 '1' if the indexer has
-- read the source up to its end after a failover of Redis, 12 the hash that says what is archived. The
-- users of Redis may only read this hash, so it is not in KEYS.
-- Then sections, each preceded by the number of its rows:
--   responses: response key, text before the position of the last event, seconds to keep the response
--   limits:    index key, number of members from which the commit is refused
--   expected:  stream key, version (0 = the stream must not exist)
--   events:    position ('' = assigned here; else each above the one before), header, body without
--              its braces, stream key (0 = none), document of the stream without its last brace
--   indexes:   '+', '?' (add; an existing member keeps its score) or '-' (remove), index key, number
--              of the values that follow: pairs of score and member, or members to remove
--   progress:  field, value
--   dead:      key of the dead letters, JSON of one dead letter
-- Returns {'committed', damaged sets of topics separated by spaces, position…}. If nothing was
-- written, it returns one of {'fenced', token}, {'answered', stored response}, {'quota', limit},
-- {'conflict', stream key, version}, {'seen', position…}, {'disorder', position},
-- {'behind', floor}, {'unsettled'}, {'moved', cursor}.

local at = 12
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

-- The groups of values for indexes stay in ARGV: each is {command, key, option or nil, first, last}.
local function groups()
  local all = {}
  for g = 1, tonumber(take()) do
    local kind, key, count = take(), KEYS[tonumber(take())], tonumber(take())
    all[g] = {kind == '-' and 'ZREM' or 'ZADD', key, kind == '?' and 'NX' or nil, at + 1, at + count}
    at = at + count
  end
  return all
end

-- Both numbers of a position may exceed 2^53, the limit of exact integers in Lua. So compare their
-- digits.
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

-- The TOID in the stored cursor, without the leading zeros that RPC writes.
local stored = redis.call('HGET', KEYS[2], 'cursor')
local cursor = stored and string.match(stored, '^0*(%d+)') or nil

-- The position that the next entry follows. This is not always the id of the last entry: that entry
-- may be trimmed or deleted, but Redis accepts only ids above the last id that the journal ever had.
-- The first entry of a journal follows the start of the journal. But if only the journal's key was
-- deleted, everything up to the cursor is missing. Then the first entry follows the cursor.
local info = journal_info()
local is_first = not info
local function journal_top()
  if info then return info['last-generated-id'] end
  local began = redis.call('HGET', KEYS[2], 'began') or '0-0'
  local read = string.format('%s-%.0f', cursor or '0', now)
  local deleted = redis.call('HGET', KEYS[2], 'first') and less(began, read)
  return deleted and read or began
end

local function version_of(key)
  local document = redis.call('GET', key)
  return document and string.match(document, '^{"version":(%d+)') or '0'
end

local namespace, channel, token, fence, floor = unpack(ARGV, 1, 5)
local max_length, max_bytes, max_age = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local topic_prefix, from, caught_up, archive = unpack(ARGV, 9, 12)
local responses, limits, expected, events = rows(3), rows(2), rows(2), rows(5)
local indexes, progress, dead = groups(), rows(2), rows(2)

-- ── Checks: everything that can refuse the commit comes before the first write. ──

if token ~= '' then
  local holder = redis.call('GET', KEYS[tonumber(fence)]) or ''
  if holder ~= token then return {'fenced', holder} end
end

for _, response in ipairs(responses) do
  local stored = redis.call('GET', KEYS[tonumber(response[1])])
  if stored then return {'answered', stored} end
end

for _, limit in ipairs(limits) do
  local members = redis.call('ZCARD', KEYS[tonumber(limit[1])])
  if members >= tonumber(limit[2]) then return {'quota', limit[2]} end
end

local top = journal_top()

if from ~= '' and from ~= cursor then return {'moved', stored or ''} end

-- True if a failover lost writes: the journal ends below a position that the committer has seen. The
-- indexer will read the lost chain events again. An API event above their positions would block them,
-- because the journal accepts only higher positions. If there is no cursor, the failover lost it too.
local function behind()
  local lost, have = string.match(floor, '^%d+'), string.match(top, '^%d+')
  return digits_less(have, lost) and (cursor == nil or digits_less(cursor, lost))
end

-- The replication id of this Redis. Each start and each promotion of a replica makes a new id. If the
-- user of Redis may not run INFO, '' is returned.
local function server()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
end

-- True if Redis was restarted or failed over since the indexer accepted its history of writes. Then
-- Redis may have lost events that clients have received, even if no committer noticed.
local function history_changed()
  local known = redis.call('HGET', KEYS[2], 'server')
  local here = known and server() or ''
  return here ~= '' and known ~= here
end

-- A chain event at or below the top was written before. If the journal keeps an older entry but not
-- this event, the journal is inconsistent.
local seen = {'seen'}
for _, event in ipairs(events) do
  local position = event[1]
  if position == '' then
    if behind() then return {'behind', floor} end
    if history_changed() then return {'unsettled'} end
  elseif not less(top, position) then
    local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    local kept = first and not less(position, first[1])
    if kept and #redis.call('XRANGE', KEYS[1], position, position) == 0 then
      return {'disorder', position}
    end
    seen[#seen + 1] = position
  else
    break -- all later events are above the top too
  end
end
if #seen > 1 then return seen end

for _, row in ipairs(expected) do
  local version = version_of(KEYS[tonumber(row[1])])
  if version ~= row[2] then return {'conflict', row[1], version} end
end

local total, size = sums(info)
local to_trim =
  entries_to_trim(info, size, top, #events, now, max_length, max_bytes, max_age, archive)

-- The sets of topics that lack a member, because somebody deleted the member or the whole set. Then
-- histories and resumes are incomplete.
local damaged = {}
local first = info and info['first-entry'] and info['first-entry'][1]

-- Notice that a stream has no set although the journal still has the last event of its document.
local function check_set_of_stream(topic, key)
  if redis.call('EXISTS', topic) == 1 then return end
  local last = string.match(redis.call('GET', key) or '', '"position":"(%d+%-%d+)"}$')
  if last and not less(last, first) then damaged[topic] = true end
end

local added, trimmed, of_streams = collection(), collection(), collection()
for _, event in ipairs(events) do
  event.topics = topics_of(event[2], topic_prefix)
  for _, topic in ipairs(event.topics) do collect(added, topic) end
  if event[4] ~= '0' then collect(of_streams, event.topics[1], KEYS[tonumber(event[4])]) end
end
for _, entry in ipairs(to_trim) do
  local member = padded(entry[1])
  for _, topic in ipairs(topics_of(entry[2][4], topic_prefix)) do collect(trimmed, topic, member) end
end
count_existing(added.names)
count_existing(trimmed.names)
if first and count_existing(of_streams.names) < #of_streams.names then
  for _, topic in ipairs(of_streams.names) do check_set_of_stream(topic, of_streams.values[topic][1]) end
end

-- ── Writes. ──

-- A new position: above every event of the top's operation, and below the next operation. Even after
-- a failover that lost writes, no position is used twice: the floor is at or above all lost positions.
local function next_position()
  local above = less(top, floor) and floor or top
  local toid, n = string.match(above, '^(%d+)-(%d+)$')
  return string.format('%s-%.0f', toid, math.max(tonumber(n) + 1, now))
end

local committed = {'committed', ''}
if is_first and #events > 0 then redis.call('HSET', KEYS[2], 'first', top) end
local published = string.format('","publishedAt":%.0f,', now)
for _, event in ipairs(events) do
  local position, header = event[1] ~= '' and event[1] or next_position(), event[2]
  local tail = '}'
  if event[5] ~= '' then
    local document = event[5] .. ',"position":"' .. position .. '"}'
    redis.call('SET', KEYS[tonumber(event[4])], document)
    tail = ',"stream":' .. document .. '}'
  end
  -- One chain of `..` copies the text once.
  local body = '{"id":"' .. position .. published .. event[3] .. tail
  total = total + cost_of(header, body)
  redis.call('XADD', KEYS[1], position, 'p', top, 'h', header, 'b', body,
    's', string.format('%.0f', total))
  local member = padded(position)
  for _, topic in ipairs(event.topics) do
    collect(added, topic, 0)
    collect(added, topic, member)
  end
  redis.call('PUBLISH', channel, namespace .. ' ' .. top .. ' ' .. position .. ' ' .. header .. '\n' .. body)
  top = position
  committed[#committed + 1] = position
end
for _, topic in ipairs(added.names) do
  change_set('ZADD', topic, nil, added.values[topic], 1, #added.values[topic])
end

for _, group in ipairs(indexes) do
  change_set(group[1], group[2], group[3], ARGV, group[4], group[5])
end
-- The indexer accepts the history of this Redis at two times: when it writes the first cursor, and
-- when it has read the source up to its end after a failover.
for _, row in ipairs(progress) do
  redis.call('HSET', KEYS[2], row[1], row[2])
  if row[1] == 'cursor' and (caught_up == '1' or not redis.call('HGET', KEYS[2], 'server')) then
    redis.call('HSET', KEYS[2], 'server', server())
  end
end
for _, row in ipairs(dead) do
  redis.call('XADD', KEYS[tonumber(row[1])], 'MAXLEN', '~', 10000, '*', 'letter', row[2])
end

for _, row in ipairs(responses) do
  redis.call('SET', KEYS[tonumber(row[1])], row[2] .. top, 'EX', row[3])
end

for _, topic in ipairs(trimmed.names) do
  local members = trimmed.values[topic]
  if change_set('ZREM', topic, nil, members, 1, #members) < #members then damaged[topic] = true end
end
local ids = {}
for n, entry in ipairs(to_trim) do ids[n] = entry[1] end
if #ids > 0 then redis.call('XDEL', KEYS[1], unpack(ids)) end
local names = {}
for topic in pairs(damaged) do names[#names + 1] = topic end
committed[2] = table.concat(names, ' ')
return committed
