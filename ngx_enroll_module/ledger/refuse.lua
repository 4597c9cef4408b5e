-- refuse: tells that a joiner event was refused before a token was made of
-- it. Each event is told of once.
--
-- KEYS[5]  enroll:{p}:request:<issuer>:<event>
-- ARGV[6]  the reason
-- ARGV[7]  why, in words
-- ARGV[8]  how many of the ARGV that follow are of the order
-- ARGV[9…] field, value, …: as in issue
--
-- Verdicts: ok

local order = {}
for i = 9, 8 + tonumber(ARGV[8]), 2 do
    order[ARGV[i]] = ARGV[i + 1]
end

if redis.call('GET', KEYS[5]) then
    return reply('ok')
end

remember(KEYS[5], 'refused ' .. decimal(now))
tell('refuse', '', order, { 'step', 'issue', 'reason', ARGV[6],
                            'why', ARGV[7], 'channel', order.channel })
return reply('ok')
