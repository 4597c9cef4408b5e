
#include "ngx_enroll_ledger.h"
#include "ngx_enroll_record.h"
#include "ngx_enroll_rule.h"
#include "ngx_enroll_slot.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


#define NGX_ENROLL_CALL_RETRY  500           /* ms between a settle's tries */
#define NGX_ENROLL_CALL_CLOCK  1000000000000000LL  /* ms: year 33658 */
#define NGX_ENROLL_CALL_SEQ    9007199254740992LL  /* what Lua can count to */
#define NGX_ENROLL_CALL_ERROR  200           /* characters of an error */
#define NGX_ENROLL_CALL_LATE   4096          /* that wait for the next one */
#define NGX_ENROLL_CALL_EXIT   5000          /* ms that a leaving worker waits
                                                for one */


static ngx_int_t ngx_enroll_call_submit(ngx_enroll_call_t *call,
    ngx_array_t *argv);
static ngx_int_t ngx_enroll_call_argv(ngx_enroll_call_t *call,
    ngx_array_t *argv, const ngx_enroll_script_t *script);
static ngx_int_t ngx_enroll_call_common(ngx_enroll_call_t *call,
    ngx_array_t *argv);
static void ngx_enroll_call_reply(ngx_enroll_redis_op_t *op, ngx_int_t rc,
    ngx_enroll_resp_t *reply);
static ngx_int_t ngx_enroll_call_unanswered(ngx_enroll_call_t *call,
    ngx_enroll_redis_op_t *op, ngx_int_t rc, ngx_enroll_resp_t *reply);
static size_t ngx_enroll_call_printable(ngx_str_t *text);
static void ngx_enroll_call_timer(ngx_event_t *ev);
static ngx_int_t ngx_enroll_call_read(ngx_enroll_call_t *call,
    ngx_enroll_resp_t *reply, ngx_enroll_result_t *result);
static void ngx_enroll_call_seen(ngx_enroll_call_t *call,
    ngx_atomic_uint_t epoch, ngx_atomic_uint_t seq);
static void ngx_enroll_call_raise(ngx_atomic_t *value, ngx_atomic_uint_t n);
static ngx_uint_t ngx_enroll_call_may_say(ngx_enroll_call_t *call,
    ngx_enroll_reason_e verdict);
static void ngx_enroll_call_record(ngx_enroll_resp_t *flat,
    ngx_enroll_result_t *result);
