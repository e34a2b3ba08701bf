-- Adds an attempt that changes no progress, unless the endpoint was deleted meanwhile (attempts.py).
--
-- KEYS: 1 attempts of the endpoint. The hash of the endpoints is not in KEYS: see
--       progress_write.lua.
-- ARGV: 1 key of the endpoints, 2 id of the endpoint, 3 attempt, 4 number of attempts that are kept
-- Returns 1, or 0 if there is no such endpoint.
if redis.call('HEXISTS', ARGV[1], ARGV[2]) == 0 then
  return 0
end
redis.call('LPUSH', KEYS[1], ARGV[3])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[4]) - 1)
return 1
