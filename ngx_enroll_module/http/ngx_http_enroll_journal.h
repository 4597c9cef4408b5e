
/*
 * The journal: what the ledger's scripts tell, in a file of this host's, as
 * one line of JSON an event, before anybody acts upon it. It is there still
 * when Redis has forgotten.
 *
 * A line that the disk had no room for is torn, and the next one begins on a
 * line of its own. Where two workers write at that very moment it may not:
 * so a record begins at the last {" of its line, which stands in no string.
 */

#ifndef _NGX_HTTP_ENROLL_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_ENROLL_JOURNAL_H_INCLUDED_


#include "ngx_http_enroll_module.h"


typedef struct ngx_http_enroll_sync_s  ngx_http_enroll_sync_t;

struct ngx_http_enroll_journal_s {
    ngx_open_file_t            *file;
    ngx_http_enroll_zone_t     *zone;
    ngx_uint_t                  durable;   /* 1: on the disk, too */
#if (NGX_THREADS)
    ngx_thread_pool_t          *threads;
    ngx_http_enroll_sync_t     *sync;      /* the worker's; where durable */
#endif
    ngx_http_enroll_where_t     where;
};


/*
 * The ledger's journal: writes the result's events. NGX_OK, NGX_ERROR, or,
 * where the call is to wait until they are on the disk, NGX_AGAIN.
 */
ngx_int_t ngx_http_enroll_journal_write(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);

/*
 * What has become of what was written: err 0, or why it is not there. An
 * outage is told once on this host, and so is its end.
 */
void ngx_http_enroll_journal_told(ngx_http_enroll_journal_t *journal,
    ngx_err_t err);


/* sync: a line is on the disk before its call goes on */

#if (NGX_THREADS)

/* The worker's own; NULL: no memory. */
ngx_http_enroll_sync_t *ngx_http_enroll_sync_create(ngx_cycle_t *cycle,
    ngx_http_enroll_journal_t *journal);

/*
 * A line was written. Where somebody waits for its call: NGX_AGAIN, and
 * ngx_enroll_call_go_on() follows; otherwise NGX_OK. NGX_ERROR: it is not
 * known when, or whether, it will be on the disk.
 */
ngx_int_t ngx_http_enroll_sync_join(ngx_http_enroll_sync_t *sync,
    ngx_enroll_call_t *call);

/* The disk has not answered for long: what is written now may block. */
ngx_uint_t ngx_http_enroll_sync_stuck(ngx_http_enroll_sync_t *sync);

#endif


/* rebuild: tombstones from the journal, when nginx starts */

/* Reads the file of before its rotation, then the file. */
void ngx_http_enroll_rebuild(ngx_cycle_t *cycle,
    ngx_http_enroll_zone_t *zone, ngx_str_t *file);


#endif /* _NGX_HTTP_ENROLL_JOURNAL_H_INCLUDED_ */
