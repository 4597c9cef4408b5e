
/* The token's way out that passes no issuer: a POST to a gateway. */

#include "ngx_http_enroll_module.h"

#include <openssl/crypto.h>


struct ngx_http_enroll_delivery_s {
    ngx_http_request_t            *request;    /* the subrequest */
    ngx_str_t                      body;
    ngx_http_enroll_delivered_pt   handler;
    ngx_uint_t                     status;     /* 0: it is not over */
    ngx_uint_t                     ready;      /* it has its body */
};


static ngx_int_t ngx_http_enroll_deliver_request(ngx_http_request_t *sr,
    ngx_str_t *body);
static ngx_int_t ngx_http_enroll_deliver_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_enroll_deliver_resume(ngx_http_request_t *r);


ngx_int_t
ngx_http_enroll_deliver(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_str_t *body, ngx_http_enroll_delivered_pt handler)
{
    ngx_http_request_t           *sr;
    ngx_http_enroll_ctx_t        *ctx;
    ngx_http_enroll_delivery_t   *delivery;
    ngx_http_post_subrequest_t   *ps;

    ctx = ngx_http_enroll_ctx_find(r);

    delivery = ngx_pcalloc(r->pool, sizeof(ngx_http_enroll_delivery_t));
    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (delivery == NULL || ps == NULL) {
        return NGX_ERROR;
    }

    delivery->body = *body;
    delivery->handler = handler;

    ps->handler = ngx_http_enroll_deliver_done;
    ps->data = delivery;

    if (ngx_http_subrequest(r, uri, NULL, &sr, ps, NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    delivery->request = sr;
    delivery->ready = (ngx_http_enroll_deliver_request(sr, body) == NGX_OK);
    ctx->delivery = delivery;

    r->write_event_handler = ngx_http_enroll_deliver_resume;

    return NGX_OK;
}


/* nothing of the issuer's own request goes along */

static ngx_int_t
ngx_http_enroll_deliver_request(ngx_http_request_t *sr, ngx_str_t *body)
{
    ngx_buf_t        *b;
    ngx_chain_t      *cl;
    ngx_table_elt_t  *h;

    static ngx_str_t  post = ngx_string("POST");

    sr->header_only = 1;
    sr->method = NGX_HTTP_POST;
    sr->method_name = post;

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));
    sr->headers_in.server = sr->main->headers_in.server;
    sr->headers_in.content_length_n = body->len;
    sr->headers_in.keep_alive_n = -1;

    sr->request_body = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    b = ngx_calloc_buf(sr->pool);
    cl = ngx_alloc_chain_link(sr->pool);

    if (sr->request_body == NULL || b == NULL || cl == NULL
        || ngx_list_init(&sr->headers_in.headers, sr->pool, 2,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (nginx_version < 1023000)
    if (ngx_array_init(&sr->headers_in.cookies, sr->pool, 1,
                       sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }
#endif

    h = ngx_list_push(&sr->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "Content-Type");
    ngx_str_set(&h->value, "application/json");
    h->lowcase_key = (u_char *) "content-type";
    sr->headers_in.content_type = h;

    b->pos = b->start = body->data;
    b->last = b->end = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    sr->request_body->bufs = cl;

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_deliver_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_enroll_delivery_t *delivery = data;

    if (delivery->status) {
        return rc;
    }

    delivery->status = sr->headers_out.status;

    if (rc != NGX_OK || !delivery->ready || delivery->status == 0) {
        delivery->status = NGX_HTTP_BAD_GATEWAY;
    }

    OPENSSL_cleanse(delivery->body.data, delivery->body.len);

    /* whatever the gateway says is nobody's to see */

    return NGX_OK;
}


static void
ngx_http_enroll_deliver_resume(ngx_http_request_t *r)
{
    ngx_uint_t                   status;
    ngx_http_enroll_ctx_t       *ctx;
    ngx_http_enroll_delivery_t  *delivery;

    ctx = ngx_http_enroll_ctx_find(r);
    delivery = ctx->delivery;
    status = delivery->status;

    if (status == 0) {
        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    if (status < NGX_HTTP_OK || status >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "enroll: a token was not delivered: \"%V\" "
                      "answered %ui", &delivery->request->uri, status);
    }

    delivery->handler(r, status >= NGX_HTTP_OK
                         && status < NGX_HTTP_SPECIAL_RESPONSE);
}


ngx_uint_t
ngx_http_enroll_deliver_is(ngx_http_enroll_ctx_t *ctx, ngx_http_request_t *r)
{
    return ctx && ctx->delivery && ctx->delivery->request == r
           && ctx->delivery->ready;
}
