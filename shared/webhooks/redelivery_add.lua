-- Stores a redelivery and tells dispatchers of it (redeliveries.py).
--
-- KEYS: 1 endpoints, 2 redeliveries of the endpoint, 3 changes, 4 stored response (only if there is
--       an idempotency key)
-- ARGV: 1 id of the endpoint, 2 id of the redelivery, 3 its document, 4 most redeliveries of the
--       endpoint, 5 number of changes that are kept, 6 beginning of the stored response, 7 seconds
--       to keep it
-- Returns 1, 0 if there is no such endpoint, or -1 if there are too many redeliveries.
-- Returns the stored response if an earlier request with the same key has one. Nothing is stored then.
local endpoint, id, document = ARGV[1], ARGV[2], ARGV[3]
local answered = KEYS[4] and redis.call('GET', KEYS[4])
if answered then
  return answered
end
if not redis.call('HGET', KEYS[1], endpoint) then
  return 0
end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[4]) then
  return -1
end
redis.call('HSET', KEYS[2], id, document)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*',
  'endpoint', endpoint, 'kind', 'redeliver', 'job', id)
if KEYS[4] then
  redis.call('SET', KEYS[4], ARGV[6] .. id .. '\n' .. document, 'EX', ARGV[7])
end
return 1
