
#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_pages.h"

#include <openssl/evp.h>


#define NGX_HTTP_ENROLL_HASH_LEN  44       /* base64 of SHA-256 */


static ngx_int_t ngx_http_enroll_page_init(ngx_conf_t *cf, ngx_str_t *page,
    ngx_str_t *policy);
static ngx_int_t ngx_http_enroll_page_hash(ngx_str_t *text, const char *open,
    const char *close, u_char *hash);
static ngx_int_t ngx_http_enroll_page_send(ngx_http_request_t *r,
    ngx_str_t *policy, ngx_uint_t status, ngx_str_t *text);
static ngx_str_t ngx_http_enroll_page_value(ngx_http_request_t *r,
    const u_char *p, size_t len, const ngx_str_t *reason, const char *title,
    const char *detail);


static ngx_str_t  ngx_http_enroll_landing =
    ngx_string(NGX_HTTP_ENROLL_HTML_LANDING);

static ngx_str_t  ngx_http_enroll_refusal =
    ngx_string(NGX_HTTP_ENROLL_HTML_REFUSAL);


ngx_int_t
ngx_http_enroll_pages_init(ngx_conf_t *cf)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    if (ngx_http_enroll_page_init(cf, &ngx_http_enroll_landing,
                                  &emcf->landing)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_enroll_page_init(cf, &ngx_http_enroll_refusal,
                                     &emcf->refusal);
}


/*
 * Nothing but what is in the page itself: its style and its script by their
 * digests, no other source. The form, and the redirect that answers it, stay
 * on this server: so does enroll_redeem's target.
 */

static ngx_int_t
ngx_http_enroll_page_init(ngx_conf_t *cf, ngx_str_t *page, ngx_str_t *policy)
{
    u_char  *p;
    u_char   style[NGX_HTTP_ENROLL_HASH_LEN + 1],
             script[NGX_HTTP_ENROLL_HASH_LEN + 1];

    script[0] = '\0';

    if (ngx_http_enroll_page_hash(page, "<style>", "</style>", style)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_http_enroll_page_hash(page, "<script>", "</script>",
                                     script);

    p = ngx_pnalloc(cf->pool, 512);
    if (p == NULL) {
        return NGX_ERROR;
    }

    policy->data = p;

    p = ngx_sprintf(p, "default-src 'none'; img-src data:; "
                    "style-src 'sha256-%s'; ", style);

    if (script[0]) {
        p = ngx_sprintf(p, "script-src 'sha256-%s'; form-action 'self'; ",
                        script);

    } else {
        p = ngx_sprintf(p, "form-action 'none'; ");
    }

    p = ngx_sprintf(p, "base-uri 'none'; frame-ancestors 'none'");

    policy->len = p - policy->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_page_hash(ngx_str_t *text, const char *open,
    const char *close, u_char *hash)
{
    u_char        digest[EVP_MAX_MD_SIZE];
    const char   *p, *end;
    unsigned int  len;

    p = strstr((char *) text->data, open);
    end = p ? strstr(p, close) : NULL;

    if (end == NULL) {
        return NGX_DECLINED;
    }

    p += ngx_strlen(open);

    if (EVP_Digest(p, end - p, digest, &len, EVP_sha256(), NULL) != 1) {
        return NGX_ERROR;
    }

    (void) EVP_EncodeBlock(hash, digest, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_enroll_page_landing(ngx_http_request_t *r)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    return ngx_http_enroll_page_send(r, &emcf->landing, NGX_HTTP_OK,
                                     &ngx_http_enroll_landing);
}


ngx_int_t
ngx_http_enroll_page_refusal(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *reason, const char *title, const char *detail)
{
    u_char                       *p, *last, *dst;
    ngx_str_t                     text, value;
    ngx_http_enroll_main_conf_t  *emcf;

    static const size_t  mark = 2;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    last = ngx_http_enroll_refusal.data + ngx_http_enroll_refusal.len;

    /* each mark stands in the page three times at most */

    text.len = ngx_http_enroll_refusal.len
               + 3 * (ngx_strlen(title) + ngx_strlen(detail) + reason->len
                      + NGX_ENROLL_HEX_LEN + 16);
    text.data = ngx_pnalloc(r->pool, text.len);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    dst = text.data;
    p = ngx_http_enroll_refusal.data;

    while (p < last) {

        if (p[0] != '{' || p[1] != '{') {
            *dst++ = *p++;
            continue;
        }

        p += mark;
        value = ngx_http_enroll_page_value(r, p, last - p, reason, title,
                                           detail);

        if (value.len) {
            dst = ngx_cpymem(dst, value.data, value.len);
        }

        p = (u_char *) ngx_strstr(p, "}}") + mark;
    }

    text.len = dst - text.data;

    return ngx_http_enroll_page_send(r, &emcf->refusal, status, &text);
}


/* constant texts all, and an id in hex: there is nothing to escape */

static ngx_str_t
ngx_http_enroll_page_value(ngx_http_request_t *r, const u_char *p, size_t len,
    const ngx_str_t *reason, const char *title, const char *detail)
{
    ngx_str_t               value;
    ngx_http_enroll_ctx_t  *ctx;

    ngx_str_null(&value);

    if (len > 6 && ngx_strncmp(p, "title}", 6) == 0) {
        value.data = (u_char *) title;
        value.len = ngx_strlen(title);

    } else if (len > 7 && ngx_strncmp(p, "detail}", 7) == 0) {
        value.data = (u_char *) detail;
        value.len = ngx_strlen(detail);

    } else if (len > 7 && ngx_strncmp(p, "reason}", 7) == 0) {
        value = *reason;

    } else {
        ctx = ngx_http_enroll_ctx_find(r);

        if (ctx && ctx->hex[0]) {
            value.data = ngx_pnalloc(r->pool, NGX_ENROLL_HEX_LEN + 16);

            if (value.data) {
                value.len = ngx_sprintf(value.data, " (%*s)",
                                        (size_t) NGX_ENROLL_HEX_LEN,
                                        ctx->hex)
                            - value.data;
            }
        }
    }

    return value;
}


static ngx_int_t
ngx_http_enroll_page_send(ngx_http_request_t *r, ngx_str_t *policy,
    ngx_uint_t status, ngx_str_t *text)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    static const char  *headers[][2] = {
        { "X-Content-Type-Options", "nosniff" },

        /* with no-referrer browsers would send "Origin: null" */
        { "Referrer-Policy", "same-origin" },

        { "Cross-Origin-Opener-Policy", "same-origin" }
    };

    if (ngx_http_enroll_header_add(r, "Content-Security-Policy", policy)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        value.data = (u_char *) headers[i][1];
        value.len = ngx_strlen(value.data);

        if (ngx_http_enroll_header_add(r, headers[i][0], &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_enroll_respond(r, status, "text/html; charset=utf-8",
                                   text->data, text->len);
}
