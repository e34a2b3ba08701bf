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
-- A write whose answer did not come in time is tried again on another connection. The first one may
-- still be under way, and must not move the position back. Earlier releases stored no number.
local function is_newer(progress, stored)
  local before = stored and string.match(stored, '"writes":(%d+)')
  return not before or tonumber(string.match(progress, '"writes":(%d+)')) > tonumber(before)
end
for n = 3, #KEYS do
  local at = 4 + (n - 3) * 3
  local id, progress, attempt = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local stored = redis.call('HGET', KEYS[2], id)
  if redis.call('HEXISTS', ARGV[3], id) == 1 and is_newer(progress, stored) then
    redis.call('HSET', KEYS[2], id, progress)
    if attempt ~= '' then
      redis.call('LPUSH', KEYS[n], attempt)
      redis.call('LTRIM', KEYS[n], 0, tonumber(ARGV[2]) - 1)
    end
  end
end
return 1
