
/* Models of authenticators that a class allows: a file, one AAGUID a line. */

#include "ngx_http_enroll_class.h"


#define NGX_HTTP_ENROLL_AAGUIDS_MAX   1024
#define NGX_HTTP_ENROLL_AAGUIDS_SIZE  262144     /* bytes of the file */
#define NGX_HTTP_ENROLL_AAGUID_LEN    36


static char *ngx_http_enroll_aaguid_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text);
static char *ngx_http_enroll_aaguid_load(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *name, ngx_str_t *text);
static char *ngx_http_enroll_aaguid_parse(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text, ngx_array_t *aaguids);
static ngx_uint_t ngx_http_enroll_aaguid_is_space(u_char c);
static ngx_int_t ngx_http_enroll_aaguid_line(ngx_conf_t *cf, u_char *p,
    u_char *end, ngx_array_t *aaguids);


char *
ngx_http_enroll_aaguid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_draft_t  *draft = conf;

    ngx_str_t           *value, text;
    ngx_array_t          aaguids;
    ngx_enroll_class_t  *policy;

    policy = &draft->class.policy;

    if (policy->naaguids) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_array_init(&aaguids, cf->pool, 16, sizeof(ngx_str_t)) != NGX_OK
        || ngx_http_enroll_aaguid_read(cf, &value[1], &text) != NGX_CONF_OK
        || ngx_http_enroll_aaguid_parse(cf, &value[1], &text, &aaguids)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* none is not the same as any */

    if (aaguids.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aaguid\": no AAGUID in \"%V\", at least one is "
                           "needed", &value[1]);
        return NGX_CONF_ERROR;
    }

    policy->naaguids = aaguids.nelts;
    policy->aaguids = aaguids.elts;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_aaguid_read(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    char      *rv;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"aaguid\": " ngx_open_file_n " \"%V\" failed, "
                           "name a file that holds one AAGUID a line", name);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_enroll_aaguid_load(cf, fd, name, text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rv;
}


static char *
ngx_http_enroll_aaguid_load(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *name,
    ngx_str_t *text)
{
    off_t            size;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aaguid\": \"%V\" must be a regular file", name);
        return NGX_CONF_ERROR;
    }

    size = ngx_file_size(&fi);

    if (size > NGX_HTTP_ENROLL_AAGUIDS_SIZE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aaguid\": \"%V\" has %O bytes, %d are allowed",
                           name, size, NGX_HTTP_ENROLL_AAGUIDS_SIZE);
        return NGX_CONF_ERROR;
    }

    text->len = (size_t) size;
    text->data = ngx_pnalloc(cf->temp_pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_read_fd(fd, text->data, text->len) != (ssize_t) text->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"aaguid\": " ngx_read_fd_n " \"%V\" failed",
                           name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_aaguid_parse(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text, ngx_array_t *aaguids)
{
    u_char      *p, *end, *last, *next;
    ngx_int_t    rc;
    ngx_uint_t   line;

    line = 0;
    last = text->data + text->len;

    for (p = text->data; p < last; p = next) {
        line++;

        for (next = p; next < last && *next++ != LF; /* void */) { /* void */ }

        for (end = p; end < next && *end != '#'; end++) { /* void */ }

        while (end > p && ngx_http_enroll_aaguid_is_space(end[-1])) {
            end--;
        }

        while (p < end && ngx_http_enroll_aaguid_is_space(*p)) {
            p++;
        }

        if (p == end) {
            continue;
        }

        rc = ngx_http_enroll_aaguid_line(cf, p, end, aaguids);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"aaguid\": no AAGUID in %V:%ui, it has 32 "
                               "hex digits with \"-\" behind the 8th, 12th, "
                               "16th and 20th", name, line);
            return NGX_CONF_ERROR;
        }

        if (aaguids->nelts > NGX_HTTP_ENROLL_AAGUIDS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"aaguid\": one too many in %V:%ui, %d are "
                               "allowed", name, line,
                               NGX_HTTP_ENROLL_AAGUIDS_MAX);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_enroll_aaguid_is_space(u_char c)
{
    return c == ' ' || c == '\t' || c == CR || c == LF;
}


/* NGX_DECLINED: it is none */

static ngx_int_t
ngx_http_enroll_aaguid_line(ngx_conf_t *cf, u_char *p, u_char *end,
    ngx_array_t *aaguids)
{
    u_char      c;
    ngx_str_t  *aaguid;
    ngx_uint_t  i;

    if (end - p != NGX_HTTP_ENROLL_AAGUID_LEN) {
        return NGX_DECLINED;
    }

    aaguid = ngx_array_push(aaguids);
    if (aaguid == NULL) {
        return NGX_ERROR;
    }

    aaguid->len = NGX_HTTP_ENROLL_AAGUID_LEN;
    aaguid->data = ngx_pnalloc(cf->pool, NGX_HTTP_ENROLL_AAGUID_LEN);
    if (aaguid->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_ENROLL_AAGUID_LEN; i++) {
        c = ngx_tolower(p[i]);

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return NGX_DECLINED;
            }

        } else if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return NGX_DECLINED;
        }

        aaguid->data[i] = c;
    }

    return NGX_OK;
}
