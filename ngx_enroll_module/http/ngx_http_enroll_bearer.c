
#include "ngx_http_enroll_module.h"

#include "ngx_enroll_redact.h"

#include <openssl/crypto.h>


static ngx_uint_t ngx_http_enroll_bearer_drops(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_uint_t ngx_http_enroll_bearer_mask(ngx_http_request_t *r);
static ngx_int_t ngx_http_enroll_bearer_parse(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_int_t ngx_http_enroll_bearer_read(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_str_t *token, ngx_str_t *session);
static ngx_uint_t ngx_http_enroll_bearer_authorization(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_enroll_bearer_token(ngx_str_t *value,
    ngx_str_t *token);
static ngx_uint_t ngx_http_enroll_bearer_cookie(ngx_str_t *value,
    ngx_str_t *session, ngx_uint_t strip);
static ngx_uint_t ngx_http_enroll_bearer_drop(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_enroll_bearer_reserved(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_enroll_bearer_named(ngx_table_elt_t *h,
    const char *name, size_t len);
static ngx_uint_t ngx_http_enroll_bearer_hops(ngx_str_t *value);
static ngx_uint_t ngx_http_enroll_bearer_is(ngx_table_elt_t *h,
    const char *name, size_t len);


/*
 * Runs first of all, before a subrequest, a proxied request or a log line is
 * made of the request; and on all servers, guarded or not: browsers send the
 * cookie to each of the same host. In the rewrite phase it runs again, in each
 * location that the request enters: an error page that nginx shows of what it
 * could not read has not been here before.
 */

ngx_int_t
ngx_http_enroll_bearer_handler(ngx_http_request_t *r)
{
    ngx_uint_t                    redirected;
    ngx_http_enroll_ctx_t        *ctx;
    ngx_http_enroll_srv_conf_t   *escf;
    ngx_http_enroll_main_conf_t  *emcf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);
    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (r != r->main || emcf->keys == NULL) {
        return NGX_DECLINED;
    }

    /* unlike a rewrite, which is internal as well, it wipes contexts */

    redirected = r->internal
                 && ngx_http_get_module_ctx(r, ngx_http_enroll_module) == NULL;

    ctx = ngx_http_enroll_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->parsed) {
        ctx->parsed = 1;

        if (ngx_http_enroll_bearer_parse(r, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_enroll_headers_remove(r, ngx_http_enroll_bearer_drop);

        ctx->leaked = (ngx_http_enroll_bearer_mask(r) > 0);
    }

    if (escf->guarded && !ctx->cleaned) {
        ctx->cleaned = 1;

        ngx_http_enroll_headers_remove(r, ngx_http_enroll_bearer_reserved);
    }

    if (redirected
        && ngx_http_enroll_bearer_drops(r, ctx)
        && ngx_http_enroll_body_drop(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * By an error page goes no body of what was sent to a handler of ours, which
 * may hold a token (I5), or to a closed endpoint, or of what was refused
 * before it came to the guard. But who is sent on with his method, and to no
 * such place, is the IdP's.
 */

static ngx_uint_t
ngx_http_enroll_bearer_drops(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_uint_t                   look;
    ngx_http_enroll_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);
    look = r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD);

    if (ctx->passed) {
        return look && ctx->entered;
    }

    return (look && (escf->guarded || escf->ours.nelts))
           || ngx_http_enroll_path_is(r, &escf->ours);
}


/*
 * nginx may end a request before any handler has seen it (400, 413, 301), and
 * log it all the same.
 */

ngx_int_t
ngx_http_enroll_bearer_log_handler(ngx_http_request_t *r)
{
    ngx_http_enroll_ctx_t        *ctx;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_enroll_main_conf_t  *emcf;

    ctx = ngx_http_enroll_ctx_find(r);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (emcf->keys && (ctx == NULL || !ctx->parsed)) {
        (void) ngx_http_enroll_bearer_mask(r);
    }

    /* a body that came in part only has met no handler of ours */

    if (elcf->handler && r->request_body) {
        r->request_body->bufs = NULL;
    }

    return NGX_OK;
}


/*
 * Masks tokens in the request line and the headers; how many in the line. On
 * servers that are not guarded only what is one to the letter: they may have
 * names of their own that look like it.
 */

static ngx_uint_t
ngx_http_enroll_bearer_mask(ngx_http_request_t *r)
{
    ngx_uint_t                   i, n;
    ngx_list_part_t             *part;
    ngx_table_elt_t             *h;
    ngx_enroll_redact_e          how;
    ngx_http_enroll_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);
    how = escf->guarded ? NGX_ENROLL_REDACT_WORDS : NGX_ENROLL_REDACT_WHOLE;

    /* these may share their memory, or not */

    n = ngx_enroll_redact(r->request_line.data, r->request_line.len, how);
    n += ngx_enroll_redact(r->unparsed_uri.data, r->unparsed_uri.len, how);
    n += ngx_enroll_redact(r->uri.data, r->uri.len, how);
    n += ngx_enroll_redact(r->args.data, r->args.len, how);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            (void) ngx_enroll_redact(h[i].value.data, h[i].value.len, how);
        }
    }

    return n;
}


static ngx_int_t
ngx_http_enroll_bearer_parse(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_str_t         token, session;
    ngx_uint_t        i, tokens, sessions;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    tokens = 0;
    sessions = 0;
    ngx_str_null(&token);
    ngx_str_null(&session);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_enroll_bearer_authorization(&h[i])) {
                tokens += ngx_http_enroll_bearer_token(&h[i].value, &token);

            } else if (ngx_http_enroll_bearer_is(&h[i], "cookie", 6)) {
                sessions += ngx_http_enroll_bearer_cookie(&h[i].value,
                                                          &session, 0);
            }
        }
    }

    ctx->cookie = (sessions > 0);

    if (tokens + sessions > 1) {
        ctx->bearer = NGX_HTTP_ENROLL_BEARER_DUPLICATE;
        return NGX_OK;
    }

    if (tokens + sessions == 0) {
        return NGX_OK;
    }

    return ngx_http_enroll_bearer_read(r, ctx, tokens ? &token : NULL,
                                       &session);
}


