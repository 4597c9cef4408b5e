
#include "ngx_enroll_ledger.h"
#include "ngx_enroll_record.h"


#define NGX_ENROLL_SETTLE_BUDGET  (24 * 60 * 60 * 1000)      /* ms */
#define NGX_ENROLL_AGAIN_MAX      16         /* steps of issue and revoke */


typedef struct {
    ngx_enroll_order_t   order;
    ngx_enroll_token_t   token;
    u_char               subject[NGX_ENROLL_DIGEST_LEN];
    ngx_enroll_reason_e  verdict;            /* repeat: while it is shown */
} ngx_enroll_issue_t;


static ngx_enroll_call_t *ngx_enroll_ledger_start(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_enroll_call_handler_pt handler, void *data);
static ngx_enroll_call_t *ngx_enroll_ledger_ask(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_enroll_call_handler_pt handler, void *data);
static ngx_enroll_call_t *ngx_enroll_ledger_send(ngx_enroll_call_t *call,
    ngx_int_t rc);
static ngx_int_t ngx_enroll_ledger_digest(ngx_enroll_call_t *call,
    const u_char *digest);
static ngx_int_t ngx_enroll_ledger_word(ngx_enroll_call_t *call,
    const char *word);
static ngx_int_t ngx_enroll_claim_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_issue_copy(ngx_enroll_call_t *call,
    ngx_enroll_issue_t *issue, const ngx_enroll_order_t *order);
static ngx_int_t ngx_enroll_issue_args(ngx_enroll_call_t *call, int64_t now,
    const ngx_str_t *before);
static ngx_int_t ngx_enroll_issue_record(ngx_enroll_call_t *call,
    int64_t now);
static ngx_int_t ngx_enroll_issue_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_issue_repeat(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_revoke_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_ledger_hex(ngx_enroll_call_t *call,
    const ngx_str_t *id);


ngx_enroll_call_t *
ngx_enroll_redeem(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data)
{
    ngx_enroll_call_t  *call;

    call = ngx_enroll_ledger_start(ledger, NGX_ENROLL_SCRIPT_REDEEM, bearer,
                                   handler, data);

    return ngx_enroll_ledger_send(call, NGX_OK);
}


ngx_enroll_call_t *
ngx_enroll_begin(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data)
{
    return ngx_enroll_ledger_ask(ledger, NGX_ENROLL_SCRIPT_BEGIN, bearer,
                                 handler, data);
}


ngx_enroll_call_t *
ngx_enroll_claim(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_uint_t ordered,
    ngx_enroll_call_handler_pt handler, void *data)
{
    ngx_int_t           rc;
    ngx_enroll_call_t  *call;

    call = ngx_enroll_ledger_start(ledger, NGX_ENROLL_SCRIPT_CLAIM, bearer,
                                   handler, data);
    if (call == NULL) {
        return NULL;
    }

    call->step = ngx_enroll_claim_step;

    rc = ngx_enroll_call_number(call, bearer->direct);
    if (rc == NGX_OK) {
        rc = ngx_enroll_call_number(call, ordered);
    }

    return ngx_enroll_ledger_send(call, rc);
}


/*
 * Nobody will forward this request: the reply was lost, or the client left
 * before it came. What may have been claimed is given back.
 */

static ngx_int_t
ngx_enroll_claim_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    u_char               id[NGX_ENROLL_DIGEST_LEN];
    ngx_str_t            subject;
    ngx_enroll_bearer_t  bearer;

    if (!(result->verdict == NGX_ENROLL_UNAVAILABLE && result->lost)
        && !(result->verdict == NGX_ENROLL_OK && call->handler == NULL))
    {
        return NGX_OK;
    }

    if (ngx_enroll_call_raw(call->id, NGX_ENROLL_HEX_LEN, id) != NGX_OK) {
        return NGX_OK;
    }

    ngx_memzero(&bearer, sizeof(ngx_enroll_bearer_t));
    bearer.partition = call->partition;
    bearer.id = id;
    bearer.client = call->client;
    ngx_str_null(&subject);

    ngx_enroll_settle(call->ledger, &bearer, &subject, call->op,
                      NGX_ENROLL_OUTCOME_RELEASED, 0);

    return NGX_OK;
}


