
#include "ngx_enroll_ledger.h"


#define NGX_ENROLL_SETTLE_BUDGET  (24 * 60 * 60 * 1000)      /* ms */


static ngx_enroll_call_t *ngx_enroll_ledger_start(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_enroll_call_handler_pt handler, void *data);
static ngx_enroll_call_t *ngx_enroll_ledger_ask(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_uint_t flag, ngx_enroll_call_handler_pt handler, void *data);
static ngx_uint_t ngx_enroll_ledger_durable(ngx_enroll_script_e script,
    ngx_uint_t flag);
static ngx_int_t ngx_enroll_claim_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_enroll_settle_step(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


ngx_enroll_call_t *
ngx_enroll_redeem(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data)
{
    return ngx_enroll_ledger_ask(ledger, NGX_ENROLL_SCRIPT_REDEEM, bearer, 0,
                                 handler, data);
}


void
ngx_enroll_replay(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer)
{
    ngx_enroll_call_t  *call;

    call = ngx_enroll_ledger_ask(ledger, NGX_ENROLL_SCRIPT_REDEEM, bearer, 1,
                                 NULL, NULL);

    if (call) {
        /* it is told once, so it has to arrive */
        call->until = ngx_current_msec + NGX_ENROLL_SETTLE_BUDGET;
    }
}


ngx_enroll_call_t *
ngx_enroll_begin(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data)
{
    return ngx_enroll_ledger_ask(ledger, NGX_ENROLL_SCRIPT_BEGIN, bearer,
                                 bearer->direct, handler, data);
}


ngx_enroll_call_t *
ngx_enroll_claim(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_uint_t ordered,
    const ngx_keyval_t *facts, ngx_uint_t nfacts,
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
    call->durable = 1;

    rc = NGX_OK;

    if (ngx_enroll_call_number(call, bearer->direct) != NGX_OK
        || ngx_enroll_call_number(call, ordered) != NGX_OK
        || ngx_enroll_call_pairs(call, facts, nfacts) != NGX_OK
        || ngx_enroll_call_rules(call, bearer->rules, bearer->nrules)
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    return ngx_enroll_call_start(call, rc);
}


/*
 * Nobody will forward this request: the reply was lost, or the client left
 * before it came, or it was not written down. What may have been claimed is
 * given back.
 */

static ngx_int_t
ngx_enroll_claim_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    u_char               id[NGX_ENROLL_DIGEST_LEN];
    ngx_str_t            subject;
    ngx_enroll_bearer_t  bearer;

    if (result->verdict == NGX_ENROLL_OK) {
        if (call->handler) {
            return NGX_OK;
        }

    } else if (!call->lost && !result->lost) {
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
    call->step = ngx_enroll_settle_step;
    call->until = ngx_current_msec + NGX_ENROLL_SETTLE_BUDGET;

    hex.len = NGX_ENROLL_HEX_LEN;
    hex.data = (u_char *) claim;

    if (ngx_enroll_subject_digest(ledger->keys, subject, ledger->partitions,
                                  digest, &partition) != NGX_OK
        || ngx_enroll_call_subject(call, digest) != NGX_OK
        || ngx_enroll_call_arg(call, &hex) != NGX_OK
        || ngx_enroll_call_word(call, outcomes[outcome]) != NGX_OK
        || (status ? ngx_enroll_call_number(call, status)
                   : ngx_enroll_call_word(call, "")) != NGX_OK)
    {
        ngx_enroll_call_free(call);
        goto failed;
    }

    if (ngx_enroll_call_start(call, NGX_OK) != NULL) {
        return;
    }

failed:

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "enroll: no memory to settle claim %*s, which stays closed",
                  (size_t) NGX_ENROLL_HEX_LEN, claim);
}


/* where the ledger has lost the whole record, there is no stream to tell it */

static ngx_int_t
ngx_enroll_settle_step(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    ngx_str_t  *arg;

    arg = call->args.elts;

    if (result->verdict == NGX_ENROLL_UNKNOWN
        && ngx_strncmp(arg[1].data, "released", arg[1].len) != 0)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: the ledger has lost token %*s, whose claim %V "
                      "the IdP has answered: %V",
                      (size_t) NGX_ENROLL_HEX_LEN, call->id, &arg[0],
                      &arg[1]);
    }

    return NGX_OK;
}


ngx_enroll_call_t *
ngx_enroll_show(ngx_enroll_ledger_t *ledger,
    const ngx_enroll_bearer_t *bearer, ngx_enroll_call_handler_pt handler,
    void *data)
{
    return ngx_enroll_ledger_ask(ledger, NGX_ENROLL_SCRIPT_SHOW, bearer,
                                 bearer->direct, handler, data);
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


/*
 * What spends the token is: a redeem, a claim, and a begin that may redeem.
 * What is lost of a mere begin, or of an issue, closes, and opens nothing.
 */

static ngx_uint_t
ngx_enroll_ledger_durable(ngx_enroll_script_e script, ngx_uint_t flag)
{
    switch (script) {

    case NGX_ENROLL_SCRIPT_REDEEM:
        /* the flag: it never redeems */
        return !flag;

    case NGX_ENROLL_SCRIPT_BEGIN:
        /* the flag: by the token itself */
        return flag;

    default:
        return 0;
    }
}


/* a call that takes nothing but the bearer and one flag */

static ngx_enroll_call_t *
ngx_enroll_ledger_ask(ngx_enroll_ledger_t *ledger,
    ngx_enroll_script_e script, const ngx_enroll_bearer_t *bearer,
    ngx_uint_t flag, ngx_enroll_call_handler_pt handler, void *data)
{
    ngx_int_t           rc;
    ngx_enroll_call_t  *call;

    call = ngx_enroll_ledger_start(ledger, script, bearer, handler, data);
    if (call == NULL) {
        return NULL;
    }

    call->durable = ngx_enroll_ledger_durable(script, flag);

    rc = ngx_enroll_call_number(call, flag);

    if (rc == NGX_OK) {
        rc = ngx_enroll_call_rules(call, bearer->rules, bearer->nrules);
    }

    return ngx_enroll_call_start(call, rc);
}
