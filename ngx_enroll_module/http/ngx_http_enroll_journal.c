
#include "ngx_http_enroll_journal.h"


static char *ngx_http_enroll_journal_durable(ngx_conf_t *cf,
    ngx_http_enroll_journal_t *journal, ngx_str_t *value);
static void ngx_http_enroll_journal_own(ngx_cycle_t *cycle,
    ngx_open_file_t *file);
static void ngx_http_enroll_journal_mend(ngx_http_enroll_journal_t *journal);
#if (NGX_THREADS)
static void ngx_http_enroll_journal_open(ngx_cycle_t *cycle,
    ngx_open_file_t *file);
#endif
static json_t *ngx_http_enroll_journal_record(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result, ngx_enroll_resp_t *event);
static json_t *ngx_http_enroll_journal_string(ngx_str_t *text);
static void ngx_http_enroll_journal_spent(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result, ngx_enroll_resp_t *event, json_t *json);
static ngx_err_t ngx_http_enroll_journal_line(ngx_open_file_t *file,
    ngx_http_enroll_outage_t *outage, json_t *json);
static ngx_err_t ngx_http_enroll_journal_append(ngx_open_file_t *file,
    ngx_http_enroll_outage_t *outage, char *text, size_t len);


char *
ngx_http_enroll_journal(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    ngx_str_t                  *value;
    ngx_http_enroll_journal_t  *journal;

    if (emcf->journal) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "names no file";
    }

    journal = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_journal_t));
    if (journal == NULL) {
        return NGX_CONF_ERROR;
    }

    journal->file = ngx_conf_open_file(cf->cycle, &value[1]);
    if (journal->file == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3
        && ngx_http_enroll_journal_durable(cf, journal, &value[2])
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_enroll_where(cf, &journal->where);
    emcf->journal = journal;

    return NGX_CONF_OK;
}


static char *
ngx_http_enroll_journal_durable(ngx_conf_t *cf,
    ngx_http_enroll_journal_t *journal, ngx_str_t *value)
{
    ngx_str_t  name;

    ngx_str_null(&name);

    if (value->len > 5 && ngx_strncmp(value->data, "sync=", 5) == 0) {
        name.data = value->data + 5;
        name.len = value->len - 5;

    } else if (value->len != 4 || ngx_strncmp(value->data, "sync", 4) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"sync\", or "
                           "\"sync=\" and the name of a thread_pool, may "
                           "follow the file", value);
        return NGX_CONF_ERROR;
    }

#if (NGX_THREADS)

    /* of a name that is not declared nginx itself says so */

    journal->threads = ngx_thread_pool_add(cf, name.len ? &name : NULL);
    journal->durable = 1;

    return journal->threads ? NGX_CONF_OK : NGX_CONF_ERROR;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"sync\" needs threads: build nginx and the module "
                       "with \"--with-threads\", or leave it out");

    return NGX_CONF_ERROR;

#endif
}


ngx_int_t
ngx_http_enroll_journal_init(ngx_conf_t *cf)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_enroll_module);

    if (emcf->journal == NULL) {
        return NGX_OK;
    }

    if (emcf->zone == NULL) {
        (void) ngx_http_enroll_conf_error(cf, &emcf->journal->where,
                   "\"enroll_journal\" needs a shared zone: say "
                   "\"enroll_zone enroll 10m\" in http");
        return NGX_ERROR;
    }

    if (emcf->journal->file->flush) {
        (void) ngx_http_enroll_conf_error(cf, &emcf->journal->where,
                   "the journal \"%V\" is an access_log, too: it needs a "
                   "file of its own", &emcf->journal->file->name);
        return NGX_ERROR;
    }

    emcf->journal->zone = emcf->zone;

    return NGX_OK;
}


ngx_int_t
ngx_http_enroll_journal_module(ngx_cycle_t *cycle)
{
    ngx_http_enroll_main_conf_t  *emcf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_enroll_module);

    if (emcf == NULL || emcf->journal == NULL) {
        return NGX_OK;
    }

    if (emcf->journal->durable) {
        ngx_http_enroll_journal_own(cycle, emcf->journal->file);
    }

    /* what a reload leaves as it is knows all of it, and more */

    if (emcf->zone->fresh) {
        ngx_http_enroll_rebuild(cycle, emcf->zone,
                                &emcf->journal->file->name);
    }

    return NGX_OK;
}


/*
 * A failure to write is told by the kernel once to each who opened the file:
 * so each worker opens it, and may, as after USR1.
 */

