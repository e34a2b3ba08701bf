-- Stores an endpoint and tells dispatchers of the change (store.py).
--
-- KEYS: 1 endpoints, 2 endpoints of the account, 3 changes, 4 stored response (only if there is an
--       idempotency key)
-- ARGV: 1 id, 2 JSON, 3 revision of the stored endpoint (0 = it is new), 4 most endpoints of the
--       account (only for a new one), 5 time of its creation, 6 number of changes that are kept,
--       7 stored response, 8 seconds to keep it
-- Returns 1 if it was stored, 0 if the stored one has another revision, -1 if there are too many.
-- Returns the stored response if an earlier request with the same key has one. Nothing is stored then.
local id, known, most = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local answered = KEYS[4] and redis.call('GET', KEYS[4])
if answered then
  return answered
end
local stored = redis.call('HGET', KEYS[1], id)
local revision = 0
if stored then
  revision = cjson.decode(stored)['revision']
end
if revision ~= known then
  return 0
end
if known == 0 and redis.call('ZCARD', KEYS[2]) >= most then
  return -1
end
redis.call('HSET', KEYS[1], id, ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[5], id)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'endpoint', id, 'kind', 'changed')
if KEYS[4] then
  redis.call('SET', KEYS[4], ARGV[7], 'EX', ARGV[8])
end
return 1