void
ngx_enroll_settle(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, const ngx_str_t *subject,
    const u_char *claim, ngx_enroll_outcome_e outcome, ngx_uint_t status)
{
    u_char              digest[NGX_ENROLL_DIGEST_LEN];
    ngx_str_t           hex;
    ngx_uint_t          partition;
    ngx_enroll_call_t  *call;

    static const char  *outcomes[] = {
        "unknown", "enrolled", "refused", "unknown", "released"
    };

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_SETTLE,
                                  bearer->partition, &bearer->client);
    if (call == NULL) {
        goto failed;
    }

    ngx_enroll_call_id(call, bearer->id);
    call->until = ngx_current_msec + NGX_ENROLL_SETTLE_BUDGET;

    hex.len = NGX_ENROLL_HEX_LEN;
    hex.data = (u_char *) claim;

    if (ngx_enroll_subject_digest(ledger->keys, subject, ledger->partitions,
                                  digest, &partition) != NGX_OK
        || ngx_enroll_ledger_digest(call, digest) != NGX_OK
        || ngx_enroll_call_arg(call, &hex) != NGX_OK
        || ngx_enroll_ledger_word(call, outcomes[outcome]) != NGX_OK
        || (status ? ngx_enroll_call_number(call, status)
                   : ngx_enroll_ledger_word(call, "")) != NGX_OK)
    {
        ngx_enroll_call_free(call);
        goto failed;
    }

    if (ngx_enroll_ledger_send(call, NGX_OK) != NULL) {
        return;
    }

failed:

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "enroll: no memory to settle claim %*s, which stays closed",
                  (size_t) NGX_ENROLL_HEX_LEN, claim);
}


ngx_enroll_call_t *
ngx_enroll_show(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data)
{
    return ngx_enroll_ledger_ask(ledger, NGX_ENROLL_SCRIPT_SHOW, bearer,
                                 handler, data);
}


ngx_enroll_call_t *
ngx_enroll_issue(ngx_enroll_ledger_t *ledger, const ngx_enroll_order_t *order,
    ngx_enroll_call_handler_pt handler, void *data)
{
    u_char               digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t            rc;
    ngx_str_t            none;
    ngx_uint_t           partition;
    ngx_enroll_call_t   *call;
    ngx_enroll_issue_t  *issue;

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

    if (issue == NULL
        || ngx_enroll_issue_copy(call, issue, order) != NGX_OK
        || ngx_enroll_token_make(ledger->keys, partition, &issue->token,
                                 call->text) != NGX_OK)
    {
        ngx_enroll_call_free(call);
        return NULL;
    }

    ngx_memcpy(issue->subject, digest, NGX_ENROLL_DIGEST_LEN);
    call->context = issue;
    ngx_enroll_call_id(call, issue->token.id);

    /* the clock is Redis': the first step asks for it */

    ngx_str_null(&none);
    rc = ngx_enroll_issue_args(call, 0, &none);

    return ngx_enroll_ledger_send(call, rc);
}


