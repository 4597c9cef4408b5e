
/*
 * The policy, top to bottom: who may pass to the location that the request
 * has entered.
 *
 * In the precontent phase: after allow, auth_* and satisfy have had their
 * say, before any content handler. Internal redirects come here again.
 */

#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_send.h"
#include "ngx_enroll_uri.h"


static ngx_int_t ngx_http_enroll_guard_judge(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_uint_t ngx_http_enroll_guard_around(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_uint_t ngx_http_enroll_guard_forwarded(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_uint_t ngx_http_enroll_guard_override(ngx_table_elt_t *h);
static ngx_int_t ngx_http_enroll_guard_subrequest(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_uint_t ngx_http_enroll_guard_strays(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_int_t ngx_http_enroll_guard_own(ngx_http_request_t *r,
    ngx_http_enroll_loc_conf_t *elcf);
static ngx_int_t ngx_http_enroll_guard_plain(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_int_t ngx_http_enroll_guard_endpoint(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_int_t ngx_http_enroll_guard_bearer(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_int_t ngx_http_enroll_guard_pass(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static ngx_int_t ngx_http_enroll_guard_read(ngx_http_request_t *r);
static void ngx_http_enroll_guard_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_enroll_guard_ask(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static void ngx_http_enroll_guard_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_guard_learn(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_guard_refuse(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf,
    ngx_enroll_reason_e reason);
static const char *ngx_http_enroll_guard_step(ngx_uint_t endpoint);
static ngx_uint_t ngx_http_enroll_guard_method(ngx_http_request_t *r,
    ngx_uint_t endpoint);
static ngx_uint_t ngx_http_enroll_guard_bodied(ngx_http_request_t *r);
static void ngx_http_enroll_guard_cleanup(void *data);


ngx_int_t
ngx_http_enroll_guard_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_enroll_ctx_t       *ctx;
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx_find(r);

    if (ctx && ctx->claimed && r == r->main) {
        ngx_http_enroll_outcome_redirect(r, ctx);

        if (ngx_http_enroll_guard_forwarded(r, ctx)) {
            return ngx_http_enroll_guard_refuse(r, ctx, elcf,
                                                NGX_ENROLL_CLAIMED);
        }
    }

    if (r != r->main) {
        return ngx_http_enroll_guard_subrequest(r, ctx, elcf);
    }

    if (elcf->enable) {
        ctx = ngx_http_enroll_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_enroll_guard_judge(r, ctx, elcf);

    } else {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED && ctx && elcf->handler == NULL) {
        ctx->passed = 1;
    }

    return rc;
}


static ngx_int_t
ngx_http_enroll_guard_judge(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_uint_t  around;

    if (ctx->call) {
        return NGX_AGAIN;
    }

    around = ngx_http_enroll_guard_around(r, ctx);

    if ((r->error_page || ctx->refused)
        && elcf->endpoint == NGX_HTTP_ENROLL_OPEN
        && ngx_http_enroll_guard_method(r, elcf->endpoint))
    {
        if (around) {
            ngx_http_enroll_path_forget(r);
        }

        return NGX_DECLINED;
    }

    if (ctx->refused) {

        /* an error page that is not open to bearers: the first reason stays */

        return ngx_http_enroll_guard_refuse(r, ctx, elcf, ctx->reason);
    }

    if (ctx->leaked) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_URI);
    }

    if (elcf->handler) {
        return NGX_DECLINED;
    }

    if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_DUPLICATE) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf,
                                            NGX_ENROLL_DUPLICATE);
    }

    if (ctx->bearer || elcf->endpoint) {
        ngx_http_enroll_headers_remove(r, ngx_http_enroll_guard_override);
    }

    /* the IdP may read such a path otherwise than nginx did */

    if (((ctx->bearer || elcf->endpoint)
         && !ngx_enroll_uri_canonical(&r->unparsed_uri))
        || ngx_http_enroll_path_controls(r)
        || ngx_http_enroll_path_climbs(r))
    {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_URI);
    }

    if (elcf->endpoint & NGX_HTTP_ENROLL_CLOSED) {
        ctx->entered = 1;
        return ngx_http_enroll_guard_endpoint(r, ctx, elcf);
    }

    if (around && ctx->bearer == NGX_HTTP_ENROLL_BEARER_NONE) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_MISSING);
    }

    /* who has come through an endpoint still has its path, perhaps */

    if (!ctx->entered && ngx_http_enroll_path_disguised(r)) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_URI);
    }

    return ngx_http_enroll_guard_plain(r, ctx, elcf);
}


