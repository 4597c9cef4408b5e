
#include "ngx_http_enroll_module.h"
#include "ngx_enroll_webhook.h"


static ngx_int_t ngx_http_enroll_issuer_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);


ngx_int_t
ngx_http_enroll_issuer_read(ngx_http_request_t *r, size_t max,
    const char *step, ngx_http_enroll_body_pt handler)
{
    ngx_str_t  allow;

    if (r->method == NGX_HTTP_POST) {
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
    const char                   *wrong;
    ngx_uint_t                    i;
    ngx_enroll_webhook_t          webhook;
    ngx_http_enroll_issuer_t    **issuers;
    ngx_http_enroll_loc_conf_t   *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    issuers = elcf->issuers->elts;
    wrong = "a webhook header is there twice";

    if (ngx_http_enroll_issuer_header(r, "webhook-id", &webhook.id) == NGX_OK
        && ngx_http_enroll_issuer_header(r, "webhook-timestamp",
                                         &webhook.timestamp)
           == NGX_OK
        && ngx_http_enroll_issuer_header(r, "webhook-signature",
                                         &webhook.signature)
           == NGX_OK)
    {
        for (i = 0; i < elcf->issuers->nelts; i++) {

            wrong = ngx_enroll_webhook_verify(issuers[i]->secrets.elts,
                                              issuers[i]->secrets.nelts,
                                              &webhook, body, ngx_time());
            if (wrong == NULL) {
                *event = webhook.id;
                return issuers[i];
            }
        }
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "enroll: a call to %s that no issuer signed: %s", step,
                  wrong);

    *rc = ngx_http_enroll_refuse(r, NGX_ENROLL_SIGNATURE, step, wrong);

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
