
#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_rate.h"
#include "ngx_enroll_webhook.h"


static ngx_http_enroll_issuer_t *ngx_http_enroll_issuer_signed(
    ngx_http_request_t *r, ngx_str_t *body, ngx_str_t *event,
    const char **wrong);
static ngx_int_t ngx_http_enroll_issuer_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);


ngx_int_t
ngx_http_enroll_issuer_read(ngx_http_request_t *r, size_t max,
    const char *step, ngx_http_enroll_body_pt handler)
{
    ngx_str_t                    allow;
    ngx_http_enroll_loc_conf_t  *elcf;

    if (r->method == NGX_HTTP_POST) {
        elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

        if ((elcf->handler == ngx_http_enroll_issue_handler
             || elcf->handler == ngx_http_enroll_revoke_handler)
            && ngx_http_enroll_is_type(r, "application/secevent+jwt"))
        {
            return ngx_http_enroll_set_read(r, step);
        }

        return ngx_http_enroll_body_read(r, max, step, handler);
    }

    ngx_str_set(&allow, "POST");

    if (ngx_http_enroll_header_add(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_enroll_refuse(r, NGX_ENROLL_METHOD, step, NULL);
}


ngx_http_enroll_issuer_t *
ngx_http_enroll_issuer_find(ngx_http_request_t *r, ngx_str_t *body,
    const char *step, ngx_str_t *event, ngx_int_t *rc)
{
    const char                  *wrong;
    ngx_http_enroll_issuer_t    *issuer;
    ngx_http_enroll_loc_conf_t  *elcf;

    issuer = ngx_http_enroll_issuer_signed(r, body, event, &wrong);

    if (issuer == NULL) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "enroll: a call to %s that no issuer signed: %s", step,
                      wrong);

        *rc = ngx_http_enroll_refuse(r, NGX_ENROLL_SIGNATURE, step, wrong);
        return NULL;
    }

    /* who leaves does not wait */

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

    if (elcf->handler != ngx_http_enroll_revoke_handler
        && ngx_http_enroll_rate(r, issuer, step, rc) != NGX_OK)
    {
        return NULL;
    }

    return issuer;
}


static ngx_http_enroll_issuer_t *
ngx_http_enroll_issuer_signed(ngx_http_request_t *r, ngx_str_t *body,
    ngx_str_t *event, const char **wrong)
{
    ngx_uint_t                    i;
    ngx_enroll_webhook_t          webhook;
    ngx_http_enroll_issuer_t    **issuers;
    ngx_http_enroll_loc_conf_t   *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    issuers = elcf->issuers->elts;

    if (ngx_http_enroll_issuer_header(r, "webhook-id", &webhook.id) != NGX_OK
        || ngx_http_enroll_issuer_header(r, "webhook-timestamp",
                                         &webhook.timestamp)
           != NGX_OK
        || ngx_http_enroll_issuer_header(r, "webhook-signature",
                                         &webhook.signature)
           != NGX_OK)
    {
        *wrong = "a webhook header is there twice";
        return NULL;
    }

    *wrong = "no issuer has a secret for that: all push security event "
             "tokens";

    for (i = 0; i < elcf->issuers->nelts; i++) {

        if (issuers[i]->secrets.nelts == 0) {
            continue;
        }

        *wrong = ngx_enroll_webhook_verify(issuers[i]->secrets.elts,
                                           issuers[i]->secrets.nelts,
                                           &webhook, body, ngx_time());
        if (*wrong == NULL) {
            *event = webhook.id;
            return issuers[i];
        }
    }

    return NULL;
}


/* NGX_OK, the value empty where there is none; NGX_DECLINED: several */

static ngx_int_t
ngx_http_enroll_issuer_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    h = ngx_http_enroll_header_find(r, name, &n);

    if (h) {
        *value = h->value;

    } else {
        ngx_str_null(value);
    }

    return n > 1 ? NGX_DECLINED : NGX_OK;
}
