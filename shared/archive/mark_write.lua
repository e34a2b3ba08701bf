-- Stores the archive's mark (mark.py), unless another archiver has the lease.
--
-- KEYS: 1 mark, 2 lease of the archiver
-- ARGV: 1 token of the writer ('' = no lease is needed), 2 position, 3 chain hash, 4 time
-- Returns 1 if the mark was stored, else 0.
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'position', ARGV[2], 'chain', ARGV[3], 'at', ARGV[4])
return 1
