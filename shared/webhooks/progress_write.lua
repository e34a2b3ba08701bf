-- Stores the progress of endpoints of one partition, and their attempts (progress.py).
--
-- KEYS: 1 lease of the partition, 2 progress, then the attempts of each endpoint. The hash of the
-- endpoints is not in KEYS: a dispatcher may only read it, and Redis demands the right to write for
-- each key in KEYS. It is in the same Cluster slot.
-- ARGV: 1 token of the dispatcher, 2 number of attempts that are kept, 3 key of the endpoints, then
--       for each endpoint: its id, its progress, its attempt ('' = none)
-- Returns 1, or 0 if another dispatcher has the lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
for n = 3, #KEYS do
  local at = 4 + (n - 3) * 3
  local id, progress, attempt = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if redis.call('HEXISTS', ARGV[3], id) == 1 then
    redis.call('HSET', KEYS[2], id, progress)
    if attempt ~= '' then
      redis.call('LPUSH', KEYS[n], attempt)
      redis.call('LTRIM', KEYS[n], 0, tonumber(ARGV[2]) - 1)
    end
  end
end
return 1
