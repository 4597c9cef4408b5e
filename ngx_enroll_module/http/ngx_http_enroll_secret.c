
#include "ngx_http_enroll_secret.h"

#include <openssl/crypto.h>


static char *ngx_http_enroll_file_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *holds, size_t max, ngx_uint_t others, ngx_str_t *text);
static char *ngx_http_enroll_file_load(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *name, const char *holds, size_t max, ngx_uint_t others,
    ngx_str_t *text);


char *
ngx_http_enroll_secret_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *holds, size_t max, ngx_str_t *text)
{
    return ngx_http_enroll_file_read(cf, name, holds, max, 0, text);
}


char *
ngx_http_enroll_public_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *holds, size_t max, ngx_str_t *text)
{
    return ngx_http_enroll_file_read(cf, name, holds, max, 1, text);
}


/* others: they may read it, and write it they may never */

static char *
ngx_http_enroll_file_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *holds, size_t max, ngx_uint_t others, ngx_str_t *text)
{
    char       *rv;
    ngx_fd_t    fd;
    ngx_str_t  *directive;

    directive = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\": " ngx_open_file_n " \"%V\" failed, name "
                           "a file that holds %s", directive, name, holds);
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_enroll_file_load(cf, fd, name, holds, max, others, text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rv;
}


static char *
ngx_http_enroll_file_load(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *name,
    const char *holds, size_t max, ngx_uint_t others, ngx_str_t *text)
{
    off_t            size;
    ngx_str_t       *directive;
    ngx_file_info_t  fi;

    directive = cf->args->elts;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": \"%V\" must be a regular file",
                           directive, name);
        return NGX_CONF_ERROR;
    }

    if ((fi.st_mode & S_IRWXO) && !others) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": others may access \"%V\", it must be "
                           "its owner's and group's alone: chmod o-rwx",
                           directive, name);
        return NGX_CONF_ERROR;
    }

    if (fi.st_mode & S_IWOTH) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": others may write \"%V\", and so choose "
                           "whom to believe: chmod o-w", directive, name);
        return NGX_CONF_ERROR;
    }

    size = ngx_file_size(&fi);

    if (size < 1 || size > (off_t) max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": \"%V\" has %O bytes, it must hold %s, "
                           "1 to %uz bytes", directive, name, size, holds,
                           max);
        return NGX_CONF_ERROR;
    }

    text->data = ngx_alloc(size + 1, cf->log);
    if (text->data == NULL) {
        return NGX_CONF_ERROR;
    }

    text->len = size;

    if (ngx_read_fd(fd, text->data, size) != size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\": " ngx_read_fd_n " \"%V\" failed",
                           directive, name);
        ngx_http_enroll_secret_free(text);
        return NGX_CONF_ERROR;
    }

    text->data[size] = '\0';

    return NGX_CONF_OK;
}


void
ngx_http_enroll_secret_free(ngx_str_t *text)
{
    OPENSSL_cleanse(text->data, text->len);
    ngx_free(text->data);
    ngx_str_null(text);
}
