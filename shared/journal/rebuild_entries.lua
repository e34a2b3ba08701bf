-- Appends old entries to the journal and to the sets of their topics, as the commit wrote them.
-- rebuilding.py puts topic_sets.lua and retention.lua in front of this file. Its keys are not declared
-- except the journal; all are in the same Cluster slot.
-- KEYS: 1 journal. ARGV: 1 prefix of the sets of topics, 2 the costs of all earlier entries, then for
-- each entry: position, previous position, header, body. Returns the costs up to the last entry.
local total, sets = tonumber(ARGV[2]), collection()
for n = 3, #ARGV, 4 do
  local position, previous, header, body = unpack(ARGV, n, n + 3)
  total = total + cost_of(header, body)
  redis.call('XADD', KEYS[1], position, 'p', previous, 'h', header, 'b', body,
    's', string.format('%.0f', total))
  local member = padded(position)
  for _, topic in ipairs(topics_of(header, ARGV[1])) do
    collect(sets, topic, 0)
    collect(sets, topic, member)
  end
end
for _, topic in ipairs(sets.names) do
  change_set('ZADD', topic, nil, sets.values[topic], 1, #sets.values[topic])
end
return string.format('%.0f', total)
