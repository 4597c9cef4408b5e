
/*
 * nginx itself writes request lines to its error log and, at debug level,
 * every header. Whatever looks like a token or a session is masked on its
 * way there (I5).
 */

#include "ngx_http_enroll_module.h"
#include "ngx_enroll_redact.h"


typedef struct {
    ngx_log_t          *log;
    ngx_log_writer_pt   writer;            /* NULL: a plain file */
    void               *wdata;
} ngx_http_enroll_redact_t;


static void ngx_http_enroll_redact_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_http_enroll_redact_cleanup(void *data);


ngx_int_t
ngx_http_enroll_redact_log(ngx_conf_t *cf, ngx_log_t *log)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_enroll_redact_t     *redact, **slot;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    for ( /* void */ ; log; log = log->next) {

        if (log->writer == ngx_http_enroll_redact_writer) {
            continue;
        }

        cln = ngx_pool_cleanup_add(cf->pool,
                                   sizeof(ngx_http_enroll_redact_t));
        slot = ngx_array_push(&emcf->logs);
        if (cln == NULL || slot == NULL) {
            return NGX_ERROR;
        }

        redact = cln->data;
        *slot = redact;
        cln->handler = ngx_http_enroll_redact_cleanup;

        redact->log = log;
        redact->writer = log->writer;
        redact->wdata = log->wdata;

        log->writer = ngx_http_enroll_redact_writer;
        log->wdata = redact;
    }

    return NGX_OK;
}


/*
 * nginx writes its last lines after this module was unloaded, and to a copy
 * of a log that it made before that: a writer of ours must not be in them.
 */

void
ngx_http_enroll_redact_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_enroll_redact_t     **redact;
    ngx_http_enroll_main_conf_t   *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_enroll_module);

    if (emcf == NULL) {
        return;
    }

    redact = emcf->logs.elts;

    for (i = 0; i < emcf->logs.nelts; i++) {
        ngx_http_enroll_redact_cleanup(redact[i]);
    }
}


static void
ngx_http_enroll_redact_cleanup(void *data)
{
    ngx_http_enroll_redact_t *redact = data;

    redact->log->writer = redact->writer;
    redact->log->wdata = redact->wdata;
}


static void
ngx_http_enroll_redact_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_log_t                  copy;
    ngx_http_enroll_redact_t  *redact;

    redact = log->wdata;

    (void) ngx_enroll_redact(buf, len, NGX_ENROLL_REDACT_LOG);

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
