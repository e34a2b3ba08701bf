-- Appends old entries to the journal, as the commit wrote them (rebuilding.py).
-- KEYS: 1 journal. ARGV: for each entry its position, previous position, header, body, and the sum of
-- the costs of all entries up to it.
for n = 1, #ARGV, 5 do
  local position, previous, header, body, total = unpack(ARGV, n, n + 4)
  redis.call('XADD', KEYS[1], position, 'p', previous, 'h', header, 'b', body, 's', total)
end
