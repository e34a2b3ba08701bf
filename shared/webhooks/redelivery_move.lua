-- Stores how far a redelivery is, if nobody has stopped it meanwhile (redeliveries.py).
--
-- KEYS: 1 lease of the partition, 2 redeliveries of the endpoint
-- ARGV: 1 token of the dispatcher, 2 id of the redelivery, 3 its document
-- Returns 1, or 0 if there is no such redelivery any more, or another dispatcher has the lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 1