static void ngx_enroll_call_verify(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_uint_t ngx_enroll_call_own_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_uint_t ngx_enroll_call_same_session(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static void ngx_enroll_call_replicated(ngx_enroll_call_t *call,
    const ngx_enroll_redis_op_t *op, ngx_enroll_result_t *result);
static ngx_uint_t ngx_enroll_call_grants(ngx_enroll_call_t *call,
    const ngx_enroll_result_t *result);
static void ngx_enroll_call_journal(ngx_enroll_call_t *call,
    ngx_enroll_redis_op_t *op);
static void ngx_enroll_call_proceed(ngx_enroll_call_t *call, ngx_int_t rc);
static void ngx_enroll_call_end(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


typedef struct {
    ngx_str_t    name;
    size_t       offset;
} ngx_enroll_field_t;


static const ngx_enroll_field_t  ngx_enroll_fields[] = {
    { ngx_string("token"), offsetof(ngx_enroll_result_t, token) },
    { ngx_string("incarnation"), offsetof(ngx_enroll_result_t, incarnation) },
    { ngx_string("state"), offsetof(ngx_enroll_result_t, state) },
    { ngx_string("subject"), offsetof(ngx_enroll_result_t, subject) },
    { ngx_string("class"), offsetof(ngx_enroll_result_t, class) },
    { ngx_string("issuer"), offsetof(ngx_enroll_result_t, issuer) },
    { ngx_string("event"), offsetof(ngx_enroll_result_t, event) },
    { ngx_string("channel"), offsetof(ngx_enroll_result_t, channel) },
    { ngx_string("proof"), offsetof(ngx_enroll_result_t, proof) },
    { ngx_string("session"), offsetof(ngx_enroll_result_t, session) },
    { ngx_string("outcome"), offsetof(ngx_enroll_result_t, outcome) },
    { ngx_string("expires_at"), offsetof(ngx_enroll_result_t, expires_at) },
    { ngx_string("session_ends_at"),
      offsetof(ngx_enroll_result_t, session_ends_at) },
    { ngx_string("window"), offsetof(ngx_enroll_result_t, window) },
    { ngx_string("attempts_allowed"),
      offsetof(ngx_enroll_result_t, attempts_allowed) },
    { ngx_string("mac"), offsetof(ngx_enroll_result_t, mac) },
    { ngx_string("op"), offsetof(ngx_enroll_result_t, op) },
    { ngx_string("exception"), offsetof(ngx_enroll_result_t, exception) },
    { ngx_string("requester"), offsetof(ngx_enroll_result_t, requester) },
    { ngx_string("proof_prover"),
      offsetof(ngx_enroll_result_t, proof_prover) },
    { ngx_string("proof_method"),
      offsetof(ngx_enroll_result_t, proof_method) },
    { ngx_string("proof_at"), offsetof(ngx_enroll_result_t, proof_at) },
    { ngx_string("proof_evidence"),
      offsetof(ngx_enroll_result_t, proof_evidence) },
    { ngx_string("proof_jti"), offsetof(ngx_enroll_result_t, proof_jti) },
    { ngx_string("proof_mac"), offsetof(ngx_enroll_result_t, proof_mac) },
    { ngx_null_string, 0 }
};


ngx_enroll_call_t *
ngx_enroll_call_create(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, ngx_uint_t partition, const ngx_str_t *client)
{
    u_char              op[NGX_ENROLL_DIGEST_LEN];
    ngx_pool_t         *pool;
    ngx_enroll_call_t  *call;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_enroll_call_t));
    if (call == NULL) {
        goto failed;
    }

    call->pool = pool;
    call->ledger = ledger;
    call->script = script;
    call->partition = partition;

    call->client.len = client->len;
    call->client.data = ngx_pstrdup(pool, (ngx_str_t *) client);

    if (call->client.data == NULL
        || ngx_array_init(&call->keys, pool, 3, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&call->args, pool, 8, sizeof(ngx_str_t)) != NGX_OK
        || RAND_bytes(op, sizeof(op)) != 1)
    {
        goto failed;
    }

    (void) ngx_hex_dump(call->op, op, sizeof(op));

    return call;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


ngx_int_t
ngx_enroll_call_send(ngx_enroll_call_t *call)
{
    ngx_int_t                   rc;
    ngx_pool_t                 *pool;
    ngx_array_t                 argv;
    const ngx_enroll_script_t  *script;

    script = ngx_enroll_script(call->script);
    if (script == NULL) {
        return NGX_ERROR;
    }

    /* of its own: a settlement may be sent very often */

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_array_init(&argv, pool, 24, sizeof(ngx_str_t)) == NGX_OK
        && ngx_enroll_call_argv(call, &argv, script) == NGX_OK)
    {
        rc = ngx_enroll_call_submit(call, &argv);
    }

    ngx_destroy_pool(pool);

    return rc;
}


ngx_enroll_call_t *
ngx_enroll_call_start(ngx_enroll_call_t *call, ngx_int_t rc)
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


ngx_int_t
ngx_enroll_call_show(ngx_enroll_call_t *call, const ngx_str_t *id)
{
    call->script = NGX_ENROLL_SCRIPT_SHOW;
    call->durable = 0;
    call->eval = 0;
    call->keys.nelts = 0;
    call->args.nelts = 0;

    if (ngx_enroll_call_hex(call, id) != NGX_OK
        || ngx_enroll_call_word(call, "") != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_call_send(call);
}


static ngx_int_t
ngx_enroll_call_submit(ngx_enroll_call_t *call, ngx_array_t *argv)
{
    ngx_str_t              *arg;
    ngx_enroll_redis_op_t  *op;

    arg = argv->elts;

    op = ngx_enroll_redis_op(argv->nelts, arg, ngx_cycle->log);
    if (op == NULL) {
        return NGX_ERROR;
    }

    /* EVALSHA, script, number, and then the first key: all are in one slot */
    op->slot = ngx_enroll_slot(&arg[3]);

    op->handler = ngx_enroll_call_reply;
    op->data = call;
    op->repeat = 1;                     /* the operation id makes it safe */
    op->durable = call->durable;

    ngx_enroll_redis_send(call->ledger->redis, op);

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_call_argv(ngx_enroll_call_t *call, ngx_array_t *argv,
    const ngx_enroll_script_t *script)
{
    u_char     *p;
    ngx_str_t  *arg;

    arg = ngx_array_push_n(argv, 3);
    p = ngx_pnalloc(argv->pool, NGX_INT_T_LEN);
    if (arg == NULL || p == NULL) {
        return NGX_ERROR;
    }

    if (call->eval) {
        ngx_str_set(&arg[0], "EVAL");
        arg[1] = script->text;

    } else {
        ngx_str_set(&arg[0], "EVALSHA");
        arg[1].len = sizeof(script->sha1);
        arg[1].data = (u_char *) script->sha1;
    }

    arg[2].data = p;
    arg[2].len = ngx_sprintf(p, "%ui", 4 + call->keys.nelts) - p;

    if (ngx_enroll_call_common(call, argv) != NGX_OK) {
        return NGX_ERROR;
    }

    if (call->args.nelts) {
        arg = ngx_array_push_n(argv, call->args.nelts);
        if (arg == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(arg, call->args.elts,
                   call->args.nelts * sizeof(ngx_str_t));
    }

    return NGX_OK;
}


/* the KEYS, and the ARGV that all scripts have in common: prelude.lua */

static ngx_int_t
ngx_enroll_call_common(ngx_enroll_call_t *call, ngx_array_t *argv)
{
    u_char              *p;
    size_t               len;
    ngx_str_t           *arg;
    ngx_uint_t           i, n;
    ngx_atomic_uint_t    epoch, seq;
    ngx_enroll_seen_t   *seen;

    static const char  *common[] = {
        "enroll:{%ui}:live%Z", "enroll:{%ui}:events%Z", "enroll:{%ui}:meta%Z"
    };

    n = call->keys.nelts;
    len = sizeof("enroll:{}:token:") + NGX_INT_T_LEN + NGX_ENROLL_HEX_LEN;

    arg = ngx_array_push_n(argv, 4 + n + 7);
    p = ngx_pnalloc(argv->pool, 4 * len + 4 * NGX_INT64_LEN);
    if (arg == NULL || p == NULL) {
        return NGX_ERROR;
    }

    arg->data = p;
    p = ngx_sprintf(p, "enroll:{%ui}:token:%*s", call->partition,
                    (size_t) NGX_ENROLL_HEX_LEN, call->id);
    arg->len = p - arg->data;
    arg++;

    for (i = 0; i < 3; i++) {
        arg->data = p;
        p = ngx_sprintf(p, common[i], call->partition);
        arg->len = p - arg->data - 1;
        arg++;
    }

    ngx_memcpy(arg, call->keys.elts, n * sizeof(ngx_str_t));
    arg += n;

    arg[0].len = NGX_ENROLL_HEX_LEN;
    arg[0].data = call->op;
    arg[1].len = NGX_ENROLL_HEX_LEN;
    arg[1].data = call->id;
    arg[2] = call->client;
    arg[3].data = p;
    p = ngx_sprintf(p, "%M", call->ledger->retain);
    arg[3].len = p - arg[3].data;
    arg[4].data = p;
    p = ngx_sprintf(p, "%M", call->ledger->events_retain);
    arg[4].len = p - arg[4].data;

    if (call->ledger->sequence) {
        ngx_str_set(&arg[5], "sequence");

    } else {
        ngx_str_set(&arg[5], "incarnation");
    }

    arg[6].data = p;
    seen = call->ledger->seen ? &call->ledger->seen[call->partition] : NULL;

    /* in this order: a seq of a new epoch never goes with an old epoch */
    seq = seen ? seen->seq : 0;
    epoch = seen ? seen->epoch : 0;

    p = ngx_sprintf(p, "%uA %uA", epoch, seq);
    arg[6].len = p - arg[6].data;

    return NGX_OK;
}


static void
ngx_enroll_call_reply(ngx_enroll_redis_op_t *op, ngx_int_t rc,
    ngx_enroll_resp_t *reply)
{
    ngx_enroll_call_t    *call;
    ngx_enroll_result_t  *result;

    call = op->data;
    result = &call->result;
    ngx_memzero(result, sizeof(ngx_enroll_result_t));

    /* what a repeat is answered with tells nothing of the first */
    call->lost |= (rc == NGX_ERROR || op->repeated);

    if (rc != NGX_OK || reply->type == NGX_ENROLL_RESP_ERROR) {
        if (ngx_enroll_call_unanswered(call, op, rc, reply) == NGX_AGAIN) {
            return;
        }

        result->verdict = NGX_ENROLL_UNAVAILABLE;
        result->lost = call->lost;

    } else if (ngx_enroll_call_read(call, reply, result) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: the ledger's %V script answered in a form "
                      "that is not its own",
                      &ngx_enroll_script(call->script)->name);
        ngx_memzero(result, sizeof(ngx_enroll_result_t));
        result->verdict = NGX_ENROLL_UNAVAILABLE;
        result->lost = 1;

    } else {
        ngx_enroll_call_verify(call, result);

        if (call->durable) {
            ngx_enroll_call_replicated(call, op, result);
        }
    }

    ngx_enroll_call_journal(call, op);
}


/*
 * No answer, or an error. NGX_AGAIN: it is, or will be, asked again.
 */

static ngx_int_t
ngx_enroll_call_unanswered(ngx_enroll_call_t *call, ngx_enroll_redis_op_t *op,
    ngx_int_t rc, ngx_enroll_resp_t *reply)
{
    ngx_uint_t      level;
    ngx_msec_int_t  left;

    if (rc == NGX_OK
        && !call->eval
        && reply->str.len >= 8
        && ngx_strncmp(reply->str.data, "NOSCRIPT", 8) == 0)
    {
        call->eval = 1;

        if (ngx_enroll_call_send(call) == NGX_OK) {
            return NGX_AGAIN;
        }
    }

    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: the ledger's %V script failed: \"%*s\"",
                      &ngx_enroll_script(call->script)->name,
                      ngx_enroll_call_printable(&reply->str),
                      reply->str.data);

    } else {
        /* an outage is told once, by redis/; what was lost, each time */

        level = (rc == NGX_ERROR) ? NGX_LOG_WARN : NGX_LOG_INFO;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "enroll: no answer from the ledger to %V of token "
                      "%*s: %s", &ngx_enroll_script(call->script)->name,
                      (size_t) NGX_ENROLL_HEX_LEN, call->id,
                      op->failure ? op->failure : "failed");
    }

    left = (ngx_msec_int_t) (call->until - ngx_current_msec);

    if (call->until == 0
        || left <= 0
        || call->ledger->late >= NGX_ENROLL_CALL_LATE)
    {
        return NGX_DECLINED;
    }

    if (ngx_exiting && left > NGX_ENROLL_CALL_EXIT) {
        call->until = ngx_current_msec + NGX_ENROLL_CALL_EXIT;
    }

    call->eval = 0;
    call->timer.handler = ngx_enroll_call_timer;
    call->timer.data = call;
    call->timer.log = ngx_cycle->log;
    ngx_add_timer(&call->timer, NGX_ENROLL_CALL_RETRY);
    call->ledger->late++;

    return NGX_AGAIN;
}


