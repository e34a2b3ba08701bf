-- Stores the progress of endpoints of one partition, and their attempts (progress.py).
--
-- KEYS: 1 lease of the partition, 2 progress, 3 endpoints, then the attempts of each endpoint
-- ARGV: 1 token of the dispatcher, 2 number of attempts that are kept, then for each endpoint:
--       its id, its progress, its attempt ('' = none)
-- Returns 1, or 0 if another dispatcher has the lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
for n = 4, #KEYS do
  local at = 3 + (n - 4) * 3
  local id, progress, attempt = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if redis.call('HEXISTS', KEYS[3], id) == 1 then
    redis.call('HSET', KEYS[2], id, progress)
    if attempt ~= '' then
      redis.call('LPUSH', KEYS[n], attempt)
      redis.call('LTRIM', KEYS[n], 0, tonumber(ARGV[2]) - 1)
    end
  end
end
return 1