/*
 * A named location keeps path and method. Whom an error leads there that came
 * before the guard, with the path of an endpoint, or whom the guard has
 * refused, is there by a way around it.
 */

static ngx_uint_t
ngx_http_enroll_guard_around(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_enroll_srv_conf_t  *escf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);

    if (!clcf->named) {
        return 0;
    }

    if (ctx->refused || ctx->passed) {
        return ctx->refused;
    }

    return ctx->bearer
           || ngx_http_enroll_path_is(r, &escf->closed)
           || ngx_http_enroll_path_controls(r)
           || ngx_http_enroll_path_disguised(r);
}


/*
 * The IdP has heard the finish, and an error page or the IdP itself sends the
 * request on: as a GET it may look at a page, but it is no finish, and bears
 * no subject, any more (I2).
 */

static ngx_uint_t
ngx_http_enroll_guard_forwarded(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    if (ctx->outcome == NGX_ENROLL_OUTCOME_UNDECIDED
        || ctx->outcome == NGX_ENROLL_OUTCOME_RELEASED)
    {
        return 0;
    }

    ctx->left = 1;

    return !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD));
}


/* what would make the IdP read another request than the guard did */

static ngx_uint_t
ngx_http_enroll_guard_override(ngx_table_elt_t *h)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("upgrade"),             /* a tunnel past the guard */
        ngx_string("x-http-method-override"),
        ngx_string("x-http-method"),
        ngx_string("x-method-override")
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (h->key.len == names[i].len
            && ngx_http_enroll_header_alike(h, (char *) names[i].data,
                                            names[i].len))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * A mirror, SSI or auth_request must not become a side door: neither into a
 * closed endpoint or one of our handlers, nor out of one with what was sent
 * there.
 */

static ngx_int_t
ngx_http_enroll_guard_subrequest(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_http_enroll_loc_conf_t  *mlcf;

    mlcf = ngx_http_get_module_loc_conf(r->main, ngx_http_enroll_module);

    if (ngx_http_enroll_deliver_is(ctx, r) || ngx_http_enroll_send_is(r)) {
        return ngx_http_enroll_guard_own(r, elcf);
    }

    if (!(elcf->endpoint & NGX_HTTP_ENROLL_CLOSED)
        && elcf->handler == NULL
        && !(ctx && ctx->read)
        && !(elcf->enable && ngx_http_enroll_path_disguised(r))
        && !(ctx && ngx_http_enroll_guard_strays(r, ctx, elcf))
        && !(mlcf->handler && r->request_body && r->request_body->bufs))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_enroll_ctx(r) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "enroll: a subrequest to \"%V\" refused", &r->uri);

    ngx_http_enroll_event_refused(r, NGX_ENROLL_SUBREQUEST,
                                  ngx_http_enroll_guard_step(elcf->endpoint),
                                  NGX_HTTP_FORBIDDEN);

    return NGX_HTTP_FORBIDDEN;
}


/* a bearer's own requests do not go there (I3) */

static ngx_uint_t
ngx_http_enroll_guard_strays(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return ctx->bearer != NGX_HTTP_ENROLL_BEARER_NONE
           && elcf->enable
           && elcf->endpoint == NGX_HTTP_ENROLL_NONE
           && !clcf->internal
           && !clcf->named;
}


/*
 * What the module itself sends, a token or an event, goes to an internal
 * location and nowhere else: a name that is misspelt would be the IdP's.
 */