/* how much of Redis' words goes to a log, without what would not be read */

static size_t
ngx_enroll_call_printable(ngx_str_t *text)
{
    size_t  i, len;

    len = ngx_min(text->len, NGX_ENROLL_CALL_ERROR);

    for (i = 0; i < len; i++) {
        if (text->data[i] < ' ' || text->data[i] >= 0x7f) {
            text->data[i] = '.';
        }
    }

    return len;
}


static void
ngx_enroll_call_timer(ngx_event_t *ev)
{
    ngx_enroll_call_t    *call;
    ngx_enroll_result_t   result;

    call = ev->data;
    call->ledger->late--;

    if (ngx_enroll_call_send(call) == NGX_OK) {
        return;
    }

    ngx_memzero(&result, sizeof(ngx_enroll_result_t));
    result.verdict = NGX_ENROLL_UNAVAILABLE;

    ngx_enroll_call_end(call, &result);
}


static ngx_int_t
ngx_enroll_call_read(ngx_enroll_call_t *call, ngx_enroll_resp_t *reply,
    ngx_enroll_result_t *result)
{
    off_t               seq, epoch;
    ngx_uint_t          i;
    ngx_enroll_resp_t  *part;

    part = reply->elts;

    if (reply->type != NGX_ENROLL_RESP_ARRAY
        || reply->nelts != 6
        || part[0].type != NGX_ENROLL_RESP_STRING
        || part[1].type != NGX_ENROLL_RESP_STRING
        || part[2].type != NGX_ENROLL_RESP_ARRAY
        || part[3].type != NGX_ENROLL_RESP_ARRAY
        || part[4].type != NGX_ENROLL_RESP_STRING
        || part[5].type != NGX_ENROLL_RESP_STRING)
    {
        return NGX_ERROR;
    }

    result->verdict = ngx_enroll_reason_find(&part[0].str);
    result->now = ngx_atoof(part[1].str.data, part[1].str.len);
    seq = ngx_atoof(part[4].str.data, part[4].str.len);
    epoch = ngx_atoof(part[5].str.data, part[5].str.len);

    if (!ngx_enroll_call_may_say(call, result->verdict)
        || result->now < 0
        || result->now > NGX_ENROLL_CALL_CLOCK
        || seq < 0
        || seq > NGX_ENROLL_CALL_SEQ
        || epoch < 0
        || epoch > NGX_ENROLL_CALL_CLOCK)
    {
        return NGX_ERROR;
    }

    ngx_enroll_call_record(&part[2], result);
    result->record = &part[2];

    for (i = 0; i < part[3].nelts; i++) {
        if (part[3].elts[i].type != NGX_ENROLL_RESP_ARRAY) {
            return NGX_ERROR;
        }
    }

    result->nevents = part[3].nelts;
    result->events = part[3].elts;

    ngx_enroll_call_seen(call, (ngx_atomic_uint_t) epoch,
                         (ngx_atomic_uint_t) seq);

    return NGX_OK;
}


