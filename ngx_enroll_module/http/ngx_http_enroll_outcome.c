
/*
 * What became of a claim: read off the IdP's answer, or off the fact that it
 * was never asked (I2). What is neither a success nor an explicit refusal is
 * unknown, and stays closed.
 */

#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_OUTCOME_BODY_MAX  65536
#define NGX_HTTP_ENROLL_OUTCOME_KEEP      (24 * 60 * 60 * 1000)


static ngx_int_t ngx_http_enroll_outcome_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_enroll_outcome_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_http_upstream_state_t *ngx_http_enroll_outcome_state(
    ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx);
static ngx_uint_t ngx_http_enroll_outcome_sent(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_enroll_outcome_e ngx_http_enroll_outcome_unanswered(
    ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx);
static ngx_enroll_outcome_e ngx_http_enroll_outcome_tries(
    ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx);
static ngx_enroll_outcome_e ngx_http_enroll_outcome_answered(
    ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx, ngx_uint_t status);
static ngx_enroll_outcome_e ngx_http_enroll_outcome_status(
    ngx_http_enroll_success_t *success, ngx_uint_t status);
static ngx_enroll_outcome_e ngx_http_enroll_outcome_variable(
    ngx_http_request_t *r, ngx_http_enroll_success_t *success);
static ngx_int_t ngx_http_enroll_outcome_read(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_int_t ngx_http_enroll_outcome_collect(ngx_http_enroll_ctx_t *ctx,
    ngx_chain_t *in);
static ngx_enroll_outcome_e ngx_http_enroll_outcome_member(
    ngx_http_enroll_ctx_t *ctx);
static ngx_uint_t ngx_http_enroll_outcome_equals(json_t *member,
    ngx_str_t *value);
static void ngx_http_enroll_outcome_settle(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_outcome_e outcome);
static ngx_uint_t ngx_http_enroll_outcome_encoding(ngx_table_elt_t *h);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_enroll_outcome_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_enroll_outcome_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_enroll_outcome_body_filter;

    return NGX_OK;
}


void
ngx_http_enroll_outcome_begin(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ctx->claimed = 1;
    ctx->conf = elcf;
    ctx->upstream = r->upstream;
    ctx->nstates = r->upstream_states ? r->upstream_states->nelts : 0;

    if (elcf->success.member.len) {
        /* a compressed body could not be read */
        ngx_http_enroll_headers_remove(r, ngx_http_enroll_outcome_encoding);
    }
}


static ngx_uint_t
ngx_http_enroll_outcome_encoding(ngx_table_elt_t *h)
{
    return h->key.len == sizeof("accept-encoding") - 1
           && ngx_strncasecmp(h->key.data, (u_char *) "accept-encoding",
                              h->key.len)
              == 0;
}


static ngx_int_t
ngx_http_enroll_outcome_header_filter(ngx_http_request_t *r)
{
    ngx_http_enroll_ctx_t      *ctx;
    ngx_enroll_outcome_e        outcome;
    ngx_http_upstream_state_t  *state;

    ctx = (r == r->main) ? ngx_http_enroll_ctx_find(r) : NULL;

    if (ctx == NULL
        || !ctx->claimed
        || ctx->outcome != NGX_ENROLL_OUTCOME_UNDECIDED)
    {
        return ngx_http_next_header_filter(r);
    }

    state = ngx_http_enroll_outcome_state(r, ctx);

    if (state) {
        outcome = ngx_http_enroll_outcome_tries(r, ctx);

    } else if (r->upstream != ctx->upstream) {
        outcome = ngx_http_enroll_outcome_unanswered(r, ctx);

    } else {
        /* a content handler that is no upstream, or nginx itself */
        outcome = ngx_http_enroll_outcome_answered(r, ctx,
                                                   r->headers_out.status);
    }

    if (outcome == NGX_ENROLL_OUTCOME_UNDECIDED) {

        if (ngx_http_enroll_outcome_read(r, ctx) == NGX_OK) {
            return ngx_http_next_header_filter(r);
        }

        outcome = NGX_ENROLL_OUTCOME_UNKNOWN;
    }

    if (outcome == NGX_ENROLL_OUTCOME_ENROLLED
        && ctx->cookie
        && ngx_http_enroll_cookie_set(r, NULL, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_enroll_outcome_settle(ctx, outcome);

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_enroll_outcome_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_enroll_ctx_t  *ctx;

    ctx = (r == r->main) ? ngx_http_enroll_ctx_find(r) : NULL;

    if (ctx == NULL || !ctx->reading || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    switch (ngx_http_enroll_outcome_collect(ctx, in)) {

    case NGX_AGAIN:
        break;

    case NGX_OK:
        ctx->reading = 0;
        ngx_http_enroll_outcome_settle(ctx,
                                       ngx_http_enroll_outcome_member(ctx));
        break;

    default:
        ctx->reading = 0;
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "enroll: the IdP's answer is larger than %d bytes: "
                      "\"enroll_success\" cannot read it",
                      NGX_HTTP_ENROLL_OUTCOME_BODY_MAX);
        ngx_http_enroll_outcome_settle(ctx, NGX_ENROLL_OUTCOME_UNKNOWN);
    }

    return ngx_http_next_body_filter(r, in);
}


void
ngx_http_enroll_outcome_redirect(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_enroll_outcome_e        outcome;
    ngx_http_upstream_state_t  *state;

    if (ctx->outcome != NGX_ENROLL_OUTCOME_UNDECIDED) {
        return;
    }

    state = ngx_http_enroll_outcome_state(r, ctx);

    if (state) {
        outcome = ngx_http_enroll_outcome_tries(r, ctx);

        if (outcome == NGX_ENROLL_OUTCOME_UNDECIDED) {
            /* its body will not be seen */
            outcome = NGX_ENROLL_OUTCOME_UNKNOWN;
        }

    } else if (ngx_http_enroll_outcome_sent(r, ctx)) {
        outcome = NGX_ENROLL_OUTCOME_UNKNOWN;

    } else {
        /* the IdP has heard nothing yet: the claim goes along */
        return;
    }

    ngx_http_enroll_outcome_settle(ctx, outcome);
}


void
ngx_http_enroll_outcome_withheld(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    if (ctx->claimed
        && ctx->outcome == NGX_ENROLL_OUTCOME_UNDECIDED
        && !ngx_http_enroll_outcome_sent(r, ctx))
    {
        ngx_http_enroll_outcome_settle(ctx, NGX_ENROLL_OUTCOME_RELEASED);
    }
}


void
ngx_http_enroll_outcome_end(ngx_http_enroll_ctx_t *ctx)
{
    ngx_http_request_t    *r;
    ngx_enroll_outcome_e   outcome;

    if (!ctx->claimed || ctx->outcome != NGX_ENROLL_OUTCOME_UNDECIDED) {
        return;
    }

    r = ctx->request;

    outcome = (r->upstream != ctx->upstream)
              ? ngx_http_enroll_outcome_unanswered(r, ctx)
              : NGX_ENROLL_OUTCOME_UNKNOWN;

    ngx_http_enroll_outcome_settle(ctx, outcome);
}


/* the last upstream try since the claim, if it was answered with a header */

static ngx_http_upstream_state_t *
ngx_http_enroll_outcome_state(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL
        || r->upstream_states->nelts <= ctx->nstates)
    {
        return NULL;
    }

    state = r->upstream_states->elts;
    state += r->upstream_states->nelts - 1;

    /* where a second upstream begins nginx puts an empty one, of no peer */

    return (state->peer && state->header_time != (ngx_msec_t) -1) ? state
                                                                  : NULL;
}


static ngx_uint_t
ngx_http_enroll_outcome_sent(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream != ctx->upstream
        && r->upstream->peer.connection
        && r->upstream->peer.connection->sent)
    {
        return 1;
    }

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = ctx->nstates; i < r->upstream_states->nelts; i++) {
        if (state[i].peer
            && (state[i].bytes_sent
                || state[i].header_time != (ngx_msec_t) -1))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_enroll_outcome_e
ngx_http_enroll_outcome_unanswered(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    return ngx_http_enroll_outcome_sent(r, ctx)
           ? NGX_ENROLL_OUTCOME_UNKNOWN : NGX_ENROLL_OUTCOME_RELEASED;
}


/*
 * What the last try was answered with. Where one before it was sent, too, the
 * IdP may have heard that one: then only a success is certain.
 */

static ngx_enroll_outcome_e
ngx_http_enroll_outcome_tries(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_enroll_outcome_e        outcome;
    ngx_http_upstream_state_t  *state;

    /* not state->status, which says 200 of what is not HTTP at all */

    outcome = ngx_http_enroll_outcome_answered(r, ctx,
                                        r->upstream->headers_in.status_n);

    state = r->upstream_states->elts;

    for (i = ctx->nstates; i + 1 < r->upstream_states->nelts; i++) {

        if (state[i].peer
            && (state[i].bytes_sent
                || state[i].header_time != (ngx_msec_t) -1)
            && outcome == NGX_ENROLL_OUTCOME_REFUSED)
        {
            return NGX_ENROLL_OUTCOME_UNKNOWN;
        }
    }

    return outcome;
}


/* UNDECIDED: the body has to say it */

static ngx_enroll_outcome_e
ngx_http_enroll_outcome_answered(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_uint_t status)
{
    ngx_enroll_outcome_e        outcome, said;
    ngx_http_enroll_success_t  *success;

    ctx->status = status;
    success = &ctx->conf->success;
    outcome = NGX_ENROLL_OUTCOME_ENROLLED;

    if (success->nstatuses) {
        outcome = ngx_http_enroll_outcome_status(success, status);
    }

    if (success->variable) {
        said = ngx_http_enroll_outcome_variable(r, success);

        /* where the two contradict each other nothing is certain */

        if (outcome != said) {
            outcome = (said == NGX_ENROLL_OUTCOME_REFUSED
                       && outcome == NGX_ENROLL_OUTCOME_ENROLLED)
                      ? said : NGX_ENROLL_OUTCOME_UNKNOWN;
        }
    }

    if (outcome == NGX_ENROLL_OUTCOME_ENROLLED && success->member.len) {
        return NGX_ENROLL_OUTCOME_UNDECIDED;
    }

    return outcome;
}


static ngx_enroll_outcome_e
ngx_http_enroll_outcome_status(ngx_http_enroll_success_t *success,
    ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; i < success->nstatuses; i++) {
        if (success->statuses[i] == status) {
            return NGX_ENROLL_OUTCOME_ENROLLED;
        }
    }

    return (status >= 400 && status < 500) ? NGX_ENROLL_OUTCOME_REFUSED
                                           : NGX_ENROLL_OUTCOME_UNKNOWN;
}


static ngx_enroll_outcome_e
ngx_http_enroll_outcome_variable(ngx_http_request_t *r,
    ngx_http_enroll_success_t *success)
{
    ngx_str_t  value;

    if (ngx_http_complex_value(r, success->variable, &value) != NGX_OK) {
        return NGX_ENROLL_OUTCOME_UNKNOWN;
    }

    if ((value.len == 1 && value.data[0] == '1')
        || (value.len == 8 && ngx_strncmp(value.data, "enrolled", 8) == 0))
    {
        return NGX_ENROLL_OUTCOME_ENROLLED;
    }

    if ((value.len == 1 && value.data[0] == '0')
        || (value.len == 7 && ngx_strncmp(value.data, "refused", 7) == 0))
    {
        return NGX_ENROLL_OUTCOME_REFUSED;
    }

    return NGX_ENROLL_OUTCOME_UNKNOWN;
}


static ngx_int_t
ngx_http_enroll_outcome_read(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    off_t  size;

    if (r->headers_out.content_encoding
        && r->headers_out.content_encoding->value.len)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "enroll: the IdP's answer is encoded: "
                      "\"enroll_success\" cannot read it");
        return NGX_DECLINED;
    }

    size = r->headers_out.content_length_n;

    if (size < 0 || size > NGX_HTTP_ENROLL_OUTCOME_BODY_MAX) {
        size = NGX_HTTP_ENROLL_OUTCOME_BODY_MAX;
    }

    ctx->body = ngx_create_temp_buf(r->pool, size ? size : 1);
    if (ctx->body == NULL) {
        return NGX_ERROR;
    }

    ctx->reading = 1;
    r->filter_need_in_memory = 1;

    return NGX_OK;
}


