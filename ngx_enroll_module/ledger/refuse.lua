-- refuse: tells that a joiner event was refused before a token was made of
-- it. Each event is told of once.
--
-- KEYS[5]  enroll:{p}:request:<issuer>:<event>
-- ARGV[8]  the reason
-- ARGV[9]  why, in words
-- ARGV[10]  how many of the ARGV that follow are of the order
-- ARGV[11…] field, value, …: as in issue
--
-- Verdicts: ok

local order = {}
for i = 11, 10 + tonumber(ARGV[10]), 2 do
    order[ARGV[i]] = ARGV[i + 1]
end

if redis.call('GET', KEYS[5]) then
    return reply('ok')
end

remember(KEYS[5], 'refused ' .. decimal(now))
tell('refuse', '', order, { 'step', 'issue', 'reason', ARGV[8],
                            'why', ARGV[9], 'channel', order.channel })
return reply('ok')
