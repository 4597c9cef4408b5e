
#include "ngx_http_enroll_module.h"

#include <openssl/crypto.h>


#define NGX_HTTP_ENROLL_REDEEM_BODY_MAX  1024


typedef struct {
    ngx_http_enroll_ctx_t  *ctx;
    ngx_enroll_session_t    session;
    ngx_uint_t              json;
} ngx_http_enroll_redeem_t;


static void ngx_http_enroll_redeem_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_redeem_token(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_enroll_redeem_ask(ngx_http_request_t *r,
    ngx_enroll_token_t *token);
static void ngx_http_enroll_redeem_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_redeem_send(ngx_http_request_t *r,
    ngx_http_enroll_redeem_t *redeem, ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_redeem_done(ngx_http_request_t *r,
    ngx_uint_t json, int64_t ends);
static ngx_uint_t ngx_http_enroll_redeem_cross_site(ngx_http_request_t *r);
static ngx_uint_t ngx_http_enroll_redeem_same_origin(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_uint_t ngx_http_enroll_redeem_is_json(ngx_http_request_t *r);
static void ngx_http_enroll_redeem_cleanup(void *data);


ngx_int_t
ngx_http_enroll_redeem_handler(ngx_http_request_t *r)
{
    ngx_str_t  allow;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {

        /* scanners and previews get the page, and change nothing (I11) */

        return ngx_http_enroll_page_landing(r);
    }

    if (r->method != NGX_HTTP_POST) {
        ngx_str_set(&allow, "GET, HEAD, POST");

        if (ngx_http_enroll_header_add(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_enroll_refuse(r, NGX_ENROLL_METHOD, "redeem", NULL);
    }

    if (ngx_http_enroll_redeem_cross_site(r)) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_CROSS_SITE, "redeem",
                                      NULL);
    }

    return ngx_http_enroll_body_read(r, NGX_HTTP_ENROLL_REDEEM_BODY_MAX,
                                     "redeem", ngx_http_enroll_redeem_body);
}


static void
ngx_http_enroll_redeem_body(ngx_http_request_t *r, ngx_str_t *body)
{
    json_t      *json, *member;
    ngx_int_t    rc;
    ngx_str_t    token;

    json = NULL;
    ngx_str_null(&token);

    if (ngx_http_enroll_redeem_is_json(r)) {
        json = json_loadb((char *) body->data, body->len,
                          JSON_REJECT_DUPLICATES, NULL);
        member = json_object_get(json, "token");

        if (json_object_size(json) == 1 && json_is_string(member)) {
            token.data = (u_char *) json_string_value(member);
            token.len = json_string_length(member);
        }

    } else if (body->len > 6 && ngx_strncmp(body->data, "token=", 6) == 0) {

        /* no character of a token is ever encoded in a form */

        token.data = body->data + 6;
        token.len = body->len - 6;
    }

    if (token.len) {
        rc = ngx_http_enroll_redeem_token(r, &token);

    } else {
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "redeem",
                                    "There is no token in it. Open your link "
                                    "again, or paste the token.");
    }

    if (json) {
        OPENSSL_cleanse(token.data, token.len);
        json_decref(json);
    }

    ngx_http_enroll_body_cleanse(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_enroll_redeem_token(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t                     rc;
    ngx_enroll_token_t            token;
    ngx_enroll_reason_e           reason;
    ngx_http_enroll_ctx_t        *ctx;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx_find(r);

    rc = ngx_enroll_token_read(emcf->keys, text, &token);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK || token.partition >= emcf->partitions) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_FORGED, "redeem", NULL);
    }

    (void) ngx_hex_dump(ctx->hex, token.id, NGX_ENROLL_DIGEST_LEN);

    reason = ngx_http_enroll_zone_find(emcf->zone, token.id, token.session,
                                       r->pool, NULL);

    if (reason != NGX_ENROLL_AGAIN) {
        ngx_http_enroll_replay(r, ctx, token.partition, token.id,
                               token.session);
        return ngx_http_enroll_refuse(r, reason, "redeem", NULL);
    }

    return ngx_http_enroll_redeem_ask(r, &token);
}


static ngx_int_t
ngx_http_enroll_redeem_ask(ngx_http_request_t *r, ngx_enroll_token_t *token)
{
    ngx_uint_t                    i;
    ngx_enroll_rule_t            *rules;
    ngx_http_cleanup_t           *cln;
    ngx_enroll_bearer_t           bearer;
    ngx_enroll_ledger_t          *ledger;
    ngx_http_enroll_ctx_t        *ctx;
    ngx_http_enroll_redeem_t     *redeem;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx_find(r);
    ledger = ngx_http_enroll_ledger(r);

    redeem = ngx_pcalloc(r->pool, sizeof(ngx_http_enroll_redeem_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ledger == NULL || redeem == NULL || cln == NULL
        || ngx_enroll_session_make(emcf->keys, token->partition, token->id,
                                   &redeem->session)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    redeem->json = ngx_http_enroll_redeem_is_json(r)
                   || !ngx_http_enroll_wants_html(r);

    ngx_memzero(&bearer, sizeof(ngx_enroll_bearer_t));
    bearer.partition = token->partition;
    bearer.id = token->id;
    bearer.session = redeem->session.digest;
    bearer.client = r->connection->addr_text;
    bearer.rules = rules = ngx_http_enroll_rules(r, NGX_HTTP_ENROLL_NONE, 1,
                                                 &bearer.nrules);
    if (rules == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_enroll_replay_own(ctx, token->id)) {
        for (i = 0; i < bearer.nrules; i++) {
            rules[i].replay_revokes = 0;
        }
    }

    redeem->ctx = ctx;
    cln->handler = ngx_http_enroll_redeem_cleanup;
    cln->data = redeem;

    ctx->call = ngx_enroll_redeem(ledger, &bearer,
                                  ngx_http_enroll_redeem_answer, redeem);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_enroll_redeem_cleanup(void *data)
{
    ngx_http_enroll_redeem_t *redeem = data;

    OPENSSL_cleanse(&redeem->session, sizeof(ngx_enroll_session_t));

    ngx_http_enroll_ctx_detach(redeem->ctx);
}


static void
ngx_http_enroll_redeem_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t                  rc;
    const char                *detail;
    ngx_http_request_t        *r;
    ngx_http_enroll_redeem_t  *redeem;

    redeem = call->data;
    r = redeem->ctx->request;

    ngx_http_enroll_ctx_answered(redeem->ctx, result);

    if (result->verdict == NGX_ENROLL_OK) {
        rc = ngx_http_enroll_redeem_send(r, redeem, result);

    } else {
        detail = result->lost ? "Wait a moment and try again. If your link is "
                                "then said to have been used, it was by this "
                                "try: ask for a new one."
                              : NULL;

        rc = ngx_http_enroll_refuse(r, result->verdict, "redeem", detail);
    }

    ngx_http_enroll_finalize(r, rc);
}


static ngx_int_t
ngx_http_enroll_redeem_send(ngx_http_request_t *r,
    ngx_http_enroll_redeem_t *redeem, ngx_enroll_result_t *result)
{
    u_char                        text[NGX_ENROLL_SESSION_LEN];
    int64_t                       ends, window;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    ends = ngx_atoof(result->session_ends_at.data,
                     result->session_ends_at.len);
    window = (ends - result->now) / 1000;

    if (ends <= 0 || window <= 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* by this host's own clock: it is this host that will look at it */
    redeem->session.expires = ngx_time() + window;

    if (ngx_enroll_session_write(emcf->keys, &redeem->session, text) != NGX_OK
        || ngx_http_enroll_cookie_set(r, text, window) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    OPENSSL_cleanse(text, sizeof(text));

    return ngx_http_enroll_redeem_done(r, redeem->json, ends);
}


static ngx_int_t
ngx_http_enroll_redeem_done(ngx_http_request_t *r, ngx_uint_t json,
    int64_t ends)
{
    ngx_http_enroll_ctx_t       *ctx;
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx_find(r);

    if (json) {
        return ngx_http_enroll_respond_json(r, NGX_HTTP_OK,
                   "application/json",
                   json_pack("{s:s%, s:s, s:I, s:s%}",
                             "id", ctx->hex, (size_t) NGX_ENROLL_HEX_LEN,
                             "state", "redeemed",
                             "session_ends_at", (json_int_t) ends,
                             "target", elcf->target.data, elcf->target.len));
    }

    /* not as headers_out.location, of which nginx would make an absolute
     * one: with its own scheme and port, not with those the browser sees */

    if (ngx_http_enroll_header_add(r, "Location", &elcf->target) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SEE_OTHER;
}


/*
 * A page of another site must not spend a token in somebody's browser.
 * Browsers say where a request comes from; who says nothing is no browser.
 */

static ngx_uint_t
ngx_http_enroll_redeem_cross_site(ngx_http_request_t *r)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    h = ngx_http_enroll_header_find(r, "sec-fetch-site", &n);

    if (n > 1
        || (h && !(h->value.len == 11
                   && ngx_strncmp(h->value.data, "same-origin", 11) == 0)
              && !(h->value.len == 4
                   && ngx_strncmp(h->value.data, "none", 4) == 0)))
    {
        return 1;
    }

    h = ngx_http_enroll_header_find(r, "origin", &n);

    return n > 1
           || (h && !ngx_http_enroll_redeem_same_origin(r, &h->value));
}


static ngx_uint_t
ngx_http_enroll_redeem_same_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *host;

    /* the scheme may have been left at a TLS terminator before us */

    if (origin->len > 8
        && ngx_strncmp(origin->data, "https://", 8) == 0)
    {
        len = 8;

    } else if (origin->len > 7
               && ngx_strncmp(origin->data, "http://", 7) == 0)
    {
        len = 7;

    } else {
        return 0;
    }

    p = origin->data + len;
    len = origin->len - len;
    host = r->headers_in.host ? &r->headers_in.host->value
                              : &r->headers_in.server;

    return host->len == len
           && ngx_strncasecmp(host->data, p, len) == 0;
}


static ngx_uint_t
ngx_http_enroll_redeem_is_json(ngx_http_request_t *r)
{
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    return type
           && type->value.len >= 16
           && ngx_strncasecmp(type->value.data,
                              (u_char *) "application/json", 16)
              == 0;
}
