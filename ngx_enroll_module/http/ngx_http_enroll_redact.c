
/*
 * nginx itself writes request lines to its error log and, at debug level,
 * every header. Whatever looks like a token or a session is masked on its
 * way there (I5).
 */

#include "ngx_http_enroll_module.h"
#include "ngx_enroll_redact.h"


typedef struct {
    ngx_log_writer_pt   writer;            /* NULL: a plain file */
    void               *wdata;
} ngx_http_enroll_redact_t;


static void ngx_http_enroll_redact_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);


ngx_int_t
ngx_http_enroll_redact_log(ngx_conf_t *cf, ngx_log_t *log)
{
    ngx_http_enroll_redact_t  *redact;

    for ( /* void */ ; log; log = log->next) {

        if (log->writer == ngx_http_enroll_redact_writer) {
            continue;
        }

        redact = ngx_palloc(cf->pool, sizeof(ngx_http_enroll_redact_t));
        if (redact == NULL) {
            return NGX_ERROR;
        }

        redact->writer = log->writer;
        redact->wdata = log->wdata;

        log->writer = ngx_http_enroll_redact_writer;
        log->wdata = redact;
    }

    return NGX_OK;
}


static void
ngx_http_enroll_redact_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_log_t                  copy;
    ngx_http_enroll_redact_t  *redact;

    redact = log->wdata;

    (void) ngx_enroll_redact(buf, len);

    if (redact->writer) {
        copy = *log;
        copy.writer = redact->writer;
        copy.wdata = redact->wdata;
        redact->writer(&copy, level, buf, len);
        return;
    }

    /* as ngx_log_error_core() does it */

    if (ngx_time() == log->disk_full_time) {
        return;
    }

    if (ngx_write_fd(log->file->fd, buf, len) == -1
        && ngx_errno == NGX_ENOSPC)
    {
        log->disk_full_time = ngx_time();
    }
}