static ngx_int_t
ngx_http_enroll_bearer_read(ngx_http_request_t *r, ngx_http_enroll_ctx_t *ctx,
    ngx_str_t *token, ngx_str_t *session)
{
    ngx_int_t                     rc;
    ngx_enroll_token_t            t;
    ngx_enroll_session_t          s;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (token) {
        rc = ngx_enroll_token_read(emcf->keys, token, &t);

        if (rc == NGX_OK && t.partition < emcf->partitions) {
            ctx->bearer = NGX_HTTP_ENROLL_BEARER_TOKEN;
            ctx->partition = t.partition;
            ngx_memcpy(ctx->id, t.id, NGX_ENROLL_DIGEST_LEN);
            ngx_memcpy(ctx->session, t.session, NGX_ENROLL_DIGEST_LEN);
        }

    } else {
        rc = ngx_enroll_session_read(emcf->keys, session, &s);

        if (rc == NGX_OK && s.partition < emcf->partitions) {
            ctx->bearer = NGX_HTTP_ENROLL_BEARER_SESSION;
            ctx->partition = s.partition;
            ctx->expires = s.expires;
            ngx_memcpy(ctx->id, s.id, NGX_ENROLL_DIGEST_LEN);
            ngx_memcpy(ctx->session, s.digest, NGX_ENROLL_DIGEST_LEN);
        }

        OPENSSL_cleanse(&s, sizeof(ngx_enroll_session_t));
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ctx->bearer == NGX_HTTP_ENROLL_BEARER_NONE) {
        ctx->bearer = NGX_HTTP_ENROLL_BEARER_FORGED;
        return NGX_OK;
    }

    (void) ngx_hex_dump(ctx->hex, ctx->id, NGX_ENROLL_DIGEST_LEN);

    return NGX_OK;
}


void
ngx_http_enroll_bearer(ngx_http_enroll_ctx_t *ctx, ngx_enroll_bearer_t *bearer)
{
    bearer->partition = ctx->partition;
    bearer->id = ctx->id;
    bearer->session = ctx->session;
    bearer->direct = (ctx->bearer == NGX_HTTP_ENROLL_BEARER_TOKEN);
    bearer->client = ctx->request->connection->addr_text;
    bearer->nrules = 0;
    bearer->rules = NULL;
}


static ngx_uint_t
ngx_http_enroll_bearer_authorization(ngx_table_elt_t *h)
{
    return ngx_http_enroll_bearer_is(h, "authorization",
                                     sizeof("authorization") - 1);
}


/*
 * 1 if the value of an Authorization header holds something that looks like
 * a token, however mangled: then it is ours to judge and nobody else's to
 * see. *token is what a token has to be: all of the credentials of a Bearer.
 */

static ngx_uint_t
ngx_http_enroll_bearer_token(ngx_str_t *value, ngx_str_t *token)
{
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    for ( ;; ) {
        p = ngx_strlcasestrn(p, last, (u_char *) NGX_ENROLL_TOKEN_PREFIX,
                             sizeof(NGX_ENROLL_TOKEN_PREFIX) - 2);
        if (p == NULL) {
            return 0;
        }

        /* inside a word it is an accident of somebody else's base64url */

        if (p == value->data
            || !(isalnum(p[-1]) || p[-1] == '-' || p[-1] == '_')
            || (p - value->data == 6
                && ngx_strncasecmp(value->data, (u_char *) "Bearer", 6) == 0))
        {
            break;
        }

        p++;
    }

    /* of another scheme, or of none, it is no token */

    ngx_str_null(token);

    if (value->len > 7 && ngx_strncasecmp(value->data, (u_char *) "Bearer ", 7)
                          == 0)
    {
        token->data = value->data + 7;
        token->len = value->len - 7;

        while (token->len && token->data[0] == ' ') {
            token->data++;
            token->len--;
        }
    }

    return 1;
}


