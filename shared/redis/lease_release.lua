-- Gives up a lease that this process holds. KEYS: 1 lease. ARGV: 1 token of this process.
-- Returns 1, or 0 when this process does not hold the lease.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