static ngx_int_t
ngx_http_enroll_guard_own(ngx_http_request_t *r,
    ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->internal
        && elcf->endpoint == NGX_HTTP_ENROLL_NONE
        && elcf->handler == NULL)
    {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "enroll: \"%V\" leads to no internal location: nothing is "
                  "sent there", &r->uri);

    return NGX_HTTP_FORBIDDEN;
}


/* neither page, begin nor finish: everybody's, but for bearers (I3) */

static ngx_int_t
ngx_http_enroll_guard_plain(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_enroll_reason_e           reason;
    ngx_http_enroll_main_conf_t  *emcf;

    if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_NONE) {
        return NGX_DECLINED;
    }

    if (elcf->endpoint == NGX_HTTP_ENROLL_OPEN) {

        if (!ngx_http_enroll_guard_method(r, elcf->endpoint)) {
            return ngx_http_enroll_guard_refuse(r, ctx, elcf,
                                                NGX_ENROLL_METHOD);
        }

        if (ngx_http_enroll_guard_bodied(r)) {
            return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_BODY);
        }

        return NGX_DECLINED;
    }

    if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_SESSION) {
        emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

        reason = ngx_http_enroll_zone_find(emcf->zone, ctx->id, ctx->session,
                                           r->pool, NULL);
        ctx->ended = (reason != NGX_ENROLL_AGAIN);
    }

    return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_SCOPE);
}


/* closed to everyone without a live session (I3) */

static ngx_int_t
ngx_http_enroll_guard_endpoint(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_NONE) {

        if (elcf->optional) {
            return NGX_DECLINED;
        }

        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_MISSING);
    }

    if (!ngx_http_enroll_guard_method(r, elcf->endpoint)) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_METHOD);
    }

    if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_FORGED) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_FORGED);
    }

    if (ngx_http_enroll_guard_bodied(r)) {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_BODY);
    }

    if (elcf->endpoint != NGX_HTTP_ENROLL_PAGE
        && !ctx->asked
        && ngx_http_enroll_body_early(r))
    {
        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_EARLY);
    }

    if (ctx->outcome != NGX_ENROLL_OUTCOME_UNDECIDED) {

        /* its one finish was forwarded already, and redirected here (I2) */

        return ngx_http_enroll_guard_refuse(r, ctx, elcf, NGX_ENROLL_CLAIMED);
    }

    if (ctx->asked == elcf->endpoint) {

        /* the ledger has answered, or another location asked for this one */

        if (ctx->granted & elcf->endpoint) {
            return ngx_http_enroll_guard_pass(r, ctx, elcf);
        }

        return ngx_http_enroll_guard_refuse(r, ctx, elcf, ctx->reason);
    }

    return ngx_http_enroll_guard_bearer(r, ctx, elcf);
}


/* what can be said without the ledger, before it is asked */

static ngx_int_t
ngx_http_enroll_guard_bearer(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_enroll_reason_e           reason;
    ngx_http_enroll_facts_t       facts;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    reason = ngx_http_enroll_zone_find(emcf->zone, ctx->id, ctx->session,
                                       r->pool,
                                       elcf->endpoint == NGX_HTTP_ENROLL_PAGE
                                       && elcf->session_cache
                                       ? &facts : NULL);

    if (reason == NGX_ENROLL_AGAIN
        && ctx->bearer == NGX_HTTP_ENROLL_BEARER_SESSION
        && ctx->expires <= ngx_time())
    {
        reason = NGX_ENROLL_EXPIRED;
    }

    if (reason == NGX_ENROLL_AGAIN) {

        if (elcf->endpoint != NGX_HTTP_ENROLL_PAGE && !ctx->read) {
            return ngx_http_enroll_guard_read(r);
        }

        return ngx_http_enroll_guard_ask(r, ctx, elcf);
    }

    if (reason != NGX_ENROLL_OK) {

        /* who only looks at a page changes nothing by it (I11) */

        if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_TOKEN
            && elcf->endpoint != NGX_HTTP_ENROLL_PAGE)
        {
            ngx_http_enroll_replay(r, ctx, ctx->partition, ctx->id,
                                   ctx->session);
        }

        return ngx_http_enroll_guard_refuse(r, ctx, elcf, reason);
    }

    ctx->subject = facts.subject;
    ctx->class = facts.class;
    ctx->proof = facts.proof;
    ngx_str_set(&ctx->state, "redeemed");
    ctx->granted |= elcf->endpoint;

    return ngx_http_enroll_guard_pass(r, ctx, elcf);
}