/*
 * How many cookies of ours the value of a Cookie header holds; *session is
 * the last one's value. With strip they are cut out of it, each with one of
 * the separators beside it, and all else stays as it came.
 */

static ngx_uint_t
ngx_http_enroll_bearer_cookie(ngx_str_t *value, ngx_str_t *session,
    ngx_uint_t strip)
{
    size_t      len;
    u_char     *p, *end, *last;
    ngx_uint_t  n;

    n = 0;
    len = sizeof(NGX_HTTP_ENROLL_COOKIE) - 1;
    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ';') {
            p++;
            continue;
        }

        end = ngx_strlchr(p, last, ';');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) <= len
            || p[len] != '='
            || ngx_strncmp(p, NGX_HTTP_ENROLL_COOKIE, len) != 0)
        {
            p = end;
            continue;
        }

        n++;
        session->data = p + len + 1;
        session->len = end - session->data;

        if (!strip) {
            p = end;
            continue;
        }

        if (end < last) {
            do {
                end++;
            } while (end < last && *end == ' ');

        } else {
            while (p > value->data && (p[-1] == ' ' || p[-1] == ';')) {
                p--;
            }
        }

        (void) ngx_movemem(p, end, last - end);
        last -= end - p;
    }

    value->len = last - value->data;

    return n;
}


/* What no upstream gets: the credential, and a header that held it alone. */

static ngx_uint_t
ngx_http_enroll_bearer_drop(ngx_table_elt_t *h)
{
    ngx_str_t  token, session;

    if (ngx_http_enroll_bearer_authorization(h)) {
        return ngx_http_enroll_bearer_token(&h->value, &token);
    }

    if (ngx_http_enroll_bearer_is(h, "cookie", 6)) {
        return ngx_http_enroll_bearer_cookie(&h->value, &session, 1)
               && h->value.len == 0;
    }

    return 0;
}


/*
 * What a client says in the proxy's name: that he is somebody, or wants
 * another path than that of his request; where a body ends, in a spelling that
 * nginx does not read and the IdP may; which headers the IdP is to drop, of
 * those that the proxy has set; and an upgrade to anything but a websocket,
 * which would be a tunnel to the IdP past the guard.
 */

static ngx_uint_t
ngx_http_enroll_bearer_reserved(ngx_table_elt_t *h)
{
    if (ngx_http_enroll_bearer_named(h, "x-original-url", 14)
        || ngx_http_enroll_bearer_named(h, "x-rewrite-url", 13))
    {
        return 1;
    }

    if (ngx_http_enroll_bearer_named(h, "content-length", 14)) {
        return !ngx_http_enroll_bearer_is(h, "content-length", 14);
    }

    if (ngx_http_enroll_bearer_named(h, "transfer-encoding", 17)) {
        return !ngx_http_enroll_bearer_is(h, "transfer-encoding", 17);
    }

    if (ngx_http_enroll_bearer_is(h, "connection", 10)) {
        return ngx_http_enroll_bearer_hops(&h->value);
    }

    if (ngx_http_enroll_bearer_is(h, "upgrade", 7)) {
        return h->value.len != 9
               || ngx_strncasecmp(h->value.data, (u_char *) "websocket", 9)
                  != 0;
    }

    return ngx_http_enroll_bearer_named(h, "enroll-", 0);
}


/*
 * In any spelling, also with something around it that others may take for
 * blanks; len 0: whatever follows.
 */

static ngx_uint_t
ngx_http_enroll_bearer_named(ngx_table_elt_t *h, const char *name, size_t len)
{
    ngx_table_elt_t  bare;

    bare = *h;

    while (bare.key.len && !isalnum(bare.key.data[0])) {
        bare.key.data++;
        bare.key.len--;
    }

    if (len == 0) {
        return ngx_http_enroll_header_alike(&bare, name, ngx_strlen(name));
    }

    while (bare.key.len && !isalnum(bare.key.data[bare.key.len - 1])) {
        bare.key.len--;
    }

    return bare.key.len == len
           && ngx_http_enroll_header_alike(&bare, name, len);
}


/* anything but what browsers say there */

static ngx_uint_t
ngx_http_enroll_bearer_hops(ngx_str_t *value)
{
    size_t       len;
    u_char      *p, *last;
    ngx_uint_t   i;

    static ngx_str_t  words[] = {
        ngx_string("close"),
        ngx_string("keep-alive"),
        ngx_string("upgrade"),
        ngx_string("te")
    };

    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        for (len = 0; p + len < last; len++) {
            if (p[len] == ' ' || p[len] == '\t' || p[len] == ',') {
                break;
            }
        }

        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (len == words[i].len
                && ngx_strncasecmp(p, words[i].data, len) == 0)
            {
                break;
            }
        }

        if (i == sizeof(words) / sizeof(words[0])) {
            return 1;
        }

        p += len;
    }

    return 0;
}


static ngx_uint_t
ngx_http_enroll_bearer_is(ngx_table_elt_t *h, const char *name, size_t len)
{
    return h->key.len == len
           && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0;
}
