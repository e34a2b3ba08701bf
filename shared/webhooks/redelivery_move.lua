-- Stores how far a redelivery is, if nobody has stopped it meanwhile (redeliveries.py).
--
-- KEYS: 1 lease of the partition, 2 redeliveries of the endpoint
-- ARGV: 1 token of the dispatcher, 2 id of the redelivery, 3 its document
-- Returns 1, or 0 if there is no such redelivery any more, or another dispatcher has the lease.
local stored = redis.call('HGET', KEYS[2], ARGV[2])
if redis.call('GET', KEYS[1]) ~= ARGV[1] or not stored then
  return 0
end

-- Numbers as text: they are too large for those of Lua.
local function is_below(one, other)
  return #one < #other or (#one == #other and one < other)
end

-- A write whose answer did not come in time is tried again on another connection. The first one may
-- still be under way, and must not move the redelivery back.
local before, before_n = string.match(stored, '"after":"(%d+)-(%d+)"')
local toid, n = string.match(ARGV[3], '"after":"(%d+)-(%d+)"')
if not (is_below(toid, before) or (toid == before and is_below(n, before_n))) then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
return 1
