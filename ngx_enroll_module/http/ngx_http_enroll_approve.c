
#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_APPROVE_BODY_MAX  4096


static void ngx_http_enroll_approve_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_approve_ask(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_approval_t *approval);
static void ngx_http_enroll_approve_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


ngx_int_t
ngx_http_enroll_approve_handler(ngx_http_request_t *r)
{
    return ngx_http_enroll_issuer_read(r, NGX_HTTP_ENROLL_APPROVE_BODY_MAX,
                                       "approve",
                                       ngx_http_enroll_approve_body);
}


static void
ngx_http_enroll_approve_body(ngx_http_request_t *r, ngx_str_t *body)
{
    char                       err[NGX_ENROLL_ERR_LEN];
    ngx_int_t                  rc;
    ngx_str_t                  event;
    ngx_enroll_approval_t      approval;
    ngx_http_enroll_issuer_t  *issuer;

    issuer = ngx_http_enroll_issuer_find(r, body, "approve", &event, &rc);

    if (issuer == NULL) {
        /* a refusal was sent */

    } else if (ngx_enroll_approval_read(&approval, body, err) == NGX_OK) {
        rc = ngx_http_enroll_approve_ask(r, issuer, &event, &approval);
        ngx_enroll_approval_free(&approval);

    } else {
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "approve", err);
    }

    ngx_http_enroll_body_cleanse(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_enroll_approve_ask(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_approval_t *approval)
{
    ngx_enroll_ledger_t     *ledger;
    ngx_http_enroll_ctx_t   *ctx;
    ngx_enroll_approving_t   approving;

    if (!issuer->approve) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_APPROVER, "approve",
                                      "This issuer may not approve.");
    }

    ctx = ngx_http_enroll_ctx_find(r);
    ledger = ngx_http_enroll_ledger_attended(r, ctx);

    ngx_memzero(&approving, sizeof(ngx_enroll_approving_t));
    approving.id = approval->id;
    approving.approver = approval->approver;
    approving.issuer = issuer->name;
    approving.event = *event;
    approving.client = r->connection->addr_text;
    approving.rules = ngx_http_enroll_rules(r, NGX_HTTP_ENROLL_NONE, 0,
                                            &approving.nrules);

    if (ledger == NULL || approving.rules == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->call = ngx_enroll_approve(ledger, &approving,
                                   ngx_http_enroll_approve_answer, ctx);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_enroll_approve_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t               rc;
    ngx_str_t               approvals;
    const char             *detail;
    ngx_http_request_t     *r;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = call->data;
    r = ctx->request;

    ngx_http_enroll_ctx_answered(ctx, result);
    ngx_memcpy(ctx->hex, call->id, NGX_ENROLL_HEX_LEN);

    detail = NULL;

    switch (result->verdict) {

    case NGX_ENROLL_OK:
    case NGX_ENROLL_REPEAT:
        ctx->reason = NGX_ENROLL_OK;
        approvals = ngx_enroll_call_field(result->record, "approvals");

        rc = ngx_http_enroll_respond_json(r, NGX_HTTP_OK, "application/json",
                 json_pack("{s:s%, s:s%, s:i}",
                           "id", call->id, (size_t) NGX_ENROLL_HEX_LEN,
                           "state", result->state.data, result->state.len,
                           "approvals",
                           (int) ngx_atoi(approvals.data, approvals.len)));
        break;

    case NGX_ENROLL_UNKNOWN:
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_NOTHING, "approve",
                                    "Nothing was approved.");
        break;

    case NGX_ENROLL_CLASS:
        detail = "The token's class asks for no approvals.";

        /* fall through */

    default:
        rc = ngx_http_enroll_refuse(r, result->verdict, "approve", detail);
    }

    ngx_http_enroll_finalize(r, rc);
}