static ngx_int_t
ngx_enroll_issue_copy(ngx_enroll_call_t *call, ngx_enroll_issue_t *issue,
    const ngx_enroll_order_t *order)
{
    size_t        i, n;
    ngx_str_t    *s[5];
    ngx_keyval_t *kv;

    issue->order = *order;

    s[0] = &issue->order.subject;
    s[1] = &issue->order.class;
    s[2] = &issue->order.issuer;
    s[3] = &issue->order.event;
    s[4] = &issue->order.channel;

    for (i = 0; i < 5; i++) {
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


static ngx_int_t
ngx_enroll_issue_args(ngx_enroll_call_t *call, int64_t now,
    const ngx_str_t *before)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;
    call->keys.nelts = 0;
    call->args.nelts = 0;

    if (ngx_enroll_ledger_digest(call, issue->subject) != NGX_OK
        || ngx_enroll_call_key(call, "request:%V:%V", &issue->order.issuer,
                               &issue->order.event) != NGX_OK
        || ngx_enroll_call_arg(call, before) != NGX_OK
        || ngx_enroll_call_number(call, issue->order.ttl) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (before->len
        && ngx_enroll_call_key(call, "token:%V", before) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_issue_record(call, now);
}


static ngx_int_t
ngx_enroll_issue_record(ngx_enroll_call_t *call, int64_t now)
{
    u_char                expires_at[NGX_INT64_LEN], window[NGX_INT64_LEN],
                          attempts[NGX_INT_T_LEN],
                          mac[NGX_ENROLL_RECORD_MAC_LEN],
                          name[sizeof("attribute.") + 32];
    ngx_str_t             key;
    ngx_uint_t            i, n;
    ngx_keyval_t          fields[9];
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

    n = 0;

#define ngx_enroll_issue_field(f)                                             \
    ngx_str_set(&fields[n].key, #f);                                          \
    fields[n++].value = record.f

    ngx_enroll_issue_field(subject);
    ngx_enroll_issue_field(class);
    ngx_enroll_issue_field(issuer);
    ngx_enroll_issue_field(event);
    ngx_enroll_issue_field(channel);
    ngx_enroll_issue_field(expires_at);
    ngx_enroll_issue_field(window);
    ngx_enroll_issue_field(attempts_allowed);

#undef ngx_enroll_issue_field

    ngx_str_set(&fields[n].key, "mac");
    fields[n].value.len = sizeof(mac);
    fields[n++].value.data = mac;

    if (ngx_enroll_call_number(call, 2 * (n + order->nattributes)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_enroll_call_arg(call, &fields[i].key) != NGX_OK
            || ngx_enroll_call_arg(call, &fields[i].value) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < order->nattributes; i++) {
        key.data = name;
        key.len = ngx_snprintf(name, sizeof(name), "attribute.%V",
                               &order->attributes[i].key)
                  - name;

        if (ngx_enroll_call_arg(call, &key) != NGX_OK
            || ngx_enroll_call_arg(call, &order->attributes[i].value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_issue_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;

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
        if (++call->tries < NGX_ENROLL_AGAIN_MAX
            && ngx_enroll_issue_args(call, result->now, &result->token)
               == NGX_OK
            && ngx_enroll_call_send(call) == NGX_OK)
        {
            return NGX_AGAIN;
        }

        break;

    case NGX_ENROLL_REPEAT:
        if (ngx_enroll_issue_repeat(call, result) == NGX_OK) {
            return NGX_AGAIN;
        }

        break;

    default:
        return NGX_OK;
    }

    result->verdict = NGX_ENROLL_UNAVAILABLE;

    return NGX_OK;
}


/* this joiner event has its token already: the same call goes to look */

static ngx_int_t
ngx_enroll_issue_repeat(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_enroll_issue_t  *issue;

    issue = call->context;
    issue->verdict = NGX_ENROLL_REPEAT;

    call->script = NGX_ENROLL_SCRIPT_SHOW;
    call->eval = 0;
    call->keys.nelts = 0;
    call->args.nelts = 0;

    if (ngx_enroll_ledger_hex(call, &result->token) != NGX_OK
        || ngx_enroll_ledger_word(call, "") != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_call_send(call);
}


ngx_enroll_call_t *
ngx_enroll_revoke(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_revocation_t *revocation,
    ngx_enroll_call_handler_pt handler, void *data)
{
    u_char              digest[NGX_ENROLL_DIGEST_LEN];
    ngx_int_t           rc;
    ngx_uint_t          partition;
    ngx_enroll_call_t  *call;

    partition = 0;

    if (revocation->id.len == 0
        && ngx_enroll_subject_digest(ledger->keys, &revocation->subject,
                                     ledger->partitions, digest, &partition)
           != NGX_OK)
    {
        return NULL;
    }

    call = ngx_enroll_call_create(ledger, NGX_ENROLL_SCRIPT_REVOKE, partition,
                                  &revocation->client);
    if (call == NULL) {
        return NULL;
    }

    call->handler = handler;
    call->data = data;
    ngx_memset(call->id, '0', NGX_ENROLL_HEX_LEN);

    if (revocation->id.len) {
        rc = ngx_enroll_ledger_hex(call, &revocation->id);

    } else {
        call->step = ngx_enroll_revoke_step;
        rc = ngx_enroll_ledger_digest(call, digest);
    }

    if (rc == NGX_OK) {
        rc = ngx_enroll_call_arg(call, &revocation->why);
    }

    if (rc == NGX_OK) {
        rc = ngx_enroll_call_arg(call, &revocation->by);
    }

    return ngx_enroll_ledger_send(call, rc);
}


static ngx_int_t
ngx_enroll_revoke_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    if (result->verdict != NGX_ENROLL_AGAIN) {
        return NGX_OK;
    }

    if (++call->tries < NGX_ENROLL_AGAIN_MAX
        && ngx_enroll_ledger_hex(call, &result->token) == NGX_OK
        && ngx_enroll_call_send(call) == NGX_OK)
    {
        return NGX_AGAIN;
    }

    result->verdict = NGX_ENROLL_UNAVAILABLE;

    return NGX_OK;
}


static ngx_enroll_call_t *
ngx_enroll_ledger_start(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_enroll_call_handler_pt handler, void *data)
{
    u_char              hex[NGX_ENROLL_HEX_LEN];
    ngx_str_t           session;
    ngx_enroll_call_t  *call;

    call = ngx_enroll_call_create(ledger, script, bearer->partition,
                                  &bearer->client);
    if (call == NULL) {
        return NULL;
    }

    call->handler = handler;
    call->data = data;
    ngx_enroll_call_id(call, bearer->id);

    session.data = hex;
    session.len = 0;

    if (bearer->session) {
        session.len = NGX_ENROLL_HEX_LEN;
        (void) ngx_hex_dump(hex, (u_char *) bearer->session,
                            NGX_ENROLL_DIGEST_LEN);
    }

    if (ngx_enroll_call_arg(call, &session) != NGX_OK) {
        ngx_enroll_call_free(call);
        return NULL;
    }

    return call;
}


/* a call that takes nothing but the bearer */

static ngx_enroll_call_t *
ngx_enroll_ledger_ask(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_enroll_call_handler_pt handler, void *data)
{
    ngx_int_t           rc;
    ngx_enroll_call_t  *call;

    call = ngx_enroll_ledger_start(ledger, script, bearer, handler, data);
    if (call == NULL) {
        return NULL;
    }

    rc = ngx_enroll_call_number(call, bearer->direct);

    return ngx_enroll_ledger_send(call, rc);
}


static ngx_enroll_call_t *
ngx_enroll_ledger_send(ngx_enroll_call_t *call, ngx_int_t rc)
{
    if (call == NULL) {
        return NULL;
    }

    if (rc != NGX_OK || ngx_enroll_call_send(call) != NGX_OK) {
        ngx_enroll_call_free(call);
        return NULL;
    }

    return call;
}


static ngx_int_t
ngx_enroll_ledger_digest(ngx_enroll_call_t *call, const u_char *digest)
{
    u_char  hex[NGX_ENROLL_HEX_LEN];

    (void) ngx_hex_dump(hex, (u_char *) digest, NGX_ENROLL_DIGEST_LEN);

    return ngx_enroll_call_key(call, "subject:%*s",
                               (size_t) NGX_ENROLL_HEX_LEN, hex);
}


static ngx_int_t
ngx_enroll_ledger_word(ngx_enroll_call_t *call, const char *word)
{
    ngx_str_t  arg;

    arg.data = (u_char *) word;
    arg.len = ngx_strlen(word);

    return ngx_enroll_call_arg(call, &arg);
}


/* names the token by an id in hex, as Redis or an issuer has it */

static ngx_int_t
ngx_enroll_ledger_hex(ngx_enroll_call_t *call, const ngx_str_t *id)
{
    if (id->len != NGX_ENROLL_HEX_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(call->id, id->data, NGX_ENROLL_HEX_LEN);

    return NGX_OK;
}
