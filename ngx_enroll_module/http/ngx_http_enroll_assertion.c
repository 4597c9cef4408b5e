
/*
 * The proxy's signed word to the IdP: who enrols, by which token, under which
 * class, and for which request that is said.
 */

#include "ngx_http_enroll_module.h"

#include <openssl/rand.h>


#define NGX_HTTP_ENROLL_ASSERTION_TYP   "enroll+jwt"
#define NGX_HTTP_ENROLL_ASSERTION_LIFE  60      /* seconds */
#define NGX_HTTP_ENROLL_ASSERTION_MAX   255     /* bytes of iss, aud */


static ngx_int_t ngx_http_enroll_assertion_make(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static json_t *ngx_http_enroll_assertion_claims(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf);
static json_t *ngx_http_enroll_assertion_jti(ngx_http_enroll_ctx_t *ctx,
    ngx_uint_t endpoint);
static void ngx_http_enroll_assertion_exception(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx);
static ngx_int_t ngx_http_enroll_assertion_word(ngx_conf_t *cf,
    ngx_str_t *value);


/*
 * It says what the guard has just granted, and nothing else: not before, not
 * of a refusal, not once the IdP has answered, not to another location.
 */

ngx_int_t
ngx_http_enroll_assertion_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_enroll_ctx_t       *ctx;
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ctx = (r == r->main) ? ngx_http_enroll_ctx_find(r) : NULL;

    if (ctx && ctx->ruling) {
        /* deny_if: it is not known yet */
        ctx->misruled = 1;
    }

    v->not_found = 1;

    if (ctx == NULL
        || !(ctx->granted & elcf->endpoint & NGX_HTTP_ENROLL_CLOSED)
        || ctx->refused
        || ctx->outcome != NGX_ENROLL_OUTCOME_UNDECIDED)
    {
        return NGX_OK;
    }

    /* once for each location: the same word, however often it is asked for */

    if (ctx->asserted != elcf) {
        ctx->asserted = elcf;

        if (ngx_http_enroll_assertion_make(r, ctx, elcf) != NGX_OK) {
            ngx_str_null(&ctx->assertion);
        }
    }

    v->not_found = (ctx->assertion.len == 0);
    v->valid = !v->not_found;
    v->no_cacheable = 0;
    v->data = ctx->assertion.data;
    v->len = ctx->assertion.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_assertion_make(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    char                         *text;
    json_t                       *claims;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (elcf->assertion_iss.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "enroll: \"$enroll_assertion\" is empty, it needs "
                      "\"enroll_assertion issuer audience\"");
        return NGX_ERROR;
    }

    claims = ngx_http_enroll_assertion_claims(r, ctx, elcf);

    text = claims ? ngx_enroll_jwt_sign(emcf->keys,
                                        NGX_HTTP_ENROLL_ASSERTION_TYP, claims)
                  : NULL;
    json_decref(claims);

    if (text == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "enroll: \"$enroll_assertion\" could not be made");
        return NGX_ERROR;
    }

    ctx->assertion.len = ngx_strlen(text);
    ctx->assertion.data = ngx_pnalloc(r->pool, ctx->assertion.len);

    if (ctx->assertion.data) {
        ngx_memcpy(ctx->assertion.data, text, ctx->assertion.len);
    }

    free(text);

    return ctx->assertion.data ? NGX_OK : NGX_ERROR;
}


/* NULL: no memory, no randomness, no host, or one or a query not of UTF-8 */

static json_t *
ngx_http_enroll_assertion_claims(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    time_t       now;
    json_t      *claims, *jti;
    ngx_str_t    proof;
    const char  *step;

    ngx_http_enroll_assertion_exception(r, ctx);

    step = (elcf->endpoint == NGX_HTTP_ENROLL_FINISH) ? "finish"
           : (elcf->endpoint == NGX_HTTP_ENROLL_BEGIN) ? "begin" : "page";

    now = ngx_time();
    proof = ctx->proof;

    if (proof.len == 0) {
        ngx_str_set(&proof, "none");
    }

    jti = ngx_http_enroll_assertion_jti(ctx, elcf->endpoint);
    if (jti == NULL) {
        return NULL;
    }

    claims = json_pack("{s:s%, s:s%, s:I, s:I, s:o, s:s%, s:s%, s:s%, s:s%, "
                       "s:s, s:s%, s:s%, s:s%}",
                       "iss", elcf->assertion_iss.data,
                       elcf->assertion_iss.len,
                       "aud", elcf->assertion_aud.data,
                       elcf->assertion_aud.len,
                       "iat", (json_int_t) now,
                       "exp", (json_int_t) now
                              + NGX_HTTP_ENROLL_ASSERTION_LIFE,
                       "jti", jti,
                       "sub", ctx->subject.data, ctx->subject.len,
                       "id", ctx->hex, (size_t) NGX_ENROLL_HEX_LEN,
                       "class", ctx->class.data, ctx->class.len,
                       "proof", proof.data, proof.len,
                       "step", step,
                       "method", r->method_name.data, r->method_name.len,
                       "host", r->headers_in.server.data,
                       r->headers_in.server.len,
                       "uri", r->unparsed_uri.data, r->unparsed_uri.len);

    if (claims
        && ctx->exception.len
        && json_object_set_new(claims, "exception",
                               json_stringn((char *) ctx->exception.data,
                                            ctx->exception.len))
           != 0)
    {
        json_decref(claims);
        return NULL;
    }

    return claims;
}