static void
ngx_http_enroll_journal_own(ngx_cycle_t *cycle, ngx_open_file_t *file)
{
    ngx_core_conf_t  *ccf;
    ngx_file_info_t   fi;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() != 0
        || ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT
        || ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR
        || !ngx_is_file(&fi)
        || fi.st_uid == ccf->user)
    {
        return;
    }

    if (fchown(file->fd, ccf->user, -1) == -1) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "fchown(\"%V\", %d) failed", &file->name, ccf->user);
    }
}


/* the worker before this one may have been killed while it wrote */

static void
ngx_http_enroll_journal_mend(ngx_http_enroll_journal_t *journal)
{
    u_char           last;
    ngx_fd_t         fd;
    ngx_uint_t       whole;
    ngx_file_info_t  fi;

    whole = 0;
    fd = ngx_open_file(journal->file->name.data,
                       NGX_FILE_RDONLY|NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        whole = ngx_fd_info(fd, &fi) != NGX_FILE_ERROR
                && (ngx_file_size(&fi) == 0
                    || (pread(fd, &last, 1, ngx_file_size(&fi) - 1) == 1
                        && last == '\n'));
        (void) ngx_close_file(fd);
    }

    if (!whole) {
        (void) ngx_atomic_fetch_add(
                    &ngx_http_enroll_zone_outage(journal->zone)->torn, 1);
    }
}


#if (NGX_THREADS)

/* a description of the worker's own, of the very file that master opened */

static void
ngx_http_enroll_journal_open(ngx_cycle_t *cycle, ngx_open_file_t *file)
{
    ngx_fd_t         fd;
    ngx_file_info_t  ours, masters;

    fd = ngx_open_file(file->name.data, NGX_FILE_APPEND, 0, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "enroll: a worker cannot open the journal \"%V\": of "
                      "several workers one may not hear that the disk failed",
                      &file->name);
        return;
    }

    if (ngx_fd_info(fd, &ours) == NGX_FILE_ERROR
        || ngx_fd_info(file->fd, &masters) == NGX_FILE_ERROR
        || ours.st_dev != masters.st_dev
        || ours.st_ino != masters.st_ino
        || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
    {
        /* it is just being rotated, and opened again in a moment */
        (void) ngx_close_file(fd);
        return;
    }

    (void) ngx_close_file(file->fd);
    file->fd = fd;
}

#endif


ngx_int_t
ngx_http_enroll_journal_process(ngx_cycle_t *cycle)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_enroll_module);

    if (emcf == NULL
        || emcf->journal == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_http_enroll_journal_mend(emcf->journal);

#if (NGX_THREADS)

    if (emcf->journal->durable) {
        ngx_http_enroll_journal_open(cycle, emcf->journal->file);

        emcf->journal->sync = ngx_http_enroll_sync_create(cycle,
                                                          emcf->journal);

        return emcf->journal->sync ? NGX_OK : NGX_ERROR;
    }

#endif

    return NGX_OK;
}


ngx_int_t
ngx_http_enroll_journal_write(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_err_t                     err;
    ngx_uint_t                    i;
    ngx_http_enroll_outage_t     *outage;
    ngx_http_enroll_journal_t    *journal;
    ngx_http_enroll_main_conf_t  *emcf;

    if (result->nevents == 0) {
        return NGX_OK;
    }

    emcf = ngx_http_cycle_get_module_main_conf((ngx_cycle_t *) ngx_cycle,
                                               ngx_http_enroll_module);
    journal = emcf->journal;

    if (journal == NULL) {
        /* without a master, after a reload that took it away */
        return NGX_OK;
    }

    outage = ngx_http_enroll_zone_outage(journal->zone);
    err = 0;

#if (NGX_THREADS)

    if (journal->sync && ngx_http_enroll_sync_stuck(journal->sync)) {
        err = NGX_ETIMEDOUT;
    }

#endif

    for (i = 0; i < result->nevents && err == 0; i++) {
        err = ngx_http_enroll_journal_line(journal->file, outage,
                  ngx_http_enroll_journal_record(call, result,
                                                 &result->events[i]));
    }

    if (err) {
        ngx_http_enroll_journal_told(journal, err);
        return NGX_ERROR;
    }

#if (NGX_THREADS)

    if (journal->sync) {
        return ngx_http_enroll_sync_join(journal->sync, call);
    }

#endif

    ngx_http_enroll_journal_told(journal, 0);

    return NGX_OK;
}


