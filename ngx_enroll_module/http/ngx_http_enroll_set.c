
/*
 * Security event tokens that an issuer pushes (RFC 8935): who joins gets a
 * token, which is delivered, since the answer has no body; who leaves loses
 * what he has open.
 */

#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_rate.h"


/*
 * A sender repeats for days. The ledger remembers what it has obeyed for a
 * week: before that is over, no SET is good any more, whatever clocks say.
 */
#define NGX_HTTP_ENROLL_SET_AGE    (7 * 24 * 60 * 60 - 5 * 60)

#define NGX_HTTP_ENROLL_ACCEPTED   202


static void ngx_http_enroll_set_body(ngx_http_request_t *r, ngx_str_t *body);
static ngx_int_t ngx_http_enroll_set_jws(ngx_http_request_t *r,
    ngx_str_t *jws);
static ngx_enroll_jwt_e ngx_http_enroll_set_verify(ngx_http_request_t *r,
    ngx_str_t *jws, ngx_http_enroll_issuer_t **issuer, json_t **claims,
    const char **wrong);
static ngx_int_t ngx_http_enroll_set_unverified(ngx_http_request_t *r,
    ngx_enroll_jwt_e failed, const char *wrong);
static ngx_int_t ngx_http_enroll_set_claims(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, json_t *claims);
static ngx_int_t ngx_http_enroll_set_issue(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_set_t *set);
static ngx_int_t ngx_http_enroll_set_issued(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered);
static ngx_int_t ngx_http_enroll_set_revoke(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_set_t *set);
static ngx_str_t ngx_http_enroll_set_why(ngx_str_t *type);
static void ngx_http_enroll_set_revoked(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_set_ignore(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_set_t *set);
static ngx_int_t ngx_http_enroll_set_accept(ngx_http_request_t *r);
static ngx_int_t ngx_http_enroll_set_refuse(ngx_http_request_t *r,
    ngx_enroll_reason_e reason, const char *code, const char *description);


ngx_int_t
ngx_http_enroll_set_read(ngx_http_request_t *r, const char *step)
{
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = step;

    if (r->headers_in.content_length_n < 0
        || r->headers_in.content_length_n > NGX_ENROLL_JWS_MAX)
    {
        return ngx_http_enroll_set_refuse(r, NGX_ENROLL_BODY,
                   "invalid_request", "the body has no length, or more than "
                   ngx_value(NGX_ENROLL_JWS_MAX) " bytes");
    }

    return ngx_http_enroll_body_read(r, NGX_ENROLL_JWS_MAX, step,
                                     ngx_http_enroll_set_body);
}


static void
ngx_http_enroll_set_body(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t  rc;

    rc = ngx_http_enroll_set_jws(r, body);

    ngx_http_enroll_body_cleanse(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_enroll_set_jws(ngx_http_request_t *r, ngx_str_t *jws)
{
    json_t                    *claims;
    ngx_int_t                  rc;
    const char                *wrong;
    ngx_enroll_jwt_e           failed;
    ngx_http_enroll_issuer_t  *issuer;

    failed = ngx_http_enroll_set_verify(r, jws, &issuer, &claims, &wrong);

    if (failed != NGX_ENROLL_JWT_OK) {
        return ngx_http_enroll_set_unverified(r, failed, wrong);
    }

    rc = ngx_http_enroll_set_claims(r, issuer, claims);

    json_decref(claims);

    return rc;
}


/*
 * Of the issuers of that name the one whose keys and audience it fits; where
 * there is none, what was wrong is what came closest.
 */

static ngx_enroll_jwt_e
ngx_http_enroll_set_verify(ngx_http_request_t *r, ngx_str_t *jws,
    ngx_http_enroll_issuer_t **issuer, json_t **claims, const char **wrong)
{
    json_t                       *payload;
    ngx_str_t                     iss;
    ngx_uint_t                    i;
    const char                   *why;
    ngx_enroll_jwt_e              rc, failed;
    ngx_enroll_jwt_rule_t         rule;
    ngx_http_enroll_issuer_t    **issuers;
    ngx_http_enroll_loc_conf_t   *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    issuers = elcf->issuers->elts;

    if (ngx_enroll_jwt_issuer(jws, &iss, &payload) != NGX_OK) {
        *wrong = "not a compact JWS of claims with an iss";
        return NGX_ENROLL_JWT_MALFORMED;
    }

    ngx_memzero(&rule, sizeof(ngx_enroll_jwt_rule_t));
    rule.typ = "secevent+jwt";
    rule.max_age = NGX_HTTP_ENROLL_SET_AGE;
    rule.now = ngx_time();

    failed = NGX_ENROLL_JWT_OK;

    for (i = 0; i < elcf->issuers->nelts; i++) {

        if (issuers[i]->jwks == NULL
            || issuers[i]->iss.len != iss.len
            || ngx_memcmp(issuers[i]->iss.data, iss.data, iss.len) != 0)
        {
            continue;
        }

        rule.iss = issuers[i]->iss;
        rule.aud = issuers[i]->aud;

        rc = ngx_enroll_jwt_verify(issuers[i]->jwks, jws, &rule, claims,
                                   &why);
        if (rc == NGX_ENROLL_JWT_OK) {
            *issuer = issuers[i];
            json_decref(payload);
            return NGX_ENROLL_JWT_OK;
        }

        if (rc > failed) {
            failed = rc;
            *wrong = why;
        }
    }

    json_decref(payload);

    if (failed == NGX_ENROLL_JWT_OK) {
        *wrong = "no issuer of this iss may call here";
        return NGX_ENROLL_JWT_ISSUER;
    }

    return failed;
}


static ngx_int_t
ngx_http_enroll_set_unverified(ngx_http_request_t *r,
    ngx_enroll_jwt_e failed, const char *wrong)
{
    const char             *code;
    ngx_enroll_reason_e     reason;
    ngx_http_enroll_ctx_t  *ctx;

    reason = NGX_ENROLL_SIGNATURE;

    switch (failed) {

    case NGX_ENROLL_JWT_MALFORMED:
        reason = NGX_ENROLL_BODY;
        code = "invalid_request";
        break;

    case NGX_ENROLL_JWT_TIME:
        code = "invalid_request";
        break;

    case NGX_ENROLL_JWT_KEY:
        code = "invalid_key";
        break;

    case NGX_ENROLL_JWT_SIGNATURE:
        code = "authentication_failed";
        break;

    case NGX_ENROLL_JWT_ISSUER:
        code = "invalid_issuer";
        break;

    case NGX_ENROLL_JWT_AUDIENCE:
        code = "invalid_audience";
        break;

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_enroll_ctx_find(r);

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "enroll: a SET to %s that no issuer signed for us: %s",
                  ctx->step, wrong);

    return ngx_http_enroll_set_refuse(r, reason, code, wrong);
}


static ngx_int_t
ngx_http_enroll_set_claims(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, json_t *claims)
{
    char                         err[NGX_ENROLL_ERR_LEN];
    ngx_enroll_set_t             set;
    ngx_http_enroll_loc_conf_t  *elcf;

    if (ngx_enroll_set_read(&set, claims, issuer->subject, err) != NGX_OK) {
        return ngx_http_enroll_set_refuse(r, NGX_ENROLL_BODY,
                                          "invalid_request", err);
    }

    switch (set.order) {

    case NGX_ENROLL_SET_ISSUE:
        elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

        if (elcf->handler != ngx_http_enroll_issue_handler) {
            return ngx_http_enroll_set_refuse(r, NGX_ENROLL_CLASS,
                       "access_denied", "no token is issued here");
        }

        return ngx_http_enroll_set_issue(r, issuer, &set);

    case NGX_ENROLL_SET_REVOKE:
        return ngx_http_enroll_set_revoke(r, issuer, &set);

    default:
        return ngx_http_enroll_set_ignore(r, issuer, &set);
    }
}


static ngx_int_t
ngx_http_enroll_set_issue(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_set_t *set)
{
    ngx_int_t            rc;
    ngx_enroll_joiner_t  joiner;

    if (ngx_http_enroll_rate(r, issuer, "issue", &rc) != NGX_OK) {
        return rc;
    }

    ngx_memzero(&joiner, sizeof(ngx_enroll_joiner_t));
    joiner.subject = set->subject;
    joiner.nattributes = set->nattributes;
    ngx_memcpy(joiner.attributes, set->attributes, sizeof(set->attributes));

    return ngx_http_enroll_order(r, issuer, &set->jti, &joiner,
                                 ngx_http_enroll_set_issued);
}


/*
 * RFC 8935, 2: the answer tells of what is wrong with the token, not of what
 * becomes of the event. So one who has enrolled already is no error here.
 */

static ngx_int_t
ngx_http_enroll_set_issued(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered)
{
    const char  *detail;

    detail = ordered->detail;

    switch (ordered->reason) {

    case NGX_ENROLL_OK:
    case NGX_ENROLL_REPEAT:
        return ngx_http_enroll_set_accept(r);

    case NGX_ENROLL_FIRST_USE:
    case NGX_ENROLL_NEVER_ENROLLED:
    case NGX_ENROLL_SAME_ISSUER:
    case NGX_ENROLL_SAME_CHANNEL:
        ngx_http_enroll_event_refused(r, ordered->reason, "issue",
                                      NGX_HTTP_ENROLL_ACCEPTED);
        return ngx_http_enroll_set_accept(r);

    case NGX_ENROLL_ATTRIBUTES:
        return ngx_http_enroll_set_refuse(r, NGX_ENROLL_ATTRIBUTES,
                                          "invalid_request",
                                          detail ? detail : "incomplete");

    case NGX_ENROLL_CLASS:
    case NGX_ENROLL_CHANNEL:
        return ngx_http_enroll_set_refuse(r, ordered->reason, "access_denied",
                                          detail ? detail : "not allowed");

    default:
        return ngx_http_enroll_refuse(r, ordered->reason, "issue", detail);
    }
}


static ngx_int_t
ngx_http_enroll_set_revoke(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_set_t *set)
{
    ngx_enroll_ledger_t      *ledger;
    ngx_http_enroll_ctx_t    *ctx;
    ngx_enroll_revocation_t   revocation;

    ctx = ngx_http_enroll_ctx_find(r);
    ledger = ngx_http_enroll_ledger_attended(r, ctx);

    if (ledger == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&revocation, sizeof(ngx_enroll_revocation_t));
    revocation.subject = set->subject;
    revocation.why = ngx_http_enroll_set_why(&set->type);
    revocation.by = issuer->name;
    revocation.event = set->jti;
    revocation.client = r->connection->addr_text;

    ctx->call = ngx_enroll_revoke(ledger, &revocation,
                                  ngx_http_enroll_set_revoked, ctx);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* "prov:delete", of the event's URN */

static ngx_str_t
ngx_http_enroll_set_why(ngx_str_t *type)
{
    u_char     *p;
    ngx_str_t   why;

    why = *type;
    p = (u_char *) ngx_strstr(type->data, "prov:");

    if (p) {
        why.data = p;
        why.len = type->data + type->len - p;
    }

    return why;
}


/* where nothing is left to revoke the leaver has nothing open: that is all */

static void
ngx_http_enroll_set_revoked(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = call->data;
    r = ctx->request;

    ngx_http_enroll_ctx_answered(ctx, result);

    if (result->verdict == NGX_ENROLL_UNAVAILABLE) {
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_UNAVAILABLE, "revoke",
                                    NULL);
    } else {
        ctx->reason = NGX_ENROLL_OK;
        rc = ngx_http_enroll_set_accept(r);
    }

    ngx_http_enroll_finalize(r, rc);
}


static ngx_int_t
ngx_http_enroll_set_ignore(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_set_t *set)
{
    ngx_time_t                  *tp;
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    tp = ngx_timeofday();

    ngx_http_enroll_event_write(elcf, NGX_LOG_INFO,
        json_pack("{s:I, s:s, s:s%, s:s%, s:s%, s:s%}",
                  "at", (json_int_t) tp->sec * 1000 + tp->msec,
                  "event", "ignore",
                  "issuer", issuer->name.data, issuer->name.len,
                  "jti", set->jti.data, set->jti.len,
                  "type", set->type.data, set->type.len,
                  "client", r->connection->addr_text.data,
                  r->connection->addr_text.len));

    return ngx_http_enroll_set_accept(r);
}


static ngx_int_t
ngx_http_enroll_set_accept(ngx_http_request_t *r)
{
    return ngx_http_enroll_respond(r, NGX_HTTP_ENROLL_ACCEPTED, "text/plain",
                                   (u_char *) "", 0);
}


static ngx_int_t
ngx_http_enroll_set_refuse(ngx_http_request_t *r, ngx_enroll_reason_e reason,
    const char *code, const char *description)
{
    ngx_str_t               language;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);
    ctx->reason = reason;
    ctx->refused = 1;

    ngx_http_enroll_event_refused(r, reason, ctx->step, NGX_HTTP_BAD_REQUEST);

    ngx_str_set(&language, "en");

    if (ngx_http_enroll_header_add(r, "Content-Language", &language)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_enroll_respond_json(r, NGX_HTTP_BAD_REQUEST,
               "application/json",
               json_pack("{s:s, s:s}", "err", code,
                         "description", description));
}
