-- Writes the network and the contracts that a namespace belongs to, unless they are stored already.
-- New token contracts replace the stored ones if network and stream contract are the same.
-- KEYS: 1 hash made-for, 2 progress.
-- ARGV: 1 network, 2 stream contract, 3 token contracts, 4 '1' to write even before
-- the first cursor exists.
-- Returns {network, contract, tokens}; the tokens are those before this call, if any were stored.
-- Returns {} if nothing was stored and nothing was written.
local made = redis.call('HMGET', KEYS[1], 'network', 'contract', 'tokens')
if not made[1] then
  if ARGV[4] == '0' and not redis.call('HGET', KEYS[2], 'cursor') then return {} end
  made = {ARGV[1], ARGV[2], ARGV[3]}
  redis.call('HSET', KEYS[1], 'network', ARGV[1], 'contract', ARGV[2], 'tokens', ARGV[3])
elseif made[1] == ARGV[1] and made[2] == ARGV[2] and made[3] ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'tokens', ARGV[3])
end
return made
