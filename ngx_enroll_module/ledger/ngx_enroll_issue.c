
/* issue, and what there is to say of a token that was not, or in vain. */

#include "ngx_enroll_ledger.h"
#include "ngx_enroll_record.h"


#define NGX_ENROLL_UNDO_BUDGET   (24 * 60 * 60 * 1000)       /* ms */
#define NGX_ENROLL_ORDER_FIELDS  8


typedef struct {
    ngx_enroll_order_t   order;
    ngx_enroll_token_t   token;
    u_char               subject[NGX_ENROLL_DIGEST_LEN];
    u_char               drawn[NGX_ENROLL_HEX_LEN];
    ngx_str_t            voided;             /* what the event had got */
    ngx_enroll_reason_e  verdict;            /* repeat: while it is shown */
} ngx_enroll_issue_t;


static ngx_int_t ngx_enroll_issue_copy(ngx_enroll_call_t *call,
    ngx_enroll_issue_t *issue, const ngx_enroll_order_t *order);
static ngx_int_t ngx_enroll_issue_draw(ngx_enroll_call_t *call);
static ngx_int_t ngx_enroll_issue_args(ngx_enroll_call_t *call,
    const ngx_enroll_result_t *again);
static ngx_int_t ngx_enroll_issue_record(ngx_enroll_call_t *call,
    int64_t now);
static ngx_uint_t ngx_enroll_order_fields(const ngx_enroll_order_t *order,
    ngx_keyval_t fields[NGX_ENROLL_ORDER_FIELDS]);
static ngx_int_t ngx_enroll_order_args(ngx_enroll_call_t *call,
    const ngx_enroll_order_t *order, const ngx_keyval_t *fields,
    ngx_uint_t n);
static ngx_int_t ngx_enroll_issue_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_issue_make(ngx_enroll_call_t *call,
    const ngx_enroll_result_t *again);
