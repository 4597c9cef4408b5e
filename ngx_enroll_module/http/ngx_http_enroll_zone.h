
/*
 * The shared zone: tombstones of tokens that this host saw spent or ended,
 * sessions that were checked a moment ago, and counters.
 */

#ifndef _NGX_HTTP_ENROLL_ZONE_H_INCLUDED_
#define _NGX_HTTP_ENROLL_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_enroll_keys.h"
#include "ngx_enroll_ledger.h"
#include "ngx_enroll_reason.h"


/* what happened, as events and outcomes; the status page's names for them */
typedef enum {
    NGX_HTTP_ENROLL_COUNT_ISSUE = 0,
    NGX_HTTP_ENROLL_COUNT_REDEEM,
    NGX_HTTP_ENROLL_COUNT_BEGIN,
    NGX_HTTP_ENROLL_COUNT_CLAIM,
    NGX_HTTP_ENROLL_COUNT_ENROLLED,
    NGX_HTTP_ENROLL_COUNT_REFUSED,
    NGX_HTTP_ENROLL_COUNT_UNKNOWN,
    NGX_HTTP_ENROLL_COUNT_RELEASED,
    NGX_HTTP_ENROLL_COUNT_EXPIRE,
    NGX_HTTP_ENROLL_COUNT_REVOKE,
    NGX_HTTP_ENROLL_COUNT_LOCK,
    NGX_HTTP_ENROLL_COUNT_FENCE,
    NGX_HTTP_ENROLL_COUNT_TOMBSTONE,         /* replays met by a tombstone */
    NGX_HTTP_ENROLL_COUNT_CACHE,             /* pages met by the cache */
    NGX_HTTP_ENROLL_COUNT_EVICTED,           /* entries that gave way */
    NGX_HTTP_ENROLL_COUNT_NOTIFIED,          /* events acknowledged */
    NGX_HTTP_ENROLL_COUNT_NOTIFY_FAILED,     /* tries that were not */
    NGX_HTTP_ENROLL_COUNT_JOURNAL_FAILED,    /* calls that were not written */
    NGX_HTTP_ENROLL_COUNT_UNREPLICATED,      /* that too few replicas had */
    NGX_HTTP_ENROLL_COUNTS
} ngx_http_enroll_count_e;

/* their names; up to "lock" they are those of events and outcomes */
extern const ngx_str_t  ngx_http_enroll_count_names[NGX_HTTP_ENROLL_COUNTS];


typedef struct ngx_http_enroll_zone_sh_s  ngx_http_enroll_zone_sh_t;

typedef struct {
    ngx_http_enroll_zone_sh_t  *sh;
    ngx_slab_pool_t            *shpool;
    ngx_shm_zone_t             *shm_zone;
    ngx_uint_t                  fresh;       /* 1: it was empty at first */
} ngx_http_enroll_zone_t;


/* What is remembered of a live session. */
typedef struct {
    ngx_str_t   subject;
    ngx_str_t   class;
    ngx_str_t   proof;
} ngx_http_enroll_facts_t;


/* What the workers of a host know of the journal. */
typedef struct {
    ngx_atomic_t   lasts;                    /* 1: an outage, and it was told */
    ngx_atomic_t   torn;                     /* not 0: the last line may have
                                                no end */
} ngx_http_enroll_outage_t;


char *ngx_http_enroll_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Remembers that the token is redeemed (by the session of that digest) or
 * has come to an end, for so many milliseconds. An end is never forgotten
 * for a mere redemption.
 */
void ngx_http_enroll_zone_note(ngx_http_enroll_zone_t *zone,
    const u_char *id, ngx_enroll_reason_e state, const u_char *session,
    ngx_msec_t keep);

/*
 * The session was just checked: for so many milliseconds it need not be
 * again. facts NULL: it has to be asked for again at once.
 */
void ngx_http_enroll_zone_cache(ngx_http_enroll_zone_t *zone,
    const u_char *id, const ngx_http_enroll_facts_t *facts, ngx_msec_t keep);

/*
 * What the zone knows of one who bears this id and session digest:
 * NGX_ENROLL_OK (checked a moment ago; facts are copied into pool),
 * NGX_ENROLL_AGAIN (ask the ledger), or why not. facts may be NULL.
 */
ngx_enroll_reason_e ngx_http_enroll_zone_find(ngx_http_enroll_zone_t *zone,
    const u_char *id, const u_char *session, ngx_pool_t *pool,
    ngx_http_enroll_facts_t *facts);

/*
 * A token that is redeemed or enrolled was presented again: 1 the first time
 * that it is said of it on this host.
 */
ngx_uint_t ngx_http_enroll_zone_replayed(ngx_http_enroll_zone_t *zone,
    const u_char *id);

/*
 * With the zone's mutex held: what issuers' rates hang on, and room for more
 * of it, for which the oldest entries give way; NULL: there is none.
 */
ngx_queue_t *ngx_http_enroll_zone_rates(ngx_http_enroll_zone_t *zone);
void *ngx_http_enroll_zone_room(ngx_http_enroll_zone_t *zone, size_t size);

/*
 * The highest epoch and seq that this host has seen of each partition of the
 * ledger of that name (NGX_ENROLL_DIGEST_LEN bytes, which tell it and the
 * number of its partitions from others): what it must not know less than
 * (I10). Stays where it is. NULL: there is no room.
 */
ngx_enroll_seen_t *ngx_http_enroll_zone_seen(ngx_http_enroll_zone_t *zone,
    const u_char *name, ngx_uint_t partitions);

ngx_http_enroll_outage_t *ngx_http_enroll_zone_outage(
    ngx_http_enroll_zone_t *zone);

void ngx_http_enroll_zone_count(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_count_e count);
void ngx_http_enroll_zone_count_refused(ngx_http_enroll_zone_t *zone,
    ngx_enroll_reason_e reason);


typedef struct {
    ngx_uint_t   counts[NGX_HTTP_ENROLL_COUNTS];
    ngx_uint_t   refused[NGX_ENROLL_REASONS];
    ngx_uint_t   entries;
    size_t       size;                       /* bytes */
    size_t       free;                       /* bytes, in whole pages */
} ngx_http_enroll_zone_stat_t;

void ngx_http_enroll_zone_stat(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_zone_stat_t *stat);


#endif /* _NGX_HTTP_ENROLL_ZONE_H_INCLUDED_ */
