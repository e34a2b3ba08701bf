-- Writes documents of streams, and members of sorted sets. rebuilding.py puts topic_sets.lua in front
-- of this file.
-- KEYS: the documents' keys, then those of the sets. ARGV: 1 number of documents, 2 '' or an option of
-- ZADD for the last set, then the documents, then for each set: number of the values that follow, and
-- pairs of score and member.
local documents, option, at = tonumber(ARGV[1]), ARGV[2], 3
for n = 1, documents do
  redis.call('SET', KEYS[n], ARGV[at])
  at = at + 1
end
for n = documents + 1, #KEYS do
  local last = at + tonumber(ARGV[at])
  local with = n == #KEYS and option ~= '' and option or nil
  change_set('ZADD', KEYS[n], with, ARGV, at + 1, last)
  at = last + 1
end
