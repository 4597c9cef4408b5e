
#include "ngx_http_enroll_bounds.h"


char *
ngx_http_enroll_set_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                 *np, n;
    ngx_str_t                 *value;
    ngx_http_enroll_bounds_t  *bounds;

    np = (ngx_int_t *) ((u_char *) conf + cmd->offset);
    bounds = cmd->post;

    if (*np != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < bounds->min || n > bounds->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", it must be "
                           "a number from %i to %i",
                           &value[1], &value[0], bounds->min, bounds->max);
        return NGX_CONF_ERROR;
    }

    *np = n;

    return NGX_CONF_OK;
}


char *
ngx_http_enroll_set_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                     min[NGX_HTTP_ENROLL_TIME_LEN],
                               max[NGX_HTTP_ENROLL_TIME_LEN];
    ngx_int_t                  n;
    ngx_str_t                 *value;
    ngx_msec_t                *mp;
    ngx_http_enroll_bounds_t  *bounds;

    mp = (ngx_msec_t *) ((u_char *) conf + cmd->offset);
    bounds = cmd->post;

    if (*mp != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR || n < bounds->min || n > bounds->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", it must be "
                           "a time from %s to %s", &value[1], &value[0],
                           ngx_http_enroll_time(min, bounds->min),
                           ngx_http_enroll_time(max, bounds->max));
        return NGX_CONF_ERROR;
    }

    *mp = (ngx_msec_t) n;

    return NGX_CONF_OK;
}


u_char *
ngx_http_enroll_time(u_char buf[NGX_HTTP_ENROLL_TIME_LEN], ngx_int_t ms)
{
    ngx_uint_t  i;

    static const struct {
        ngx_int_t     ms;
        const char   *unit;
    } units[] = {
        { 24 * 60 * 60 * 1000, "d" },
        { 60 * 60 * 1000, "h" },
        { 60 * 1000, "m" },
        { 1000, "s" },
        { 1, "ms" }
    };

    for (i = 0; ms % units[i].ms || ms < units[i].ms; i++) {
        if (units[i].ms == 1) {
            break;
        }
    }

    (void) ngx_sprintf(buf, "%i%s%Z", ms / units[i].ms, units[i].unit);

    return buf;
}
