-- Returns the token of a ticket, or nil when the ticket is unknown, expired or used up.
-- KEYS: 1 ticket, a hash: `token`, and `user`, the client that has used the ticket once.
-- ARGV: 1 this client.
-- The first use binds the ticket to the client. The same client may use it once more.
local token, user = unpack(redis.call('HMGET', KEYS[1], 'token', 'user'))
if not token or (user and user ~= ARGV[1]) then return false end
if user then redis.call('DEL', KEYS[1]) else redis.call('HSET', KEYS[1], 'user', ARGV[1]) end
return token
