-- Extends a lease that this process holds.
-- KEYS: 1 lease. ARGV: 1 token of this process, 2 milliseconds until it expires.
-- Returns 1, or 0 when this process does not hold the lease.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
