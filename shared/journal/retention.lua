-- Retention: how many bytes the journal uses, and which of its entries a commit trims. commit.py puts
-- this file in front of commit.lua (docs/decisions/0066-journal-is-bounded-in-bytes.md,
-- docs/decisions/0121-journal-is-not-trimmed-past-the-archive.md).

-- About the memory that Redis needs for an entry and its members in the sets of topics. Measured: the
-- entry takes 1.14 to 1.31 times its header and body, a member 50 to 130 bytes. For whole events the
-- sum is between 3 % too small and 12 % too large (tests/shared/journal/test_retention.py).
local function cost_of(header, body)
  local _, topics = string.gsub(header, ' ', ' ')
  return math.ceil(1.25 * (#header + #body)) + 150 * math.max(topics, 1)
end

-- XINFO STREAM as a table; nil if there is no journal.
local function journal_info()
  local reply = redis.pcall('XINFO', 'STREAM', KEYS[1])
  if reply.err then return nil end
  local info = {}
  for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
  return info
end

-- The sum of the costs of all entries since the journal began, and of the entries that it still has.
-- The field `s` of an entry is the sum of the costs up to and including it. So a deleted entry or a
-- new journal needs no correction. Entries of older versions lack `s`: then the size is estimated
-- from one entry until the first entry of the journal has the field.
local function sums(info)
  local first, last = info and info['first-entry'], info and info['last-entry']
  if not first then return 0, 0 end
  local length, cost = info['length'], cost_of(first[2][4], first[2][6])
  local before = first[2][8] and first[2][8] - cost
  local total = tonumber(last[2][8])
    or (before and before + length * cost_of(last[2][4], last[2][6])) or 0
  return total, before and total - before or math.max(total, length * cost)
end

-- The last archived position, padded. `key` is the hash that the archiver writes (shared.archive.mark).
-- nil if there is no archive. Nothing is trimmed if the hash cannot be read: then '' is returned, which
-- is below every position. A user of Redis from before the archive has no permission for this hash.
local function archived_up_to(key)
  local position = redis.pcall('HGET', key, 'position')
  if not position then return nil end
  return type(position) == 'string' and padded(position) or ''
end

-- The entries to trim, from the oldest on: above the maximum length (only if at least 100 are), above
-- the maximum size, or above the maximum age. `top` is the last position and `added` the number of new
-- events. The last entry stays until a newer entry is added, because readers start from the last
-- entry. An entry stays too until it is archived; `archive` is the key of the hash. One commit trims
-- at most 1,000 entries.
local function entries_to_trim(info, size, top, added, now, max_length, max_bytes, max_age, archive)
  local length = info and info['length'] or 0
  local surplus, excess = length + added - max_length, size - max_bytes
  if surplus < 100 then surplus = 0 end
  local oversize = excess > 0 and math.ceil(excess / size * length) + 1 or 0
  local most = math.min(math.max(surplus, oversize, max_age > 0 and added + 2 or 0), 1000)
  local trimmed, freed = {}, 0
  local archived = most > 0 and archived_up_to(archive) or nil
  for n, entry in ipairs(most > 0 and redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', most) or {}) do
    local header, body = entry[2][4], entry[2][6]
    local published = tonumber(string.match(body, '"publishedAt":(%d+)'))
    local expired = max_age > 0 and now - published > max_age
    if not (n <= surplus or freed < excess or expired) then break end
    if entry[1] == top and added == 0 then break end
    if archived and padded(entry[1]) > archived then break end
    freed = freed + cost_of(header, body)
    trimmed[n] = entry
  end
  return trimmed
end

