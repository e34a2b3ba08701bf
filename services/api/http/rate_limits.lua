-- Rate limits by the generic cell rate algorithm (ITU-T I.371). Each key holds the time at which its
-- quota is full again, in microseconds of Redis' clock. A request counts in all its quotas, or in
-- none if one of them is used up.
-- KEYS: one for each quota.  ARGV: window in seconds, quota and cost for each key. A negative cost
-- gives back what was counted before.
-- Returns for each key {remaining requests, microseconds until the quota is full, microseconds to
-- wait (0 = the request is allowed)}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local refused = false
local states = {}

for i, key in ipairs(KEYS) do
  local window = ARGV[3 * i - 2] * 1000000
  local step = window / ARGV[3 * i - 1]
  local full_at = math.max(tonumber(redis.call('GET', key) or now), now)
  if full_at > now + window then
    -- A request never stores a time this late. So the clock was set back since the last request.
    full_at = now + window
    redis.call('SET', key, string.format('%.0f', full_at), 'PX', ARGV[3 * i - 2] * 1000 + 1)
  end
  local after = math.max(full_at + step * ARGV[3 * i], now)
  local wait = after - now - window
  if wait > 0.5 then refused = true else wait = 0 end
  states[i] = {key = key, window = window, step = step, full_at = full_at, after = after, wait = wait}
end

local result = {}
for i, state in ipairs(states) do
  local full_at = refused and state.full_at or state.after
  if not refused then
    redis.call('SET', state.key, string.format('%.0f', full_at),
      'PX', math.ceil((full_at - now) / 1000) + 1)
  end
  -- 0.001 corrects rounding: three thirds of a second add up to slightly less than a second.
  local remaining = math.floor((state.window - (full_at - now)) / state.step + 0.001)
  result[i] = {math.max(0, remaining), math.ceil(full_at - now), math.ceil(state.wait)}
end
return result
