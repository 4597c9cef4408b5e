
/* What the blocks and several directives need. */

#include "ngx_http_enroll_module.h"
#include "ngx_http_enroll_secret.h"


#define NGX_HTTP_ENROLL_KEYS_MAX      65536      /* bytes of files */


static char *ngx_http_enroll_block_param(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static void ngx_http_enroll_keys_cleanup(void *data);


typedef struct {
    ngx_command_t    *commands;
    void             *conf;
} ngx_http_enroll_block_t;


char *
ngx_http_enroll_block(ngx_conf_t *cf, ngx_command_t *commands, void *conf)
{
    char                     *rv;
    ngx_conf_t                save;
    ngx_http_enroll_block_t  *block;

    block = ngx_palloc(cf->temp_pool, sizeof(ngx_http_enroll_block_t));
    if (block == NULL) {
        return NGX_CONF_ERROR;
    }

    block->commands = commands;
    block->conf = conf;

    save = *cf;
    cf->handler = ngx_http_enroll_block_param;
    cf->handler_conf = (void *) block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_enroll_block_param(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_enroll_block_t  *block = conf;

    char           *rv;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = block->commands; cmd->name.len; cmd++) {

        if (cmd->name.len != value[0].len
            || ngx_strcmp(cmd->name.data, value[0].data) != 0)
        {
            continue;
        }

        if (cf->args->nelts < 2
            || (cmd->type == NGX_CONF_TAKE1 && cf->args->nelts != 2))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" "
                               "directive", &value[0]);
            return NGX_CONF_ERROR;
        }

        rv = cmd->set(cf, cmd, block->conf);

        if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                               &value[0], rv);
            return NGX_CONF_ERROR;
        }

        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in this block, it takes "
                       "\"%V\" and the like", &value[0],
                       &block->commands->name);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_enroll_word(ngx_conf_t *cf, ngx_str_t *word)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < word->len; i++) {
        c = word->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
              || c == '_' || c == '-'))
        {
            break;
        }
    }

    if (i < word->len || word->len == 0 || word->len > 32) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\": 1 to 32 characters of a-z, "
                           "0-9, \"_\" and \"-\" are allowed", word);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_enroll_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    char                 err[NGX_ENROLL_ERR_LEN];
    ngx_int_t            rc;
    ngx_str_t           *value, text;
    ngx_enroll_keys_t   *keys;
    ngx_pool_cleanup_t  *cln;

    if (emcf->keys) {
        return "is duplicate";
    }

    value = cf->args->elts;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    keys = ngx_pcalloc(cf->pool, sizeof(ngx_enroll_keys_t));
    if (cln == NULL || keys == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_enroll_secret_read(cf, &value[1],
                                    "a JWK Set, made with \"jose jwk gen\"",
                                    NGX_HTTP_ENROLL_KEYS_MAX, &text)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = ngx_enroll_keys_read(keys, text.data, text.len, err);
    ngx_http_enroll_secret_free(&text);

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"enroll_keys\" \"%V\": %s", &value[1], err);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_enroll_keys_cleanup;
    cln->data = keys;
    emcf->keys = keys;

    return NGX_CONF_OK;
}


static void
ngx_http_enroll_keys_cleanup(void *data)
{
    ngx_enroll_keys_free(data);
}


void
ngx_http_enroll_where(ngx_conf_t *cf, ngx_http_enroll_where_t *where)
{
    where->file = cf->conf_file->file.name.data;
    where->line = cf->conf_file->line;
}


char *
ngx_http_enroll_conf_error(ngx_conf_t *cf, ngx_http_enroll_where_t *where,
    const char *fmt, ...)
{
    u_char    text[NGX_MAX_CONF_ERRSTR], *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%*s in %s:%ui",
                  (size_t) (p - text), text, where->file, where->line);

    return NGX_CONF_ERROR;
}
