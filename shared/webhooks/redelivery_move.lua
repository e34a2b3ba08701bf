-- Stores how far a redelivery is, if nobody has stopped it meanwhile (redeliveries.py).
--
-- KEYS: 1 redeliveries of the endpoint
-- ARGV: 1 id of the redelivery, 2 its document
-- Returns 1, or 0 if there is no such redelivery any more.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
