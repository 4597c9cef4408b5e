
#include "ngx_http_enroll_module.h"

#include <openssl/crypto.h>


static void ngx_http_enroll_respond_cleanup(void *data);


ngx_int_t
ngx_http_enroll_respond(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const u_char *data, size_t len)
{
    ngx_int_t                  rc;
    ngx_str_t                  text, content_type, no_store;
    ngx_pool_cleanup_t        *cln;
    ngx_http_complex_value_t   cv;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    /* some of these hold a token: none of them outlives its request */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    text.len = len;
    text.data = ngx_pnalloc(r->pool, len + 1);
    if (cln == NULL || text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_enroll_respond_cleanup;
    *(ngx_str_t *) cln->data = text;

    ngx_memcpy(text.data, data, len);

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = text;

    content_type.len = ngx_strlen(type);
    content_type.data = (u_char *) type;

    ngx_str_set(&no_store, "no-store");

    if (ngx_http_enroll_header_add(r, "Cache-Control", &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_response(r, status, &content_type, &cv);
}


static void
ngx_http_enroll_respond_cleanup(void *data)
{
    ngx_str_t *text = data;

    OPENSSL_cleanse(text->data, text->len);
}


ngx_int_t
ngx_http_enroll_respond_json(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, json_t *json)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = json ? ngx_http_enroll_json_text(r->pool, json, &text) : NGX_ERROR;
    json_decref(json);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_enroll_respond(r, status, type, text.data, text.len);

    OPENSSL_cleanse(text.data, text.len);

    return rc;
}


ngx_int_t
ngx_http_enroll_json_text(ngx_pool_t *pool, json_t *json, ngx_str_t *text)
{
    size_t  size;

    static const size_t  flags = JSON_COMPACT|JSON_REAL_PRECISION(6);

    /* at once into its place: a buffer that grows leaves copies behind */

    size = json_dumpb(json, NULL, 0, flags);
    if (size == 0) {
        return NGX_ERROR;
    }

    text->data = ngx_pnalloc(pool, size);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = json_dumpb(json, (char *) text->data, size, flags);

    return text->len == size ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_http_enroll_wants_html(ngx_http_request_t *r)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *accept;

    accept = ngx_http_enroll_header_find(r, "accept", &n);

    return accept
           && ngx_strlcasestrn(accept->value.data,
                               accept->value.data + accept->value.len,
                               (u_char *) "text/html", 8)
              != NULL;
}


ngx_int_t
ngx_http_enroll_cookie_set(ngx_http_request_t *r, const u_char *session,
    ngx_uint_t seconds)
{
    u_char     *p;
    ngx_str_t   value;

    value.len = sizeof(NGX_HTTP_ENROLL_COOKIE "=; Path=/; Max-Age=; Secure; "
                       "HttpOnly; SameSite=Lax")
                + NGX_ENROLL_SESSION_LEN + NGX_INT_T_LEN;

    p = ngx_pnalloc(r->pool, value.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, NGX_HTTP_ENROLL_COOKIE "=%*s; Path=/; "
                            "Max-Age=%ui; Secure; HttpOnly; SameSite=Lax",
                            session ? (size_t) NGX_ENROLL_SESSION_LEN : 0,
                            session ? session : (u_char *) "", seconds)
                - p;

    return ngx_http_enroll_header_add(r, "Set-Cookie", &value);
}


void
ngx_http_enroll_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}
