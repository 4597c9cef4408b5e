
/* What the flat directives take. */

#include "ngx_http_enroll_module.h"
#include "ngx_enroll_uri.h"


static char *ngx_http_enroll_place(ngx_conf_t *cf, ngx_array_t *places);
#if (NGX_PCRE)
static char *ngx_http_enroll_place_regex(ngx_conf_t *cf,
    ngx_http_enroll_place_t *place, ngx_http_core_loc_conf_t *clcf);
#endif
static char *ngx_http_enroll_success_param(ngx_conf_t *cf,
    ngx_http_enroll_success_t *success, ngx_str_t *value);
static char *ngx_http_enroll_handler(ngx_conf_t *cf, void *conf,
    ngx_http_handler_pt handler);
static char *ngx_http_enroll_names(ngx_conf_t *cf, ngx_array_t **names);
static char *ngx_http_enroll_target(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *target);


char *
ngx_http_enroll_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    if (elcf->where.file == NULL) {
        ngx_http_enroll_where(cf, &elcf->where);
    }

    return ngx_conf_set_flag_slot(cf, cmd, conf);
}


char *
ngx_http_enroll_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_enroll_srv_conf_t  *escf;

    static ngx_conf_enum_t  endpoints[] = {
        { ngx_string("open"), NGX_HTTP_ENROLL_OPEN },
        { ngx_string("page"), NGX_HTTP_ENROLL_PAGE },
        { ngx_string("begin"), NGX_HTTP_ENROLL_BEGIN },
        { ngx_string("finish"), NGX_HTTP_ENROLL_FINISH },
        { ngx_null_string, 0 }
    };

    if (elcf->endpoint != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; endpoints[i].name.len; i++) {
        if (ngx_strcmp(value[1].data, endpoints[i].name.data) == 0) {
            elcf->endpoint = endpoints[i].value;
        }
    }

    if (elcf->endpoint == NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid endpoint \"%V\": it is one of \"open\", "
                           "\"page\", \"begin\", \"finish\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    elcf->optional = 0;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "optional") != 0
            || elcf->endpoint == NGX_HTTP_ENROLL_OPEN)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": \"optional\" may "
                               "follow \"page\", \"begin\" or \"finish\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }

        elcf->optional = 1;
    }

    escf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_enroll_module);

    if (elcf->endpoint == NGX_HTTP_ENROLL_BEGIN) {
        escf->begins++;
    }

    ngx_http_enroll_where(cf, &elcf->where);

    return elcf->endpoint & NGX_HTTP_ENROLL_CLOSED
           ? ngx_http_enroll_place(cf, &escf->closed) : NGX_CONF_OK;
}


/* named locations have no path to compare with */

static char *
ngx_http_enroll_place(ngx_conf_t *cf, ngx_array_t *places)
{
    ngx_http_enroll_place_t   *place;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named || clcf->noname) {
        return NGX_CONF_OK;
    }

    place = ngx_array_push(places);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(place, sizeof(ngx_http_enroll_place_t));

#if (NGX_PCRE)
    if (clcf->regex) {
        return ngx_http_enroll_place_regex(cf, place, clcf);
    }
#endif

    place->name = clcf->name;
    place->exact = clcf->exact_match;
    place->folder = (clcf->name.len
                     && clcf->name.data[clcf->name.len - 1] == '/');
    place->loose.data = ngx_pnalloc(cf->pool, clcf->name.len + 1);
    if (place->loose.data == NULL) {
        return NGX_CONF_ERROR;
    }

    place->loose.len = ngx_enroll_uri_loose(&clcf->name, 0,
                                            place->loose.data);

    return NGX_CONF_OK;
}


#if (NGX_PCRE)

static char *
ngx_http_enroll_place_regex(ngx_conf_t *cf, ngx_http_enroll_place_t *place,
    ngx_http_core_loc_conf_t *clcf)
{
    u_char               errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t  rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = clcf->name;
    rc.options = NGX_REGEX_CASELESS;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_CONF_ERROR;
    }

    place->regex = clcf->regex->regex;
    place->caseless = rc.regex;

    return NGX_CONF_OK;
}

#endif