/* a ledger that once knew less than this has lost it (I10) */

static void
ngx_enroll_call_seen(ngx_enroll_call_t *call, ngx_atomic_uint_t epoch,
    ngx_atomic_uint_t seq)
{
    ngx_enroll_seen_t  *seen;

    if (call->ledger->seen) {
        seen = &call->ledger->seen[call->partition];

        ngx_enroll_call_raise(&seen->epoch, epoch);
        ngx_enroll_call_raise(&seen->seq, seq);
    }
}


static void
ngx_enroll_call_raise(ngx_atomic_t *value, ngx_atomic_uint_t n)
{
    ngx_atomic_uint_t  was;

    do {
        was = *value;
    } while (was < n && !ngx_atomic_cmp_set(value, was, n));
}


/* the proxy's own reasons are not a script's to give */

static ngx_uint_t
ngx_enroll_call_may_say(ngx_enroll_call_t *call, ngx_enroll_reason_e verdict)
{
    switch (verdict) {

    case NGX_ENROLL_AGAIN:
        return call->script == NGX_ENROLL_SCRIPT_ISSUE
               || call->script == NGX_ENROLL_SCRIPT_REVOKE
               || call->script == NGX_ENROLL_SCRIPT_PROVE;

    case NGX_ENROLL_REPEAT:
        return call->script == NGX_ENROLL_SCRIPT_ISSUE
               || call->script == NGX_ENROLL_SCRIPT_REVOKE
               || call->script == NGX_ENROLL_SCRIPT_APPROVE
               || call->script == NGX_ENROLL_SCRIPT_PROVE;

    case NGX_ENROLL_STALE:
        return call->script == NGX_ENROLL_SCRIPT_SETTLE;

    default:
        return verdict <= NGX_ENROLL_APPROVER;
    }
}


