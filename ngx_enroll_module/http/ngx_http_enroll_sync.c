
/*
 * A line is on the disk before its call goes on. While one fdatasync() runs,
 * in a thread, the lines that are written meanwhile wait for the next one,
 * which serves them all.
 */

#include "ngx_http_enroll_journal.h"


#if (NGX_THREADS)

#define NGX_HTTP_ENROLL_SYNC_LIMIT  10000      /* ms that a call waits */


/* what the thread works on */
typedef struct {
    ngx_fd_t                 fds[2];         /* two: it was rotated between */
    ngx_uint_t               n;
    ngx_err_t                err;
} ngx_http_enroll_sync_files_t;


/* one who waits, in its call's pool */
typedef struct {
    ngx_queue_t              queue;
    ngx_enroll_call_t       *call;
} ngx_http_enroll_sync_call_t;


struct ngx_http_enroll_sync_s {
    ngx_http_enroll_journal_t      *journal;
    ngx_thread_task_t               task;
    ngx_event_t                     timer;

    ngx_queue_t                     running; /* calls of the one that runs */
    ngx_http_enroll_sync_files_t    files;

    ngx_queue_t                     waiting; /* … of the next one */
    ngx_http_enroll_sync_files_t    next;

    unsigned                        current:1;  /* next has the file as it is
                                                   open now */
    unsigned                        busy:1;
    unsigned                        stuck:1;
};


static void ngx_http_enroll_sync_reopen(ngx_open_file_t *file,
    ngx_log_t *log);
static ngx_int_t ngx_http_enroll_sync_add(ngx_http_enroll_sync_t *sync);
static ngx_int_t ngx_http_enroll_sync_start(ngx_http_enroll_sync_t *sync);
static void ngx_http_enroll_sync_thread(void *data, ngx_log_t *log);
static void ngx_http_enroll_sync_done(ngx_event_t *ev);
static void ngx_http_enroll_sync_timeout(ngx_event_t *ev);
static void ngx_http_enroll_sync_move(ngx_queue_t *from, ngx_queue_t *to);
static void ngx_http_enroll_sync_end(ngx_http_enroll_sync_t *sync,
    ngx_queue_t *calls, ngx_err_t err);
static void ngx_http_enroll_sync_cleanup(void *data);


ngx_http_enroll_sync_t *
ngx_http_enroll_sync_create(ngx_cycle_t *cycle,
    ngx_http_enroll_journal_t *journal)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_enroll_sync_t  *sync;

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    sync = ngx_calloc(sizeof(ngx_http_enroll_sync_t), cycle->log);

    if (cln == NULL || sync == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_enroll_sync_cleanup;
    cln->data = sync;

    sync->journal = journal;

    ngx_queue_init(&sync->running);
    ngx_queue_init(&sync->waiting);

    sync->task.ctx = &sync->files;
    sync->task.handler = ngx_http_enroll_sync_thread;
    sync->task.event.handler = ngx_http_enroll_sync_done;
    sync->task.event.data = sync;
    sync->task.event.log = cycle->log;

    sync->timer.handler = ngx_http_enroll_sync_timeout;
    sync->timer.data = sync;
    sync->timer.log = cycle->log;

    journal->file->flush = ngx_http_enroll_sync_reopen;
    journal->file->data = sync;

    return sync;
}


/* USR1: what is written from now on goes to another file */

static void
ngx_http_enroll_sync_reopen(ngx_open_file_t *file, ngx_log_t *log)
{
    ngx_http_enroll_sync_t  *sync;

    sync = file->data;
    sync->current = 0;
}


ngx_uint_t
ngx_http_enroll_sync_stuck(ngx_http_enroll_sync_t *sync)
{
    return sync->stuck;
}


ngx_int_t
ngx_http_enroll_sync_join(ngx_http_enroll_sync_t *sync,
    ngx_enroll_call_t *call)
{
    ngx_http_enroll_sync_call_t  *waits;

    waits = NULL;

    if (call->handler) {
        waits = ngx_palloc(call->pool, sizeof(ngx_http_enroll_sync_call_t));

        if (waits == NULL) {
            ngx_http_enroll_journal_told(sync->journal, NGX_ENOMEM);
            return NGX_ERROR;
        }

        waits->call = call;
    }

    if (ngx_http_enroll_sync_add(sync) != NGX_OK) {
        ngx_http_enroll_journal_told(sync->journal, ngx_errno);
        return NGX_ERROR;
    }

    if (waits) {
        ngx_queue_insert_tail(&sync->waiting, &waits->queue);
    }

    if (sync->busy || ngx_http_enroll_sync_start(sync) == NGX_OK) {
        return waits ? NGX_AGAIN : NGX_OK;
    }

    /* nobody else has waited for that one */

    if (waits) {
        ngx_queue_remove(&waits->queue);
    }

    ngx_http_enroll_journal_told(sync->journal, sync->files.err);

    return NGX_ERROR;
}


/* the thread's own handle: ours may be closed while it works */

