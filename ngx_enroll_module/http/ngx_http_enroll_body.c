
#include "ngx_http_enroll_module.h"

#include <openssl/crypto.h>


static void ngx_http_enroll_body_done(ngx_http_request_t *r);
static ngx_uint_t ngx_http_enroll_body_header(ngx_table_elt_t *h);


ngx_int_t
ngx_http_enroll_body_read(ngx_http_request_t *r, size_t max,
    const char *step, ngx_http_enroll_body_pt handler)
{
    ngx_int_t               rc;
    ngx_http_enroll_ctx_t  *ctx;

    if (ngx_http_enroll_body_early(r)) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_EARLY, step, NULL);
    }

    if (r->headers_in.content_length_n < 0) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, step,
                                      "A body with a Content-Length is "
                                      "needed.");
    }

    if (r->headers_in.content_length_n > (off_t) max) {
        return ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, step,
                                      "The body is too long.");
    }

    ctx = ngx_http_enroll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->body_handler = handler;
    ctx->step = step;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_enroll_body_done);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_enroll_body_done(ngx_http_request_t *r)
{
    size_t                  len, size;
    u_char                 *p;
    ngx_str_t               text;
    ngx_chain_t            *cl;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);

    /*
     * A body in a file (client_body_in_file_only, or a tiny buffer) would
     * have to be read from there, which blocks.
     */

    if (r->request_body == NULL || r->request_body->temp_file) {
        ngx_http_finalize_request(r,
            ngx_http_enroll_refuse(r, NGX_ENROLL_BODY, ctx->step,
                                   "The body does not fit in memory."));
        return;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    text.data = p;
    text.len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size = cl->buf->last - cl->buf->pos;

        if (size) {
            p = ngx_cpymem(p, cl->buf->pos, size);
        }
    }

    ctx->body_handler(r, &text);
}


void
ngx_http_enroll_body_cleanse(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_chain_t  *cl;

    OPENSSL_cleanse(body->data, body->len);

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        OPENSSL_cleanse(cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    /* an error page that is proxied gets none of it */

    r->request_body->bufs = NULL;
    r->headers_in.content_length_n = 0;
}


/*
 * nginx sends the body of what it refused along to an error page. One that
 * has not been read is taken for read, and empty, and the connection ends.
 * (Without a length, HTTP/2 skips the frames that are still to come.)
 */

ngx_int_t
ngx_http_enroll_body_drop(ngx_http_request_t *r)
{
    if (r->discard_body) {
        return NGX_OK;
    }

    if (r->request_body == NULL) {

        if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
            return NGX_OK;
        }

        r->request_body = ngx_pcalloc(r->pool,
                                      sizeof(ngx_http_request_body_t));
        if (r->request_body == NULL) {
            return NGX_ERROR;
        }

        r->keepalive = 0;
        r->lingering_close = 1;
    }

    r->request_body->bufs = NULL;
    r->headers_in.content_length_n = -1;
    r->headers_in.chunked = 0;

    ngx_http_enroll_headers_remove(r, ngx_http_enroll_body_header);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_enroll_body_header(ngx_table_elt_t *h)
{
    return (h->key.len == sizeof("content-length") - 1
            && ngx_strncasecmp(h->key.data, (u_char *) "content-length",
                               h->key.len)
               == 0)
           || (h->key.len == sizeof("transfer-encoding") - 1
               && ngx_strncasecmp(h->key.data,
                                  (u_char *) "transfer-encoding",
                                  h->key.len)
                  == 0);
}


ngx_uint_t
ngx_http_enroll_body_early(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)

    ngx_ssl_connection_t  *ssl;

    ssl = r->connection->ssl;

    return ssl && !SSL_is_init_finished(ssl->connection);

#else

    return 0;

#endif
}


void
ngx_http_enroll_json_cleanse(json_t *json, const char *member)
{
    json_t  *value;

    value = json_object_get(json, member);

    if (json_is_string(value)) {
        OPENSSL_cleanse((char *) json_string_value(value),
                        json_string_length(value));
    }
}
