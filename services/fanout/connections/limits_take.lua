-- Counts one connection in every set, unless one of the sets is full.
-- KEYS: the sets of connections, scored by when each expires (milliseconds).
-- ARGV: 1 milliseconds until the connection expires, 2 member, then the limit of each set.
-- Returns 0, or the number of the set that is full.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ttl = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if redis.call('ZCARD', key) >= tonumber(ARGV[2 + i]) then return i end
end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + ttl, ARGV[2])
  redis.call('PEXPIRE', key, ttl)
end
return 0
