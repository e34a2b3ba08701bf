-- Writes the epoch, the time at which the data of a namespace began. An existing epoch is kept.
-- KEYS: 1 epoch. Returns {1 if this call wrote the epoch, else 0; epoch in Unix microseconds}.
if redis.call('EXISTS', KEYS[1]) == 1 then return {0, redis.call('GET', KEYS[1])} end
local time = redis.call('TIME')
local now = time[1] .. string.rep('0', 6 - #time[2]) .. time[2]
redis.call('SET', KEYS[1], now)
return {1, now}