static void
ngx_enroll_call_record(ngx_enroll_resp_t *flat, ngx_enroll_result_t *result)
{
    ngx_str_t                 *name, *value;
    ngx_uint_t                 i;
    const ngx_enroll_field_t  *f;

    for (i = 0; i + 1 < flat->nelts; i += 2) {
        name = &flat->elts[i].str;

        for (f = ngx_enroll_fields; f->name.len; f++) {

            if (f->name.len == name->len
                && ngx_memcmp(f->name.data, name->data, name->len) == 0)
            {
                value = (ngx_str_t *) ((char *) result + f->offset);
                *value = flat->elts[i + 1].str;
                break;
            }
        }
    }
}


/* who writes Redis without the keys makes no record that we act upon (I5) */

static void
ngx_enroll_call_verify(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_enroll_record_t  record;

    if (result->verdict != NGX_ENROLL_OK) {
        return;
    }

    if (!ngx_enroll_call_own_answer(call, result)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: the ledger answered %V of token %*s with "
                      "another call's answer",
                      &ngx_enroll_script(call->script)->name,
                      (size_t) NGX_ENROLL_HEX_LEN, call->id);

        result->verdict = NGX_ENROLL_UNAVAILABLE;
        result->lost = 1;
        return;
    }

    record.id.len = NGX_ENROLL_HEX_LEN;
    record.id.data = call->id;
    record.subject = result->subject;
    record.class = result->class;
    record.issuer = result->issuer;
    record.event = result->event;
    record.channel = result->channel;
    record.expires_at = result->expires_at;
    record.window = result->window;
    record.attempts_allowed = result->attempts_allowed;
    record.exception = result->exception;
    record.requester = result->requester;

    if (call->script == NGX_ENROLL_SCRIPT_REFUSE) {
        /* there is no record */
        return;
    }

    if (ngx_enroll_record_verify(call->ledger->keys, &record, &result->mac)
        == NGX_OK
        && ngx_enroll_call_same_session(call, result)
        && ngx_enroll_rule_kept(call, result))
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "enroll: the record of token %*s was not written by a "
                  "holder of the keys: refused",
                  (size_t) NGX_ENROLL_HEX_LEN, call->id);

    result->verdict = NGX_ENROLL_TAMPERED;
}