void
ngx_http_enroll_journal_told(ngx_http_enroll_journal_t *journal,
    ngx_err_t err)
{
    ngx_str_t                 *name;
    ngx_http_enroll_outage_t  *outage;

    outage = ngx_http_enroll_zone_outage(journal->zone);
    name = &journal->file->name;

    if (err) {
        ngx_http_enroll_zone_count(journal->zone,
                                   NGX_HTTP_ENROLL_COUNT_JOURNAL_FAILED);

        if (ngx_atomic_cmp_set(&outage->lasts, 0, 1)) {
            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, err,
                          "enroll: the journal \"%V\" cannot be written: "
                          "nothing is granted until it can", name);
        }

        return;
    }

    if (outage->lasts && ngx_atomic_cmp_set(&outage->lasts, 1, 0)) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "enroll: the journal \"%V\" is written again", name);
    }
}


/* the event as in the stream, and where it was told; NULL: no memory */

static json_t *
ngx_http_enroll_journal_record(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result, ngx_enroll_resp_t *event)
{
    json_t      *json;
    ngx_uint_t   i;

    json = json_object();

    for (i = 0; i + 1 < event->nelts; i += 2) {

        /* NUL-terminated: the reply's strings are */

        (void) json_object_set_new(json, (char *) event->elts[i].str.data,
                   ngx_http_enroll_journal_string(&event->elts[i + 1].str));
    }

    (void) json_object_set_new(json, "partition",
               json_sprintf("%lu", (unsigned long) call->partition));
    (void) json_object_set_new(json, "host",
               ngx_http_enroll_journal_string(
                                        (ngx_str_t *) &ngx_cycle->hostname));

    ngx_http_enroll_journal_spent(call, result, event, json);

    return json;
}


/* who writes Redis may have written anything */

static json_t *
ngx_http_enroll_journal_string(ngx_str_t *text)
{
    u_char  *p;
    json_t  *json;

    json = json_stringn((char *) text->data, text->len);

    if (json) {
        return json;
    }

    for (p = text->data; p < text->data + text->len; p++) {
        if (*p >= 0x80) {
            *p = '?';
        }
    }

    return json_stringn((char *) text->data, text->len);
}


/* what a tombstone is made of */

static void
ngx_http_enroll_journal_spent(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result, ngx_enroll_resp_t *event, json_t *json)
{
    int64_t    until;
    ngx_str_t  id, to;

    id = ngx_enroll_call_field(event, "id");
    to = ngx_enroll_call_field(event, "to");

    if (ngx_http_enroll_observe_spent(&to) == NGX_ENROLL_OK) {
        return;
    }

    if (id.len == NGX_ENROLL_HEX_LEN
        && ngx_memcmp(id.data, call->id, NGX_ENROLL_HEX_LEN) == 0)
    {
        until = result->now + ngx_http_enroll_observe_keep(result);

        (void) json_object_set_new(json, "session",
                   ngx_http_enroll_journal_string(&result->session));

    } else {
        until = result->now + NGX_HTTP_ENROLL_KEEP_UNKNOWN;
    }

    (void) json_object_set_new(json, "keep_until",
                               json_sprintf("%lld", (long long) until));
}


static ngx_err_t
ngx_http_enroll_journal_line(ngx_open_file_t *file,
    ngx_http_enroll_outage_t *outage, json_t *json)
{
    char       *text;
    ngx_err_t   err;

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);

    if (text == NULL) {
        return NGX_ENOMEM;
    }

    err = ngx_http_enroll_journal_append(file, outage, text,
                                         ngx_strlen(text));
    free(text);

    return err;
}


/* text has a NUL at its end, which makes room for the line's */

static ngx_err_t
ngx_http_enroll_journal_append(ngx_open_file_t *file,
    ngx_http_enroll_outage_t *outage, char *text, size_t len)
{
    ssize_t            n;
    ngx_atomic_uint_t  torn;

    torn = outage->torn;

    if (torn) {
        if (ngx_write_fd(file->fd, "\n", 1) != 1) {
            return ngx_errno;
        }

        (void) ngx_atomic_cmp_set(&outage->torn, torn, 0);
    }

    text[len++] = '\n';

    n = ngx_write_fd(file->fd, text, len);

    if (n == (ssize_t) len) {
        return 0;
    }

    if (n == -1) {
        return ngx_errno;
    }

    (void) ngx_atomic_fetch_add(&outage->torn, 1);

    return NGX_ENOSPC;
}
