-- claim: reserves the one finish call, before it is forwarded (I2). The
-- operation id is the claim's name; only its settlement reopens.
--
-- ARGV[8]  the session's digest
-- ARGV[9]  '1': the token itself was presented (as in begin)
-- ARGV[10]  '1': a begin must have come before
-- ARGV[11]  how many of the ARGV that follow are facts
-- ARGV[12…] field, value, …: what is known of the authenticator
-- and then the rules of all classes
--
-- Verdicts: as begin, and order (no begin yet), authenticator (not one that
-- the class allows: the attempt counts, and the last one locks)

local facts = {}
for i = 12, 11 + tonumber(ARGV[11]) do
    facts[#facts + 1] = ARGV[i]
end

local record = load(RECORD)
if record.op == OP then
    touch()
    local done = record.state == 'claimed'
    retell('claim', done and record, record.claimed_at)
    return reply(done and 'ok' or ended(record))
end

-- A copy that comes late: of a claim that was refused, settled or given up.
if record.refused == OP then
    retell('refuse')
    return reply('authenticator')
end
if record.claim == OP or record['withdrawn:' .. OP] then
    retell('claim')
    return reply('claimed')
end

local rule = record.state and rule_of(record, 12 + #facts)
local reason, why = obstacle(record, ARGV[8], ARGV[9] == '1')
if reason == 'redeemed' then
    return reply(replayed('claim', record, rule))
end
if not reason then
    reason, why = broken(record, rule, true)
end
if (not reason or reason == 'authenticator') and ARGV[10] == '1'
   and not record.begun_at
then
    reason, why = 'order', nil
end
if reason and reason ~= 'authenticator' then
    return reply(refuse('claim', record, reason, why))
end
if record.state == 'issued' then
    redeem(record, ARGV[8])
end

local attempts = tonumber(record.attempts) + 1

local function lock(fields, extra)
    redis.call('ZREM', LIVE, ID)
    append(fields, { 'locked_at', decimal(now) })
    change('lock', record, 'locked', fields, extra)
    return reply('locked')
end

if reason then
    local fields = { 'attempts', decimal(attempts), 'refused', OP }
    local extra = { 'step', 'claim', 'reason', reason, 'why', why,
                    'attempt', decimal(attempts) }
    append(extra, facts)
    if attempts >= tonumber(record.attempts_allowed) then
        return lock(fields, extra)
    end
    write(RECORD, record, fields)
    append(extra, { 'from', 'redeemed', 'to', 'redeemed' })
    tell('refuse', ID, record, extra)
    return reply('authenticator')
end

-- Attempts that were given back are counted, too: the hundred and first
-- claim locks (SP 800-63B-4, 3.2.2).
local claims = tonumber(record.claims or '0') + 1
if claims > 100 then
    return lock({}, {})
end

-- nothing is left of what an earlier attempt brought
redis.call('HDEL', RECORD, 'outcome', unpack(AUTHENTICATOR))
local fields = { 'claim', OP, 'claimed_at', decimal(now),
                 'claims', decimal(claims), 'attempts', decimal(attempts) }
append(fields, facts)
change('claim', record, 'claimed', fields, { 'attempt', decimal(attempts) })
return reply('ok')