/*
 * A change that was granted is on the record, under the call's own id, with
 * the state that it leads to.
 */

static ngx_uint_t
ngx_enroll_call_own_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    const char  *state;

    switch (call->script) {

    case NGX_ENROLL_SCRIPT_ISSUE:
        state = "issued";
        break;

    case NGX_ENROLL_SCRIPT_REDEEM:
    case NGX_ENROLL_SCRIPT_BEGIN:
        state = "redeemed";
        break;

    case NGX_ENROLL_SCRIPT_CLAIM:
        state = "claimed";
        break;

    default:
        return 1;
    }

    return result->op.len == NGX_ENROLL_HEX_LEN
           && ngx_memcmp(result->op.data, call->op, NGX_ENROLL_HEX_LEN) == 0
           && result->state.len == ngx_strlen(state)
           && ngx_memcmp(result->state.data, state, result->state.len) == 0;
}


/* what a bearer's session may do, the record's session may */

static ngx_uint_t
ngx_enroll_call_same_session(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_str_t  *session;

    switch (call->script) {

    case NGX_ENROLL_SCRIPT_REDEEM:
    case NGX_ENROLL_SCRIPT_BEGIN:
    case NGX_ENROLL_SCRIPT_CLAIM:
    case NGX_ENROLL_SCRIPT_SHOW:
        break;

    default:
        return 1;
    }

    session = call->args.elts;

    return session->len == 0
           || (session->len == result->session.len
               && CRYPTO_memcmp(session->data, result->session.data,
                                session->len)
                  == 0);
}