/*
 * The page stays reachable before the proof, so that the IdP can lead the
 * person to it; or it is we who do.
 */

static ngx_int_t
ngx_http_enroll_guard_pass(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_str_t                     url, store;
    ngx_http_enroll_class_t      *class;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (elcf->endpoint != NGX_HTTP_ENROLL_PAGE || elcf->prove_at == NULL) {
        return NGX_DECLINED;
    }

    class = ngx_http_enroll_class_find(emcf, &ctx->class);

    if (class == NULL
        || ngx_enroll_proof_find(&ctx->proof)
           >= (ngx_int_t) class->policy.proof)
    {
        return NGX_DECLINED;
    }

    ngx_str_set(&store, "no-store");

    if (ngx_http_complex_value(r, elcf->prove_at, &url) != NGX_OK
        || ngx_http_enroll_header_add(r, "Cache-Control", &store) != NGX_OK
        || ngx_http_enroll_header_add(r, "Location", &url) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SEE_OTHER;
}


/*
 * The whole body first: who sends it drop by drop would otherwise hold what
 * was granted for as long as he likes, past the session's end or revocation.
 */

static ngx_int_t
ngx_http_enroll_guard_read(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_http_enroll_guard_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_enroll_guard_body(ngx_http_request_t *r)
{
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);
    ctx->read = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_enroll_guard_ask(ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx,
    ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_uint_t                   nfacts;
    ngx_keyval_t                *facts;
    ngx_http_cleanup_t          *cln;
    ngx_enroll_ledger_t         *ledger;
    ngx_enroll_bearer_t          bearer;
    ngx_http_enroll_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);
    ledger = ngx_http_enroll_ledger(r);
    cln = ngx_http_cleanup_add(r, 0);

    if (ledger == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_enroll_bearer(ctx, &bearer);

    /* what is brought to be bound is seen before it is claimed */

    facts = NULL;
    nfacts = 0;

    if (elcf->endpoint == NGX_HTTP_ENROLL_FINISH) {
        if (ngx_http_enroll_authenticator(r, ctx, elcf) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        facts = ngx_http_enroll_authenticator_facts(r, ctx, &nfacts);
        if (facts == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    bearer.rules = ngx_http_enroll_rules(r, elcf->endpoint, 0,
                                         &bearer.nrules);
    if (bearer.rules == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (elcf->endpoint) {

    case NGX_HTTP_ENROLL_FINISH:
        ctx->call = ngx_enroll_claim(ledger, &bearer, escf->begins > 0,
                                     facts, nfacts,
                                     ngx_http_enroll_guard_answer, ctx);
        break;

    case NGX_HTTP_ENROLL_BEGIN:
        ctx->call = ngx_enroll_begin(ledger, &bearer,
                                     ngx_http_enroll_guard_answer, ctx);
        break;

    default:
        ctx->call = ngx_enroll_show(ledger, &bearer,
                                    ngx_http_enroll_guard_answer, ctx);
    }

    if (ctx->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_enroll_guard_cleanup;
    cln->data = ctx;

    ctx->asked = elcf->endpoint;

    /* notice a client that leaves meanwhile */
    r->read_event_handler = ngx_http_test_reading;

    return NGX_AGAIN;
}


/* an IdP that does not read it would take it for the next request */

static ngx_uint_t
ngx_http_enroll_guard_bodied(ngx_http_request_t *r)
{
    return (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
           && (r->headers_in.content_length_n > 0 || r->headers_in.chunked);
}


static void
ngx_http_enroll_guard_cleanup(void *data)
{
    ngx_http_enroll_ctx_t *ctx = data;

    ngx_http_enroll_ctx_detach(ctx);
    ngx_http_enroll_outcome_end(ctx);
}


static void
ngx_http_enroll_guard_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_enroll_ctx_t       *ctx;
    ngx_http_enroll_loc_conf_t  *elcf;

    ctx = call->data;
    r = ctx->request;
    c = r->connection;
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

    ngx_http_enroll_ctx_answered(ctx, result);

    if (result->verdict == NGX_ENROLL_OK) {
        ctx->granted |= ctx->asked;

        if (ctx->asked == NGX_HTTP_ENROLL_FINISH) {
            ngx_memcpy(ctx->claim, call->op, NGX_ENROLL_HEX_LEN);
            ngx_http_enroll_outcome_begin(r, ctx, elcf);
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    if (ngx_http_enroll_guard_learn(ctx, result) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


/* for the variables: what the record says, before it goes with the call */

static ngx_int_t
ngx_http_enroll_guard_learn(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_result_t *result)
{
    ngx_uint_t   i;
    ngx_str_t   *from[5], *to[5];

    from[0] = &result->subject;
    to[0] = &ctx->subject;
    from[1] = &result->class;
    to[1] = &ctx->class;
    from[2] = &result->state;
    to[2] = &ctx->state;
    from[3] = &result->proof;
    to[3] = &ctx->proof;
    from[4] = &result->exception;
    to[4] = &ctx->exception;

    if (result->verdict == NGX_ENROLL_TAMPERED) {
        return NGX_OK;
    }

    for (i = 0; i < 5; i++) {
        to[i]->len = from[i]->len;
        to[i]->data = ngx_pstrdup(ctx->request->pool, from[i]);

        if (to[i]->data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_guard_refuse(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf,
    ngx_enroll_reason_e reason)
{
    ngx_int_t    rc;
    ngx_str_t    allow;
    const char  *detail;

    /* what the guard refuses the IdP does not hear */
    ngx_http_enroll_outcome_withheld(r, ctx);

    detail = NULL;

    if (ctx->leaked) {
        detail = "A token stands in the address, where servers and logs can "
                 "see it: it belongs behind a \"#\". Ask whoever sent you the "
                 "link for a new one.";

    } else if (reason == NGX_ENROLL_SCOPE && ctx->ended) {
        detail = "This browser's registration was still open, and is over "
                 "now. Reload this page to go on.";
    }

    if (reason == NGX_ENROLL_METHOD && !ctx->refused) {

        if (elcf->endpoint == NGX_HTTP_ENROLL_BEGIN) {
            ngx_str_set(&allow, "POST");

        } else if (elcf->endpoint == NGX_HTTP_ENROLL_FINISH) {
            ngx_str_set(&allow, "POST, PATCH");

        } else {
            ngx_str_set(&allow, "GET, HEAD");
        }

        if (ngx_http_enroll_header_add(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_enroll_refuse(r, reason,
                                ngx_http_enroll_guard_step(elcf->endpoint),
                                detail);
    ctx->told = 0;

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


static const char *
ngx_http_enroll_guard_step(ngx_uint_t endpoint)
{
    switch (endpoint) {

    case NGX_HTTP_ENROLL_OPEN:
        return "open";

    case NGX_HTTP_ENROLL_PAGE:
        return "page";

    case NGX_HTTP_ENROLL_BEGIN:
        return "begin";

    case NGX_HTTP_ENROLL_FINISH:
        return "finish";

    default:
        return "none";
    }
}


/*
 * I11: what GET, HEAD and OPTIONS can do changes nothing. And nginx repeats
 * PUT and DELETE on the next upstream: a finish is POST or PATCH.
 */

static ngx_uint_t
ngx_http_enroll_guard_method(ngx_http_request_t *r, ngx_uint_t endpoint)
{
    switch (endpoint) {

    case NGX_HTTP_ENROLL_BEGIN:
        return r->method == NGX_HTTP_POST;

    case NGX_HTTP_ENROLL_FINISH:
        return r->method == NGX_HTTP_POST || r->method == NGX_HTTP_PATCH;

    default:
        return r->method == NGX_HTTP_GET || r->method == NGX_HTTP_HEAD;
    }
}
