-- deliver: the gateway has taken the token. Until then the joiner event is
-- not answered as done, so that its sender repeats it.
--
-- Verdicts: ok, unknown (no record)

local record = load(RECORD)
if not record.state then
    return reply('unknown')
end
if record.delivery == 'pending' then
    change('deliver', record, record.state,
           { 'delivery', 'done', 'delivered_at', decimal(now) },
           { 'channel', record.channel })
elseif record.op == OP then
    retell('deliver', record, record.delivered_at)
end
return reply('ok')
