-- Takes a lease, or extends it, unless another process holds it.
-- KEYS: 1 lease, 2 fence (optional). ARGV: 1 token of this process, 2 milliseconds until it expires.
-- Returns 1 when this process holds the lease, else 0.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[1]) end
return 1
