-- Deletes an endpoint with all that is stored of it (store.py).
--
-- KEYS: 1 endpoints, 2 endpoints of the account, 3 changes, 4 progress, 5 attempts, 6 redeliveries
-- ARGV: 1 id, 2 number of changes that are kept
-- Returns 1, or 0 if there is no such endpoint.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('DEL', KEYS[5], KEYS[6])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 'endpoint', ARGV[1], 'kind', 'changed')
return 1