static ngx_int_t ngx_enroll_issue_anew(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static void ngx_enroll_issue_undo(ngx_enroll_call_t *call, const char *why);
static ngx_int_t ngx_enroll_issue_repeat(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


ngx_enroll_call_t *
ngx_enroll_issue(ngx_enroll_ledger_t *ledger, const ngx_enroll_order_t *order,
    ngx_enroll_call_handler_pt handler, void *data)
{
    u_char               digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t            rc;
    ngx_uint_t           partition;
    ngx_enroll_call_t   *call;
    ngx_enroll_issue_t  *issue;
    ngx_enroll_result_t  nothing;

    if (ngx_enroll_subject_digest(ledger->keys, &order->subject,
                                  ledger->partitions, digest, &partition)
        != NGX_OK)
    {
        return NULL;
    }

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_ISSUE, partition,
                                  &order->client);
    if (call == NULL) {
        return NULL;
    }

    call->handler = handler;
    call->data = data;
    call->step = ngx_enroll_issue_step;

    issue = ngx_pcalloc(call->pool, sizeof(ngx_enroll_issue_t));

    if (issue == NULL) {
        ngx_enroll_call_free(call);
        return NULL;
    }

    call->context = issue;
    ngx_memcpy(issue->subject, digest, NGX_ENROLL_DIGEST_LEN);

    /* the clock is Redis': the first step asks for it */

    ngx_memzero(&nothing, sizeof(ngx_enroll_result_t));
    rc = ngx_enroll_issue_copy(call, issue, order);

    if (rc == NGX_OK) {
        rc = ngx_enroll_issue_draw(call);
    }

    if (rc == NGX_OK) {
        rc = ngx_enroll_issue_args(call, &nothing);
    }

    return ngx_enroll_call_start(call, rc);
}


static ngx_int_t
ngx_enroll_issue_copy(ngx_enroll_call_t *call, ngx_enroll_issue_t *issue,
    const ngx_enroll_order_t *order)
{
    size_t        i, n;
    ngx_str_t    *s[8];
    ngx_keyval_t *kv;

    issue->order = *order;

    s[0] = &issue->order.subject;
    s[1] = &issue->order.class;
    s[2] = &issue->order.issuer;
    s[3] = &issue->order.event;
    s[4] = &issue->order.channel;
    s[5] = &issue->order.exception;
    s[6] = &issue->order.requester;
    s[7] = &issue->order.recovers;

    for (i = 0; i < 8; i++) {
        s[i]->data = ngx_pstrdup(call->pool, s[i]);
        if (s[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    n = order->nattributes;
    kv = ngx_palloc(call->pool, (n + 1) * sizeof(ngx_keyval_t));
    if (kv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        kv[i] = order->attributes[i];
        kv[i].key.data = ngx_pstrdup(call->pool, &kv[i].key);
        kv[i].value.data = ngx_pstrdup(call->pool, &kv[i].value);

        if (kv[i].key.data == NULL || kv[i].value.data == NULL) {
            return NGX_ERROR;
        }
    }

    issue->order.attributes = kv;

    return NGX_OK;
}


/* a token of its own */

static ngx_int_t
ngx_enroll_issue_draw(ngx_enroll_call_t *call)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;

    if (ngx_enroll_token_make(call->ledger->keys, call->partition,
                              &issue->token, call->text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_enroll_call_id(call, issue->token.id);
    ngx_memcpy(issue->drawn, call->id, NGX_ENROLL_HEX_LEN);

    return NGX_OK;
}


/* again: what the ledger said when it was asked before */

static ngx_int_t
ngx_enroll_issue_args(ngx_enroll_call_t *call,
    const ngx_enroll_result_t *again)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;
    call->keys.nelts = 0;
    call->args.nelts = 0;

    if (ngx_enroll_call_subject(call, issue->subject) != NGX_OK
        || ngx_enroll_call_key(call, "request:%V:%V", &issue->order.issuer,
                               &issue->order.event) != NGX_OK
        || ngx_enroll_call_key(call, "exceptions") != NGX_OK
        || ngx_enroll_call_arg(call, &again->token) != NGX_OK
        || ngx_enroll_call_number(call, issue->order.ttl) != NGX_OK
        || ngx_enroll_call_arg(call, &issue->order.recovers) != NGX_OK
        || ngx_enroll_call_arg(call, &issue->voided) != NGX_OK
        || ngx_enroll_call_arg(call, &again->incarnation) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (again->token.len
        && ngx_enroll_call_key(call, "token:%V", &again->token) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_issue_record(call, again->now);
}


static ngx_int_t
ngx_enroll_issue_record(ngx_enroll_call_t *call, int64_t now)
{
    u_char                expires_at[NGX_INT64_LEN], window[NGX_INT64_LEN],
                          attempts[NGX_INT_T_LEN],
                          mac[NGX_ENROLL_RECORD_MAC_LEN];
    ngx_uint_t            n;
    ngx_keyval_t          fields[NGX_ENROLL_ORDER_FIELDS + 4];
    ngx_enroll_order_t   *order;
    ngx_enroll_issue_t   *issue;
    ngx_enroll_record_t   record;

    issue = call->context;
    order = &issue->order;

    record.id.len = NGX_ENROLL_HEX_LEN;
    record.id.data = call->id;
    record.subject = order->subject;
    record.class = order->class;
    record.issuer = order->issuer;
    record.event = order->event;
    record.channel = order->channel;
    record.exception = order->exception;
    record.requester = order->requester;
    record.expires_at.data = expires_at;
    record.expires_at.len = ngx_sprintf(expires_at, "%L",
                                        now + (int64_t) order->ttl)
                            - expires_at;
    record.window.data = window;
    record.window.len = ngx_sprintf(window, "%M", order->window) - window;
    record.attempts_allowed.data = attempts;
    record.attempts_allowed.len = ngx_sprintf(attempts, "%ui",
                                              order->attempts)
                                  - attempts;

    if (ngx_enroll_record_seal(call->ledger->keys, &record, mac) != NGX_OK) {
        return NGX_ERROR;
    }

    n = ngx_enroll_order_fields(order, fields);

    ngx_str_set(&fields[n].key, "expires_at");
    fields[n++].value = record.expires_at;
    ngx_str_set(&fields[n].key, "window");
    fields[n++].value = record.window;
    ngx_str_set(&fields[n].key, "attempts_allowed");
    fields[n++].value = record.attempts_allowed;
    ngx_str_set(&fields[n].key, "mac");
    fields[n].value.len = sizeof(mac);
    fields[n++].value.data = mac;

    return ngx_enroll_order_args(call, order, fields, n);
}


/* what an order says by itself; returns how many fields */

static ngx_uint_t
ngx_enroll_order_fields(const ngx_enroll_order_t *order,
    ngx_keyval_t fields[NGX_ENROLL_ORDER_FIELDS])
{
    ngx_uint_t  n;

    n = 0;

#define ngx_enroll_order_field(f)                                             \
    ngx_str_set(&fields[n].key, #f);                                          \
    fields[n++].value = order->f

    ngx_enroll_order_field(subject);
    ngx_enroll_order_field(class);
    ngx_enroll_order_field(issuer);
    ngx_enroll_order_field(event);
    ngx_enroll_order_field(channel);

    if (order->exception.len) {
        ngx_enroll_order_field(exception);
    }

    if (order->requester.len) {
        ngx_enroll_order_field(requester);
    }

#undef ngx_enroll_order_field

    if (order->deliver) {
        ngx_str_set(&fields[n].key, "delivery");
        ngx_str_set(&fields[n].value, "pending");
        n++;
    }

    return n;
}


/* the fields and the attributes, and before them how many they are */

static ngx_int_t
ngx_enroll_order_args(ngx_enroll_call_t *call, const ngx_enroll_order_t *order,
    const ngx_keyval_t *fields, ngx_uint_t n)
{
    u_char        *p;
    ngx_uint_t     i;
    ngx_keyval_t  *all;

    all = ngx_palloc(call->pool,
                     (n + order->nattributes) * sizeof(ngx_keyval_t));
    if (all == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(all, fields, n * sizeof(ngx_keyval_t));

    for (i = 0; i < order->nattributes; i++, n++) {
        all[n].key.len = sizeof("attribute.") - 1
                         + order->attributes[i].key.len;
        all[n].key.data = p = ngx_pnalloc(call->pool, all[n].key.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(p, "attribute.%V", &order->attributes[i].key);
        all[n].value = order->attributes[i].value;
    }

    return ngx_enroll_call_pairs(call, all, n);
}


static ngx_int_t
ngx_enroll_issue_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;

    if (issue->verdict == NGX_ENROLL_REPEAT
        && result->state.len == 4
        && ngx_strncmp(result->state.data, "void", 4) == 0)
    {
        return ngx_enroll_issue_anew(call, result);
    }

    if (issue->verdict == NGX_ENROLL_REPEAT) {
        /* its key may have been dropped: nothing but id and state is told */

        if (result->verdict == NGX_ENROLL_OK
            || result->verdict == NGX_ENROLL_TAMPERED)
        {
            result->verdict = NGX_ENROLL_REPEAT;
        }

        return NGX_OK;
    }

    switch (result->verdict) {

    case NGX_ENROLL_AGAIN:
        if (ngx_enroll_issue_make(call, result) == NGX_OK) {
            return NGX_AGAIN;
        }

        break;

    case NGX_ENROLL_REPEAT:
        if (ngx_enroll_issue_repeat(call, result) == NGX_OK) {
            return NGX_AGAIN;
        }

        break;

    case NGX_ENROLL_OK:
        if (call->handler == NULL) {
            /* the issuer left before the answer: nobody has the token */
            ngx_enroll_issue_undo(call, "unheard");
        }

        return NGX_OK;

    case NGX_ENROLL_UNAVAILABLE:
        if (result->lost) {
            ngx_enroll_issue_undo(call, "lost");
        }

        return NGX_OK;

    default:
        return NGX_OK;
    }

    result->verdict = NGX_ENROLL_UNAVAILABLE;

    return NGX_OK;
}


/*
 * The same call, with what the ledger said. A token whose making was lost may
 * exist on a master that is none any more, which serves as long as nobody has
 * told it so: the same one must not be made anywhere else.
 */

static ngx_int_t
ngx_enroll_issue_make(ngx_enroll_call_t *call,
    const ngx_enroll_result_t *again)
{
    if (++call->tries >= NGX_ENROLL_AGAIN_MAX) {
        return NGX_ERROR;
    }

    if (call->lost && ngx_enroll_issue_draw(call) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_enroll_issue_args(call, again) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_enroll_call_send(call);
}


/* this joiner event has its token already: the same call goes to look */

static ngx_int_t
ngx_enroll_issue_repeat(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;
    issue->verdict = NGX_ENROLL_REPEAT;

    return ngx_enroll_call_show(call, &result->token);
}


/* what the event got before is void since: it gets a fresh one (I10) */

static ngx_int_t
ngx_enroll_issue_anew(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_str_t            issued_at;
    ngx_enroll_issue_t  *issue;
    ngx_enroll_result_t  nothing;

    issue = call->context;
    issue->verdict = NGX_ENROLL_OK;
    issued_at = ngx_enroll_call_field(result->record, "issued_at");
    issue->voided.data = ngx_pnalloc(call->pool, NGX_ENROLL_HEX_LEN + 1
                                                 + issued_at.len);

    if (issue->voided.data) {
        issue->voided.len = ngx_sprintf(issue->voided.data, "%*s %V",
                                        (size_t) NGX_ENROLL_HEX_LEN, call->id,
                                        &issued_at)
                            - issue->voided.data;
        ngx_memcpy(call->id, issue->drawn, NGX_ENROLL_HEX_LEN);

        call->script = NGX_ENROLL_SCRIPT_ISSUE;
        ngx_memzero(&nothing, sizeof(ngx_enroll_result_t));

        if (ngx_enroll_issue_make(call, &nothing) == NGX_OK) {
            return NGX_AGAIN;
        }
    }

    result->verdict = NGX_ENROLL_UNAVAILABLE;

    return NGX_OK;
}


static void
ngx_enroll_issue_undo(ngx_enroll_call_t *call, const char *why)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;

    ngx_enroll_undo(call->ledger, call->partition, call->id,
                    &issue->order.issuer, &issue->order.event, why,
                    &call->client);
}


void
ngx_enroll_undo(ngx_enroll_ledger_t *ledger, ngx_uint_t partition,
    const u_char *id, const ngx_str_t *issuer, const ngx_str_t *event,
    const char *why, const ngx_str_t *client)
{
    ngx_int_t           rc;
    ngx_enroll_call_t  *call;

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_UNDO, partition,
                                  client);
    rc = NGX_OK;

    if (call) {
        ngx_memcpy(call->id, id, NGX_ENROLL_HEX_LEN);
        call->until = ngx_current_msec + NGX_ENROLL_UNDO_BUDGET;

        if (ngx_enroll_call_key(call, "request:%V:%V", issuer, event)
            != NGX_OK)
        {
            rc = NGX_ERROR;

        } else {
            rc = ngx_enroll_call_word(call, why);
        }
    }

    if (ngx_enroll_call_start(call, rc) == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: no memory to take token %*s back, which is "
                      "live until it expires",
                      (size_t) NGX_ENROLL_HEX_LEN, id);
    }
}


void
ngx_enroll_delivered(ngx_enroll_ledger_t *ledger, ngx_uint_t partition,
    const u_char *id, const ngx_str_t *client)
{
    ngx_enroll_call_t  *call;

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_DELIVER,
                                  partition, client);
    if (call) {
        ngx_memcpy(call->id, id, NGX_ENROLL_HEX_LEN);
        call->until = ngx_current_msec + NGX_ENROLL_UNDO_BUDGET;
    }

    if (ngx_enroll_call_start(call, NGX_OK) == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: no memory to say that token %*s was delivered",
                      (size_t) NGX_ENROLL_HEX_LEN, id);
    }
}


void
ngx_enroll_refuse_order(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_order_t *order, ngx_enroll_reason_e reason,
    const ngx_str_t *why)
{
    u_char              digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t           rc;
    ngx_uint_t          partition;
    ngx_keyval_t        fields[NGX_ENROLL_ORDER_FIELDS];
    ngx_enroll_call_t  *call;

    if (ngx_enroll_subject_digest(ledger->keys, &order->subject,
                                  ledger->partitions, digest, &partition)
        != NGX_OK)
    {
        return;
    }

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_REFUSE, partition,
                                  &order->client);
    if (call == NULL) {
        return;
    }

    ngx_memset(call->id, '0', NGX_ENROLL_HEX_LEN);
    rc = NGX_OK;

    if (ngx_enroll_call_key(call, "request:%V:%V", &order->issuer,
                            &order->event) != NGX_OK
        || ngx_enroll_call_arg(call, ngx_enroll_reason_name(reason)) != NGX_OK
        || ngx_enroll_call_arg(call, why) != NGX_OK
        || ngx_enroll_call_pairs(call, fields,
                                 ngx_enroll_order_fields(order, fields))
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    (void) ngx_enroll_call_start(call, rc);
}