static ngx_int_t
ngx_http_enroll_sync_add(ngx_http_enroll_sync_t *sync)
{
    ngx_fd_t                       fd;
    ngx_http_enroll_sync_files_t  *next;

    next = &sync->next;

    if (sync->current && next->n) {
        return NGX_OK;
    }

    if (next->n == sizeof(next->fds) / sizeof(next->fds[0])) {
        /* rotated twice while one fdatasync() runs */
        ngx_set_errno(NGX_EBUSY);
        return NGX_ERROR;
    }

    fd = fcntl(sync->journal->file->fd, F_DUPFD_CLOEXEC, 0);

    if (fd == -1) {
        return NGX_ERROR;
    }

    next->fds[next->n++] = fd;
    sync->current = 1;

    return NGX_OK;
}


/* NGX_ERROR: err says why, and those who are running do not */

static ngx_int_t
ngx_http_enroll_sync_start(ngx_http_enroll_sync_t *sync)
{
    ngx_uint_t  i;

    if (sync->next.n == 0) {
        return NGX_OK;
    }

    sync->files = sync->next;
    sync->files.err = 0;
    sync->next.n = 0;

    ngx_http_enroll_sync_move(&sync->waiting, &sync->running);

    if (ngx_thread_task_post(sync->journal->threads, &sync->task) == NGX_OK) {
        sync->busy = 1;

        /* a worker on its leave waits for it, too */
        ngx_add_timer(&sync->timer, NGX_HTTP_ENROLL_SYNC_LIMIT);

        return NGX_OK;
    }

    for (i = 0; i < sync->files.n; i++) {
        (void) ngx_close_file(sync->files.fds[i]);
    }

    sync->files.err = NGX_EAGAIN;

    return NGX_ERROR;
}


static void
ngx_http_enroll_sync_thread(void *data, ngx_log_t *log)
{
    ngx_http_enroll_sync_files_t *files = data;

    ngx_uint_t  i;

    for (i = 0; i < files->n; i++) {

        if (fdatasync(files->fds[i]) == -1 && files->err == 0) {
            files->err = ngx_errno;
        }

        (void) ngx_close_file(files->fds[i]);
    }
}


static void
ngx_http_enroll_sync_done(ngx_event_t *ev)
{
    ngx_err_t                err;
    ngx_queue_t              done, failed;
    ngx_http_enroll_sync_t  *sync;

    sync = ev->data;
    sync->busy = 0;
    sync->stuck = 0;
    err = sync->files.err;

    if (sync->timer.timer_set) {
        ngx_del_timer(&sync->timer);
    }

    ngx_queue_init(&done);
    ngx_queue_init(&failed);
    ngx_http_enroll_sync_move(&sync->running, &done);

    /* the disk is not to be idle while these go on */

    if (ngx_http_enroll_sync_start(sync) != NGX_OK) {
        ngx_http_enroll_sync_move(&sync->running, &failed);
    }

    if (err == 0) {
        ngx_http_enroll_journal_told(sync->journal, 0);
    }

    ngx_http_enroll_sync_end(sync, &done, err);
    ngx_http_enroll_sync_end(sync, &failed, NGX_EAGAIN);
}


/* who waits longer than that is better told so */

static void
ngx_http_enroll_sync_timeout(ngx_event_t *ev)
{
    ngx_queue_t              calls;
    ngx_http_enroll_sync_t  *sync;

    sync = ev->data;
    sync->stuck = 1;

    ngx_queue_init(&calls);
    ngx_http_enroll_sync_move(&sync->running, &calls);
    ngx_http_enroll_sync_move(&sync->waiting, &calls);

    ngx_http_enroll_sync_end(sync, &calls, NGX_ETIMEDOUT);
}


static void
ngx_http_enroll_sync_move(ngx_queue_t *from, ngx_queue_t *to)
{
    if (!ngx_queue_empty(from)) {
        ngx_queue_add(to, from);
        ngx_queue_init(from);
    }
}


static void
ngx_http_enroll_sync_end(ngx_http_enroll_sync_t *sync, ngx_queue_t *calls,
    ngx_err_t err)
{
    ngx_queue_t                  *q;
    ngx_http_enroll_sync_call_t  *waits;

    while (!ngx_queue_empty(calls)) {
        q = ngx_queue_head(calls);
        ngx_queue_remove(q);

        if (err) {
            ngx_http_enroll_journal_told(sync->journal, err);
        }

        waits = ngx_queue_data(q, ngx_http_enroll_sync_call_t, queue);
        ngx_enroll_call_go_on(waits->call, err ? NGX_ERROR : NGX_OK);
    }
}


/*
 * A worker leaves, and no thread is at work any more; or, without a master,
 * the configuration of before has gone.
 */

static void
ngx_http_enroll_sync_cleanup(void *data)
{
    ngx_http_enroll_sync_t *sync = data;

    ngx_queue_t                  *q;
    ngx_http_enroll_sync_call_t  *waits;

    ngx_http_enroll_sync_move(&sync->running, &sync->waiting);

    while (!ngx_queue_empty(&sync->waiting)) {
        q = ngx_queue_head(&sync->waiting);
        ngx_queue_remove(q);

        waits = ngx_queue_data(q, ngx_http_enroll_sync_call_t, queue);
        ngx_enroll_call_free(waits->call);
    }

    if (!sync->busy || ngx_quit || ngx_exiting || ngx_terminate) {
        ngx_free(sync);
    }
}

#endif
