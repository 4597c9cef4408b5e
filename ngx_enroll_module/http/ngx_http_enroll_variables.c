
#include "ngx_http_enroll_module.h"


static ngx_int_t ngx_http_enroll_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_enroll_variable_str(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_enroll_variable_reason(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_enroll_variable_set(ngx_http_variable_value_t *v,
    u_char *data, size_t len);


static ngx_http_variable_t  ngx_http_enroll_vars[] = {

    { ngx_string("enroll_id"), NULL, ngx_http_enroll_variable_id,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_subject"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_ctx_t, subject), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_class"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_ctx_t, class), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_state"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_ctx_t, state), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_proof"), NULL, ngx_http_enroll_variable_str,
      offsetof(ngx_http_enroll_ctx_t, proof), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_assertion"), NULL, ngx_http_enroll_assertion_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("enroll_reason"), NULL, ngx_http_enroll_variable_reason,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_enroll_variables_init(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_enroll_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);

    if (ctx == NULL || ctx->hex[0] == '\0') {
        return ngx_http_enroll_variable_set(v, NULL, 0);
    }

    return ngx_http_enroll_variable_set(v, ctx->hex, NGX_ENROLL_HEX_LEN);
}


/* nothing is known of a bearer that was refused, but its id and the reason */

static ngx_int_t
ngx_http_enroll_variable_str(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              *s;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);

    if (ctx && ctx->ruling && !ctx->misruled) {
        ctx->misruled = 1;

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "enroll: \"deny_if\" asks whose token it is, which is "
                      "not known yet: refused");
    }

    if (ctx == NULL || ctx->refused || ctx->left) {
        return ngx_http_enroll_variable_set(v, NULL, 0);
    }

    s = (ngx_str_t *) ((char *) ctx + data);

    return ngx_http_enroll_variable_set(v, s->data, s->len);
}


static ngx_int_t
ngx_http_enroll_variable_reason(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_str_t        *name;
    ngx_http_enroll_ctx_t  *ctx;

    ctx = ngx_http_enroll_ctx_find(r);

    if (ctx == NULL || ctx->reason == NGX_ENROLL_OK) {
        return ngx_http_enroll_variable_set(v, NULL, 0);
    }

    name = ngx_enroll_reason_name(ctx->reason);

    return ngx_http_enroll_variable_set(v, name->data, name->len);
}


static ngx_int_t
ngx_http_enroll_variable_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->not_found = (len == 0);
    v->valid = !v->not_found;
    v->no_cacheable = 0;
    v->data = data;
    v->len = len;

    return NGX_OK;
}