/*
 * What too few replicas have may be forgotten: what it grants is not acted
 * upon, as if the reply had been lost. What it refuses is refused.
 */

static void
ngx_enroll_call_replicated(ngx_enroll_call_t *call,
    const ngx_enroll_redis_op_t *op, ngx_enroll_result_t *result)
{
    if (!ngx_enroll_call_grants(call, result)) {
        /* and may have written nothing, of which nothing can be missing */
        return;
    }

    ngx_enroll_redis_replicated(call->ledger->redis, op);

    if (op->replicated) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "enroll: too few replicas have the %V of token %*s",
                  &ngx_enroll_script(call->script)->name,
                  (size_t) NGX_ENROLL_HEX_LEN, call->id);

    result->verdict = NGX_ENROLL_UNAVAILABLE;
    result->lost = 1;
    result->unreplicated = 1;
}


static ngx_uint_t
ngx_enroll_call_grants(ngx_enroll_call_t *call,
    const ngx_enroll_result_t *result)
{
    switch (result->verdict) {

    case NGX_ENROLL_OK:
    case NGX_ENROLL_REPEAT:
        return 1;

    case NGX_ENROLL_TAMPERED:
        /* whatever the record is, it is revoked */
        return call->script == NGX_ENROLL_SCRIPT_REVOKE;

    default:
        return 0;
    }
}


/* the reply is kept for as long as that takes */

static void
ngx_enroll_call_journal(ngx_enroll_call_t *call, ngx_enroll_redis_op_t *op)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (call->ledger->journal) {
        rc = call->ledger->journal(call, &call->result);
    }

    if (rc == NGX_AGAIN) {
        call->reply = ngx_enroll_redis_op_keep(op);
        return;
    }

    ngx_enroll_call_proceed(call, rc);
}


void
ngx_enroll_call_go_on(ngx_enroll_call_t *call, ngx_int_t rc)
{
    ngx_pool_t  *reply;

    reply = call->reply;
    call->reply = NULL;

    ngx_enroll_call_proceed(call, rc);

    ngx_destroy_pool(reply);
}


static void
ngx_enroll_call_proceed(ngx_enroll_call_t *call, ngx_int_t rc)
{
    ngx_enroll_result_t  *result;

    result = &call->result;

    if (rc != NGX_OK) {
        /* what was granted is as if nobody had heard of it */
        result->lost |= (result->verdict == NGX_ENROLL_OK);
        result->verdict = NGX_ENROLL_UNAVAILABLE;
    }

    if (call->step && call->step(call, result) == NGX_AGAIN) {
        return;
    }

    ngx_enroll_call_end(call, result);
}


static void
ngx_enroll_call_end(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    if (call->ledger->observe) {
        call->ledger->observe(call, result);
    }

    if (call->handler) {
        call->handler(call, result);
    }

    ngx_enroll_call_free(call);
}


void
ngx_enroll_call_detach(ngx_enroll_call_t *call)
{
    call->handler = NULL;
}


void
ngx_enroll_call_free(ngx_enroll_call_t *call)
{
    OPENSSL_cleanse(call->text, sizeof(call->text));

    if (call->reply) {
        ngx_destroy_pool(call->reply);
    }

    ngx_destroy_pool(call->pool);
}
