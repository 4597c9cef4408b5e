
#include "ngx_http_enroll_module.h"
#include "ngx_enroll_joiner.h"

#include <openssl/crypto.h>


static void ngx_http_enroll_issue_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_issue_joiner(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_joiner_t *joiner);
static ngx_http_enroll_class_t *ngx_http_enroll_issue_class(
    ngx_http_request_t *r, ngx_http_enroll_issuer_t *issuer, ngx_str_t *name);
static ngx_int_t ngx_http_enroll_issue_ask(ngx_http_request_t *r,
    ngx_enroll_order_t *order);
static void ngx_http_enroll_issue_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_issue_made(ngx_http_request_t *r,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result);


ngx_int_t
ngx_http_enroll_issue_handler(ngx_http_request_t *r)
{
    return ngx_http_enroll_issuer_read(r, NGX_HTTP_ENROLL_BODY_MAX, "issue",
                                       ngx_http_enroll_issue_body);
}


static void
ngx_http_enroll_issue_body(ngx_http_request_t *r, ngx_str_t *body)
{
    char                       err[NGX_ENROLL_ERR_LEN];
    ngx_int_t                  rc;
    ngx_str_t                  event;
    ngx_enroll_joiner_t        joiner;
    ngx_http_enroll_issuer_t  *issuer;

    issuer = ngx_http_enroll_issuer_find(r, body, "issue", &event, &rc);

    if (issuer == NULL) {
        ngx_http_enroll_body_cleanse(r, body);
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (ngx_enroll_joiner_read(&joiner, body, err) == NGX_OK) {
        rc = ngx_http_enroll_issue_joiner(r, issuer, &event, &joiner);
        ngx_enroll_joiner_free(&joiner);

    } else {
        rc = ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "issue", err);
    }

    ngx_http_enroll_body_cleanse(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_enroll_issue_joiner(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_joiner_t *joiner)
{
    char                      err[NGX_ENROLL_ERR_LEN];
    ngx_uint_t                i;
    ngx_keyval_t              attributes[NGX_ENROLL_ATTRIBUTES_MAX];
    ngx_enroll_order_t        order;
    ngx_http_enroll_class_t  *class;

    static ngx_str_t  unspecified = ngx_string("unspecified");

    if (joiner->event.len
        && (joiner->event.len != event->len
            || ngx_memcmp(joiner->event.data, event->data, event->len) != 0))
    {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "issue",
                                      "\"event\" is not the webhook-id.");
    }

    /* it also tells a joiner event from an order to revoke, which has none:
     * one that was signed as the other must not be taken for it */

    if (joiner->class.len == 0) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "issue",
                                      "\"class\" is needed.");
    }

    class = ngx_http_enroll_issue_class(r, issuer, &joiner->class);
    if (class == NULL) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_CLASS, "issue",
                                      "This issuer may not issue tokens of "
                                      "this class.");
    }

    if ((ngx_msec_t) joiner->ttl > class->policy.ttl / 1000) {
        (void) ngx_snprintf((u_char *) err, sizeof(err),
                            "\"ttl\" is longer than the %M seconds that "
                            "class \"%V\" allows.%Z", class->policy.ttl / 1000,
                            &class->policy.name);
        return ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, "issue", err);
    }

    ngx_memzero(&order, sizeof(ngx_enroll_order_t));
    order.subject = joiner->subject;
    order.class = class->policy.name;
    order.issuer = issuer->name;
    order.event = *event;
    order.channel = joiner->channel.len ? joiner->channel : unspecified;
    order.ttl = joiner->ttl ? (ngx_msec_t) joiner->ttl * 1000 : class->policy.ttl;
    order.window = class->policy.window;
    order.attempts = class->policy.attempts;
    order.client = r->connection->addr_text;
    order.nattributes = joiner->nattributes;
    order.attributes = attributes;

    for (i = 0; i < joiner->nattributes; i++) {
        attributes[i].key = joiner->attributes[i].name;
        attributes[i].value = joiner->attributes[i].value;
    }

    return ngx_http_enroll_issue_ask(r, &order);
}


static ngx_http_enroll_class_t *
ngx_http_enroll_issue_class(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *name)
{
    ngx_str_t                    *allowed;
    ngx_uint_t                    i;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    allowed = issuer->classes->elts;

    for (i = 0; i < issuer->classes->nelts; i++) {

        if (allowed[i].len == name->len
            && ngx_memcmp(allowed[i].data, name->data, name->len) == 0)
        {
            return ngx_http_enroll_class_find(emcf, name);
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_enroll_issue_ask(ngx_http_request_t *r, ngx_enroll_order_t *order)
{
    ngx_enroll_ledger_t    *ledger;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);
    ledger = ngx_http_enroll_ledger_attended(r, ctx);

    if (ledger == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->call = ngx_enroll_issue(ledger, order, ngx_http_enroll_issue_answer,
                                 ctx);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_enroll_issue_answer(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t               rc;
    const char             *detail;
    ngx_http_request_t     *r;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = call->data;
    r = ctx->request;

    ngx_http_enroll_ctx_answered(ctx, result);
    ngx_memcpy(ctx->hex, call->id, NGX_ENROLL_HEX_LEN);

    switch (result->verdict) {

    case NGX_ENROLL_OK:
        rc = ngx_http_enroll_issue_made(r, call, result);
        break;

    case NGX_ENROLL_REPEAT:
        ctx->reason = NGX_ENROLL_OK;
        rc = ngx_http_enroll_respond_json(r, NGX_HTTP_OK, "application/json",
                 json_pack("{s:s%, s:s%}",
                           "id", call->id, (size_t) NGX_ENROLL_HEX_LEN,
                           "state", result->state.data, result->state.len));
        break;

    default:
        detail = result->lost ? "It is not known whether a token was made. "
                                "Repeat the event; if the answer has no "
                                "token, send another."
                              : NULL;

        rc = ngx_http_enroll_refuse(r, result->verdict, "issue", detail);
    }

    ngx_http_enroll_finalize(r, rc);
}


static ngx_int_t
ngx_http_enroll_issue_made(ngx_http_request_t *r, ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    u_char                      *p;
    int64_t                      expires;
    ngx_int_t                    rc;
    ngx_str_t                    url, base;
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

    if (ngx_http_complex_value(r, elcf->url, &base) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    url.len = base.len + 1 + NGX_ENROLL_TOKEN_LEN;
    url.data = ngx_pnalloc(r->pool, url.len);
    if (url.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* in the fragment, which browsers send to no server (I5) */

    p = ngx_cpymem(url.data, base.data, base.len);
    *p++ = '#';
    ngx_memcpy(p, call->text, NGX_ENROLL_TOKEN_LEN);

    expires = ngx_atoof(result->expires_at.data, result->expires_at.len);

    rc = ngx_http_enroll_respond_json(r, NGX_HTTP_CREATED, "application/json",
             json_pack("{s:s%, s:s, s:s%, s:s%, s:I}",
                       "id", call->id, (size_t) NGX_ENROLL_HEX_LEN,
                       "state", "issued",
                       "token", call->text, (size_t) NGX_ENROLL_TOKEN_LEN,
                       "url", url.data, url.len,
                       "expires_at", (json_int_t) expires));

    OPENSSL_cleanse(url.data, url.len);

    return rc;
}
