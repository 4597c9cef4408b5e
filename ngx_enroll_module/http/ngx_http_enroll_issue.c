
/* The joiner event as a Standard Webhook with a JSON body, and its answer. */

#include "ngx_http_enroll_module.h"


static void ngx_http_enroll_issue_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_issue_joiner(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, ngx_str_t *event,
    ngx_enroll_joiner_t *joiner);
static ngx_int_t ngx_http_enroll_issue_answer(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered);
static ngx_int_t ngx_http_enroll_issue_made(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered);


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

    return ngx_http_enroll_order(r, issuer, event, joiner,
                                 ngx_http_enroll_issue_answer);
}


static ngx_int_t
ngx_http_enroll_issue_answer(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered)
{
    switch (ordered->reason) {

    case NGX_ENROLL_OK:
        return ngx_http_enroll_issue_made(r, ordered);

    case NGX_ENROLL_REPEAT:
        return ngx_http_enroll_respond_json(r, NGX_HTTP_OK,
                   "application/json",
                   json_pack("{s:s%, s:s%}",
                             "id", ordered->id.data, ordered->id.len,
                             "state", ordered->state.data,
                             ordered->state.len));

    default:
        return ngx_http_enroll_refuse(r, ordered->reason, "issue",
                                      ordered->detail);
    }
}


static ngx_int_t
ngx_http_enroll_issue_made(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered)
{
    if (ordered->token.len == 0) {
        return ngx_http_enroll_respond_json(r, NGX_HTTP_CREATED,
                   "application/json",
                   json_pack("{s:s%, s:s%, s:b, s:I}",
                             "id", ordered->id.data, ordered->id.len,
                             "state", ordered->state.data,
                             ordered->state.len,
                             "delivered", 1,
                             "expires_at",
                             (json_int_t) ordered->expires_at));
    }

    return ngx_http_enroll_respond_json(r, NGX_HTTP_CREATED,
               "application/json",
               json_pack("{s:s%, s:s%, s:s%, s:s%, s:I}",
                         "id", ordered->id.data, ordered->id.len,
                         "state", ordered->state.data, ordered->state.len,
                         "token", ordered->token.data, ordered->token.len,
                         "url", ordered->url.data, ordered->url.len,
                         "expires_at", (json_int_t) ordered->expires_at));
}