char *
ngx_http_enroll_success(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_enroll_success_t  *success;

    success = &elcf->success;

    if (success->set) {
        return "is duplicate";
    }

    success->set = 1;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_enroll_success_param(cf, success, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (success->nstatuses == 0 && success->variable == NULL) {
        ngx_http_enroll_success_default(success);
    }

    return NGX_CONF_OK;
}


void
ngx_http_enroll_success_default(ngx_http_enroll_success_t *success)
{
    success->nstatuses = 3;
    success->statuses[0] = NGX_HTTP_OK;
    success->statuses[1] = NGX_HTTP_CREATED;
    success->statuses[2] = NGX_HTTP_NO_CONTENT;
}


static char *
ngx_http_enroll_success_param(ngx_conf_t *cf,
    ngx_http_enroll_success_t *success, ngx_str_t *value)
{
    u_char                            *p;
    ngx_int_t                          status;
    ngx_http_compile_complex_value_t   ccv;

    if (value->data[0] == '$' && success->variable == NULL) {

        success->variable = ngx_palloc(cf->pool,
                                       sizeof(ngx_http_complex_value_t));
        if (success->variable == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = value;
        ccv.complex_value = success->variable;

        return ngx_http_compile_complex_value(&ccv) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p && p > value->data && success->member.len == 0) {
        *p = '\0';
        success->member.data = value->data;
        success->member.len = p - value->data;
        success->value.data = p + 1;
        success->value.len = value->data + value->len - p - 1;
        return NGX_CONF_OK;
    }

    status = ngx_atoi(value->data, value->len);

    if (status >= 200 && status < 400
        && success->nstatuses < NGX_HTTP_ENROLL_STATUSES_MAX)
    {
        success->statuses[success->nstatuses++] = status;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"enroll_success\" takes "
                       "statuses from 200 to 399, one $variable, and one "
                       "member=value of a JSON body", value);

    return NGX_CONF_ERROR;
}


char *
ngx_http_enroll_log(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_str_t  *value;

    if (elcf->log != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    elcf->log = ngx_conf_open_file(cf->cycle, &value[1]);

    return elcf->log ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_enroll_handler(ngx_conf_t *cf, void *conf,
    ngx_http_handler_pt handler)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_enroll_srv_conf_t  *escf;

    if (elcf->handler) {
        return "is duplicate, or a second handler for the same location";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "stands in the same location as another content handler (such "
               "as proxy_pass): they need a location each";
    }

    clcf->handler = handler;
    elcf->handler = handler;

    ngx_http_enroll_where(cf, &elcf->where);

    escf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_enroll_module);

    return ngx_http_enroll_place(cf, &escf->ours);
}


static char *
ngx_http_enroll_names(ngx_conf_t *cf, ngx_array_t **names)
{
    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    *names = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (*names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(*names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_target(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *target)
{
    if (!ngx_enroll_uri_canonical(path)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid target \"%V\": it is the path of a page "
                           "endpoint on this server, begins with a slash "
                           "and has none of \"//\", \"\\\", \";\" in it",
                           path);
        return NGX_CONF_ERROR;
    }

    *target = *path;

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_issue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_issue_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_enroll_names(cf, &elcf->issuer_names);
}


char *
ngx_http_enroll_redeem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_redeem_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    return ngx_http_enroll_target(cf, &value[1], &elcf->target);
}


char *
ngx_http_enroll_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char  *rv;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_revoke_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_enroll_names(cf, &elcf->issuer_names);
}


char *
ngx_http_enroll_approve(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char  *rv;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_approve_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_enroll_names(cf, &elcf->issuer_names);
}


char *
ngx_http_enroll_prove(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    char       *rv;
    ngx_str_t  *last;

    rv = ngx_http_enroll_handler(cf, conf, ngx_http_enroll_prove_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    last = cf->args->elts;
    last += cf->args->nelts - 1;

    if (last->len > 7 && ngx_strncmp(last->data, "return=", 7) == 0) {
        last->data += 7;
        last->len -= 7;
        cf->args->nelts--;

        rv = ngx_http_enroll_target(cf, last, &elcf->target);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (cf->args->nelts < 2) {
        return "names no prover";
    }

    return ngx_http_enroll_names(cf, &elcf->prover_names);
}


char *
ngx_http_enroll_serve_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_enroll_handler(cf, conf, ngx_http_enroll_jwks_handler);
}


char *
ngx_http_enroll_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_enroll_handler(cf, conf, ngx_http_enroll_status_handler);
}