/* NGX_OK: complete; NGX_AGAIN: more is to come; NGX_ERROR: too much */

static ngx_int_t
ngx_http_enroll_outcome_collect(ngx_http_enroll_ctx_t *ctx, ngx_chain_t *in)
{
    size_t      size;
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (ngx_buf_in_memory(b)) {
            size = b->last - b->pos;

            if (size > (size_t) (ctx->body->end - ctx->body->last)) {
                return NGX_ERROR;
            }

            ctx->body->last = ngx_cpymem(ctx->body->last, b->pos, size);

        } else if (ngx_buf_size(b)) {
            return NGX_ERROR;
        }

        if (b->last_buf) {
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


static ngx_enroll_outcome_e
ngx_http_enroll_outcome_member(ngx_http_enroll_ctx_t *ctx)
{
    json_t                *json, *member;
    ngx_enroll_outcome_e   outcome;

    json = json_loadb((char *) ctx->body->pos,
                      ctx->body->last - ctx->body->pos,
                      JSON_REJECT_DUPLICATES, NULL);

    /* NUL-terminated: it comes from the configuration */
    member = json_object_get(json,
                             (char *) ctx->conf->success.member.data);

    if (member
        && ngx_http_enroll_outcome_equals(member, &ctx->conf->success.value))
    {
        outcome = NGX_ENROLL_OUTCOME_ENROLLED;

    } else if (json_is_false(member)) {
        outcome = NGX_ENROLL_OUTCOME_REFUSED;

    } else {
        /* not there, or "pending", or null: that is no explicit refusal */
        outcome = NGX_ENROLL_OUTCOME_UNKNOWN;
    }

    json_decref(json);

    return outcome;
}


static ngx_uint_t
ngx_http_enroll_outcome_equals(json_t *member, ngx_str_t *value)
{
    char        *text;
    ngx_uint_t   equal;

    if (json_is_string(member)) {
        return json_string_length(member) == value->len
               && ngx_memcmp(json_string_value(member), value->data,
                             value->len)
                  == 0;
    }

    text = json_dumps(member, JSON_ENCODE_ANY|JSON_COMPACT);
    equal = text && ngx_strcmp(text, value->data) == 0;
    free(text);

    return equal;
}


static void
ngx_http_enroll_outcome_settle(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_outcome_e outcome)
{
    ngx_enroll_bearer_t           bearer;
    ngx_http_enroll_main_conf_t  *emcf;

    ctx->outcome = outcome;

    switch (outcome) {

    case NGX_ENROLL_OUTCOME_ENROLLED:
        emcf = ngx_http_get_module_main_conf(ctx->request,
                                             ngx_http_enroll_module);

        /* closed on this host before Redis has heard of it */
        ngx_http_enroll_zone_note(emcf->zone, ctx->id, NGX_ENROLL_ENROLLED,
                                  NULL, NGX_HTTP_ENROLL_OUTCOME_KEEP);

        ngx_str_set(&ctx->state, "enrolled");
        break;

    case NGX_ENROLL_OUTCOME_UNKNOWN:
        ngx_str_set(&ctx->state, "claimed");
        break;

    default:
        ngx_str_set(&ctx->state, "redeemed");
    }

    ngx_http_enroll_bearer(ctx, &bearer);

    ngx_enroll_settle(&ctx->conf->ledger, &bearer, &ctx->subject, ctx->claim,
                      outcome, ctx->status);
}
