-- Rate limits by the generic cell rate algorithm (ITU-T I.371): a key holds the time, in Redis'
-- microseconds, at which a quota is whole again. All quotas of a request are taken, or none.
-- KEYS: one a quota.  ARGV: for each, window in seconds, quota, cost.
-- Answers for each {remaining, microseconds until whole, microseconds to wait (0 = let in)}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local refused = false
local states = {}

for i, key in ipairs(KEYS) do
  local window = ARGV[3 * i - 2] * 1000000
  local step = window / ARGV[3 * i - 1]
  local whole = math.max(tonumber(redis.call('GET', key) or now), now)
  local after = whole + step * ARGV[3 * i]
  local wait = after - now - window
  if wait > 0.5 then refused = true else wait = 0 end
  states[i] = {key = key, window = window, step = step, whole = whole, after = after, wait = wait}
end

local answer = {}
for i, state in ipairs(states) do
  local whole = refused and state.whole or state.after
  if not refused then
    redis.call('SET', state.key, string.format('%.0f', whole),
      'PX', math.ceil((whole - now) / 1000) + 1)
  end
  -- A grain of grace: thirds of a second do not add up to seconds.
  local remaining = math.floor((state.window - (whole - now)) / state.step + 0.001)
  answer[i] = {math.max(0, remaining), math.ceil(whole - now), math.ceil(state.wait)}
end
return answer
