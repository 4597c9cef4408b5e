
/* The block enroll_class. */

#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_DAY           (24 * 60 * 60 * 1000LL)
#define NGX_HTTP_ENROLL_MINUTE        (60 * 1000)


static ngx_http_enroll_bounds_t  ngx_http_enroll_ttl_bounds =
    { 1000, 30 * NGX_HTTP_ENROLL_DAY };

static ngx_http_enroll_bounds_t  ngx_http_enroll_window_bounds =
    { 1000, 60 * NGX_HTTP_ENROLL_MINUTE };

/* SP 800-63B-4, 3.2.2: no more than 100 consecutive failures */
static ngx_http_enroll_bounds_t  ngx_http_enroll_attempts_bounds =
    { 1, 100 };


static ngx_command_t  ngx_http_enroll_class_commands[] = {

    { ngx_string("ttl"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      0,
      offsetof(ngx_http_enroll_class_t, policy.ttl),
      &ngx_http_enroll_ttl_bounds },

    { ngx_string("window"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_time,
      0,
      offsetof(ngx_http_enroll_class_t, policy.window),
      &ngx_http_enroll_window_bounds },

    { ngx_string("attempts"),
      NGX_CONF_TAKE1,
      ngx_http_enroll_set_number,
      0,
      offsetof(ngx_http_enroll_class_t, policy.attempts),
      &ngx_http_enroll_attempts_bounds },

      ngx_null_command
};


char *
ngx_http_enroll_class_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    ngx_str_t                *value;
    ngx_http_enroll_class_t  *class, **slot;

    value = cf->args->elts;

    if (ngx_http_enroll_word(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_class_find(emcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate enroll_class \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    class = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_class_t));
    slot = ngx_array_push(&emcf->classes);
    if (class == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = class;
    class->policy.name = value[1];
    class->policy.ttl = NGX_CONF_UNSET_MSEC;
    class->policy.window = NGX_CONF_UNSET_MSEC;
    class->policy.attempts = NGX_CONF_UNSET;
    ngx_http_enroll_where(cf, &class->where);

    if (ngx_http_enroll_block(cf, ngx_http_enroll_class_commands, class)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_msec_value(class->policy.ttl, NGX_HTTP_ENROLL_DAY);
    ngx_conf_init_msec_value(class->policy.window, 10 * NGX_HTTP_ENROLL_MINUTE);
    ngx_conf_init_value(class->policy.attempts, 5);

    return NGX_CONF_OK;
}


ngx_http_enroll_class_t *
ngx_http_enroll_class_find(ngx_http_enroll_main_conf_t *emcf,
    const ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_enroll_class_t  **classes;

    classes = emcf->classes.elts;

    for (i = 0; i < emcf->classes.nelts; i++) {
        if (classes[i]->policy.name.len == name->len
            && ngx_memcmp(classes[i]->policy.name.data, name->data, name->len) == 0)
        {
            return classes[i];
        }
    }

    return NULL;
}