/* that of a finish is the claim's, which the ledger and its events have */

static json_t *
ngx_http_enroll_assertion_jti(ngx_http_enroll_ctx_t *ctx,
    ngx_uint_t endpoint)
{
    u_char  raw[NGX_ENROLL_DIGEST_LEN], hex[NGX_ENROLL_HEX_LEN];

    if (endpoint == NGX_HTTP_ENROLL_FINISH) {
        return json_stringn((char *) ctx->claim, NGX_ENROLL_HEX_LEN);
    }

    if (RAND_bytes(raw, sizeof(raw)) != 1) {
        return NULL;
    }

    (void) ngx_hex_dump(hex, raw, sizeof(raw));

    return json_stringn((char *) hex, sizeof(hex));
}


/* a page that the zone let pass has no record at hand, only its class */

static void
ngx_http_enroll_assertion_exception(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx)
{
    ngx_http_enroll_class_t      *class;
    ngx_http_enroll_main_conf_t  *emcf;

    if (ctx->asked) {
        return;
    }

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    class = ngx_http_enroll_class_find(emcf, &ctx->class);
    if (class) {
        ctx->exception = class->policy.parent;
    }
}


ngx_int_t
ngx_http_enroll_jwks_handler(ngx_http_request_t *r)
{
    char                         *text;
    ngx_int_t                     rc;
    ngx_str_t                     value, type;
    ngx_http_complex_value_t      cv;
    ngx_http_enroll_main_conf_t  *emcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&value, "GET, HEAD");

        if (ngx_http_enroll_header_add(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_enroll_refuse(r, NGX_ENROLL_METHOD, "jwks", NULL);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    text = json_dumps(emcf->keys->jwks, JSON_COMPACT);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    value.len = ngx_strlen(text);
    value.data = (u_char *) text;
    cv.value.len = value.len;
    cv.value.data = ngx_pstrdup(r->pool, &value);
    free(text);

    ngx_str_set(&value, "public, max-age=300");

    if (cv.value.data == NULL
        || ngx_http_enroll_header_add(r, "Cache-Control", &value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&type, "application/jwk-set+json");

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


char *
ngx_http_enroll_assertion(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t  *value;

    if (elcf->assertion_iss.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_enroll_assertion_word(cf, &value[1]) != NGX_OK
        || ngx_http_enroll_assertion_word(cf, &value[2]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    elcf->assertion_iss = value[1];
    elcf->assertion_aud = value[2];
    ngx_http_enroll_where(cf, &elcf->assertion_where);

    return NGX_CONF_OK;
}


/* compared byte by byte by whoever verifies: no place for surprises */

static ngx_int_t
ngx_http_enroll_assertion_word(ngx_conf_t *cf, ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] > '~'
            || value->data[i] == '$')
        {
            break;
        }
    }

    if (i < value->len
        || value->len == 0
        || value->len > NGX_HTTP_ENROLL_ASSERTION_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid issuer or audience \"%V\": 1 to %d "
                           "printable ASCII characters without spaces and "
                           "variables are allowed, such as "
                           "\"https://login.example.com\"", value,
                           NGX_HTTP_ENROLL_ASSERTION_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_enroll_assertion_merge(ngx_conf_t *cf,
    ngx_http_enroll_main_conf_t *emcf, ngx_http_enroll_loc_conf_t *prev,
    ngx_http_enroll_loc_conf_t *conf)
{
    if (conf->assertion_iss.len == 0) {
        conf->assertion_iss = prev->assertion_iss;
        conf->assertion_aud = prev->assertion_aud;
        conf->assertion_where = prev->assertion_where;
    }

    if (conf->assertion_iss.len == 0
        || (emcf->keys && emcf->keys->signer))
    {
        return NGX_CONF_OK;
    }

    return ngx_http_enroll_conf_error(cf, &conf->assertion_where,
               "\"enroll_assertion\" needs a key to sign with: \"enroll_keys\" "
               "has no \"EC\" key with its private part, make one with \"jose "
               "jwk gen -i '{\"kty\":\"EC\",\"crv\":\"P-256\"}'\"");
}
