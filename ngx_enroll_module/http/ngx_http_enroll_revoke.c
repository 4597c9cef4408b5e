
#include "ngx_http_enroll_module.h"
#include "ngx_enroll_joiner.h"


#define NGX_HTTP_ENROLL_REVOKE_BODY_MAX  4096


static void ngx_http_enroll_revoke_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_revoke_ask(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_leaver_t *leaver);
static void ngx_http_enroll_revoke_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


ngx_int_t
ngx_http_enroll_revoke_handler(ngx_http_request_t *r)
{
    return ngx_http_enroll_issuer_read(r, NGX_HTTP_ENROLL_REVOKE_BODY_MAX,
                                       "revoke", ngx_http_enroll_revoke_body);
}


static void
ngx_http_enroll_revoke_body(ngx_http_request_t *r, ngx_str_t *body)
{
    char                       err[NGX_ENROLL_ERR_LEN];
    ngx_int_t                  rc;
    ngx_str_t                  event;
    ngx_enroll_leaver_t        leaver;
    ngx_http_enroll_issuer_t  *issuer;

    issuer = ngx_http_enroll_issuer_find(r, body, "revoke", &event, &rc);

    if (issuer == NULL) {
        ngx_http_enroll_body_cleanse(r, body);
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (ngx_enroll_leaver_read(&leaver, body, err) == NGX_OK) {
        rc = ngx_http_enroll_revoke_ask(r, issuer, &event, &leaver);
        ngx_enroll_leaver_free(&leaver);

    } else {
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "revoke", err);
    }

    ngx_http_enroll_body_cleanse(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_enroll_revoke_ask(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_leaver_t *leaver)
{
    ngx_enroll_ledger_t      *ledger;
    ngx_http_enroll_ctx_t    *ctx;
    ngx_enroll_revocation_t   revocation;

    static ngx_str_t  why = ngx_string("issuer");

    ctx = ngx_http_enroll_ctx_find(r);
    ledger = ngx_http_enroll_ledger_attended(r, ctx);

    if (ledger == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    revocation.id = leaver->id;
    revocation.subject = leaver->subject;
    revocation.why = leaver->reason.len ? leaver->reason : why;
    revocation.by = issuer->name;
    revocation.event = *event;
    revocation.client = r->connection->addr_text;

    ctx->call = ngx_enroll_revoke(ledger, &revocation,
                                  ngx_http_enroll_revoke_answer, ctx);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_enroll_revoke_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t               rc;
    ngx_http_request_t     *r;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = call->data;
    r = ctx->request;

    ngx_http_enroll_ctx_answered(ctx, result);

    switch (result->verdict) {

    case NGX_ENROLL_OK:
    case NGX_ENROLL_REPEAT:
    case NGX_ENROLL_TAMPERED:

        /* a record that is not trusted may be revoked all the same */

        ctx->reason = NGX_ENROLL_OK;
        ngx_memcpy(ctx->hex, call->id, NGX_ENROLL_HEX_LEN);

        rc = ngx_http_enroll_respond_json(r, NGX_HTTP_OK, "application/json",
                 json_pack("{s:s%, s:s%}",
                           "id", call->id, (size_t) NGX_ENROLL_HEX_LEN,
                           "state", result->state.data, result->state.len));
        break;

    case NGX_ENROLL_UNKNOWN:
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_NOTHING, "revoke", NULL);
        break;

    case NGX_ENROLL_UNAVAILABLE:
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_UNAVAILABLE, "revoke",
                                    NULL);
        break;

    default:
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_ENDED, "revoke", NULL);
    }

    ngx_http_enroll_finalize(r, rc);
}
