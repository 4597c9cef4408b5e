-- notify: one worker at a time takes events off the stream, to tell others.
-- No verb over a token: in a record's place stands where the telling is.
--
-- KEYS[1]   enroll:{p}:notify (hash)
--             holder    who tells, or empty: nobody
--             until     the holder's until then; where there is none, nobody
--                       may take it before
--             last      the stream's id of the last event that is done with:
--                       others have acknowledged it, or are not to be told
--             seq       its number
--             failures  how often the one behind it was not acknowledged
--
-- ARGV[1]   the holder's name
-- ARGV[8]   for how long the caller is to hold it, in ms; 0: gives it back
-- ARGV[9]   last, as the caller knows it, or ''
-- ARGV[10]   what it is to become, or '': the caller's alone to move, unless
--           somebody has set it meanwhile
-- ARGV[11]   the number of that event
-- ARGV[12]  failures; where another was the holder, his stay
-- ARGV[13]  where it is given back: for how long nobody may take it, in ms
-- ARGV[14]  how many events the caller wants, at most
--
-- Verdicts
--   ok      the caller holds it (or has given it back). record says where it
--           stands, and as gone how many events nobody was told of before
--           they were trimmed; events are those behind it, each a list of
--           its id and its fields
--   again   another holds it, or nobody may: see until in record

local place = load(RECORD)
local lease, want = tonumber(ARGV[8]), tonumber(ARGV[14])
local mine = place.holder == OP

if not mine and (lease == 0 or now < tonumber(place['until'] or '0')) then
    return reply('again')
end

if (place.last or ARGV[9]) == ARGV[9] and ARGV[10] ~= '' then
    place.last, place.seq = ARGV[10], ARGV[11]
end

-- the first of all: others are told of what happens from now on
if not place.last then
    local newest = redis.call('XREVRANGE', EVENTS, '+', '-', 'COUNT', 1)[1]
    place.last = newest and newest[1] or '0-0'
    place.seq = redis.call('HGET', META, 'seq') or '0'
end

redis.call('HSET', RECORD, 'holder', lease > 0 and OP or '',
           'until', decimal(now + (lease > 0 and lease or tonumber(ARGV[13]))),
           'last', place.last, 'seq', place.seq or '',
           'failures', mine and ARGV[12] or place.failures or '0')

local record = redis.call('HGETALL', RECORD)
local events, weight = {}, 0

local function number(fields)
    for i = 1, #fields, 2 do
        if fields[i] == 'seq' then
            return tonumber(fields[i + 1])
        end
    end
    return nil
end

-- Numbers have no gap: where the last one is not there any more, nor the one
-- behind it, those between were trimmed before their turn.
local function gone(first)
    local seq, last = number(first), tonumber(place.seq)
    for i = 1, #first, 2 do
        if first[i] == 'event' and first[i + 1] == 'fence' then
            -- an epoch begins with a leap
            return 0
        end
    end
    if not seq or not last or seq <= last + 1
       or #redis.call('XRANGE', EVENTS, place.last, place.last) > 0
    then
        return 0
    end
    return seq - last - 1
end

if lease > 0 and want > 0 then
    local behind = redis.call('XRANGE', EVENTS, '(' .. place.last, '+',
                              'COUNT', want)
    if behind[1] then
        append(record, { 'gone', decimal(gone(behind[1][2])) })
    end

    -- As many as fit into a reply; one that alone does not fit is none of
    -- ours, and comes without its fields.
    for _, entry in ipairs(behind) do
        for _, text in ipairs(entry[2]) do
            weight = weight + 100 + #text
        end
        if weight > 200000 then
            if #events == 0 then
                events[1] = { entry[1], {} }
            end
            break
        end
        events[#events + 1] = entry
    end
end

return { 'ok', decimal(now), record, events, decimal(SEQ), EPOCH }
