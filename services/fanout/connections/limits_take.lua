-- Adds the lease of one connection to every set, unless one of the sets is full.
-- KEYS: the sets of connections, scored by the Unix time (ms) at which each lease expires.
-- ARGV: 1 milliseconds until the lease expires, 2 its member, then the limit of each set.
-- Returns 0, or the number in KEYS of the set that is full.
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
