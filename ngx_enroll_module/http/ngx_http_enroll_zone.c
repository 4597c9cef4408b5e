
#include "ngx_http_enroll_module.h"

#include <openssl/crypto.h>


#define NGX_HTTP_ENROLL_ZONE_MIN  (8 * ngx_pagesize)


typedef struct {
    ngx_str_node_t        sn;                /* str: the id */
    ngx_queue_t           queue;             /* least recently used last */
    u_char                id[NGX_ENROLL_DIGEST_LEN];
    u_char                session[NGX_ENROLL_DIGEST_LEN];
    ngx_enroll_reason_e   state;
    ngx_uint_t            replayed;          /* and the ledger was told */
    ngx_msec_t            until;
    ngx_msec_t            checked;           /* facts are good until then */
    u_char               *facts;             /* NULL: there are none */
    size_t                subject_len;
    size_t                class_len;
    size_t                proof_len;
} ngx_http_enroll_entry_t;


typedef struct {
    ngx_queue_t           queue;
    u_char                name[NGX_ENROLL_DIGEST_LEN];
    ngx_enroll_seen_t     seen[1];           /* of each partition */
} ngx_http_enroll_zone_ledger_t;


struct ngx_http_enroll_zone_sh_s {
    ngx_rbtree_t          rbtree;
    ngx_rbtree_node_t     sentinel;
    ngx_queue_t           queue;
    ngx_queue_t           rates;             /* of issuers */
    ngx_uint_t            entries;
    ngx_atomic_t          counts[NGX_HTTP_ENROLL_COUNTS];
    ngx_atomic_t          refused[NGX_ENROLL_REASONS];
    ngx_queue_t           ledgers;           /* what was seen of them */
    ngx_http_enroll_outage_t  outage;        /* the journal's */
};


static ngx_int_t ngx_http_enroll_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static uint32_t ngx_http_enroll_zone_hash(const u_char *id);
static ngx_http_enroll_entry_t *ngx_http_enroll_zone_lookup(
    ngx_http_enroll_zone_t *zone, const u_char *id);
static ngx_http_enroll_entry_t *ngx_http_enroll_zone_add(
    ngx_http_enroll_zone_t *zone, const u_char *id);
static void *ngx_http_enroll_zone_alloc(ngx_http_enroll_zone_t *zone,
    size_t size, ngx_http_enroll_entry_t *keep);
static void ngx_http_enroll_zone_delete(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_entry_t *entry);
static void ngx_http_enroll_zone_drop_facts(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_entry_t *entry);
static ngx_enroll_reason_e ngx_http_enroll_zone_facts(
    ngx_http_enroll_entry_t *entry, ngx_pool_t *pool,
    ngx_http_enroll_facts_t *facts);


const ngx_str_t  ngx_http_enroll_count_names[NGX_HTTP_ENROLL_COUNTS] = {
    ngx_string("issue"),
    ngx_string("redeem"),
    ngx_string("begin"),
    ngx_string("claim"),
    ngx_string("enrolled"),
    ngx_string("refused"),
    ngx_string("unknown"),
    ngx_string("released"),
    ngx_string("expire"),
    ngx_string("revoke"),
    ngx_string("lock"),
    ngx_string("fence"),
    ngx_string("tombstone"),
    ngx_string("cache"),
    ngx_string("evicted"),
    ngx_string("notified"),
    ngx_string("notify_failed"),
    ngx_string("journal_failed"),
    ngx_string("unreplicated")
};


char *
ngx_http_enroll_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_enroll_main_conf_t  *emcf = conf;

    ssize_t                  size;
    ngx_str_t               *value;
    ngx_shm_zone_t          *shm_zone;
    ngx_http_enroll_zone_t  *zone;

    if (emcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[2]);

    if (size < (ssize_t) NGX_HTTP_ENROLL_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of enroll_zone \"%V\": at "
                           "least %uzk are needed, 10m is a good start",
                           &value[2], &value[1],
                           NGX_HTTP_ENROLL_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_enroll_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &value[1], size,
                                     &ngx_http_enroll_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_enroll_zone_init;
    shm_zone->data = zone;
    zone->shm_zone = shm_zone;
    emcf->zone = zone;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_enroll_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_enroll_zone_t  *old = data;

    ngx_http_enroll_zone_t  *zone;

    zone = shm_zone->data;

    if (old) {
        zone->sh = old->sh;
        zone->shpool = old->shpool;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    zone->sh = ngx_slab_calloc(zone->shpool,
                               sizeof(ngx_http_enroll_zone_sh_t));
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    zone->shpool->data = zone->sh;
    zone->shpool->log_nomem = 0;

    ngx_rbtree_init(&zone->sh->rbtree, &zone->sh->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&zone->sh->queue);
    ngx_queue_init(&zone->sh->rates);
    ngx_queue_init(&zone->sh->ledgers);

    zone->fresh = 1;

    return NGX_OK;
}


ngx_enroll_seen_t *
ngx_http_enroll_zone_seen(ngx_http_enroll_zone_t *zone, const u_char *name,
    ngx_uint_t partitions)
{
    size_t                          size;
    ngx_queue_t                    *q;
    ngx_http_enroll_zone_ledger_t  *ledger;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (q = ngx_queue_head(&zone->sh->ledgers);
         q != ngx_queue_sentinel(&zone->sh->ledgers);
         q = ngx_queue_next(q))
    {
        ledger = ngx_queue_data(q, ngx_http_enroll_zone_ledger_t, queue);

        if (ngx_memcmp(ledger->name, name, NGX_ENROLL_DIGEST_LEN) == 0) {
            goto found;
        }
    }

    size = offsetof(ngx_http_enroll_zone_ledger_t, seen)
           + partitions * sizeof(ngx_enroll_seen_t);

    /* without it nothing works; others of its size may take many places */

    do {
        ledger = ngx_http_enroll_zone_room(zone, size);
    } while (ledger == NULL && !ngx_queue_empty(&zone->sh->queue));

    if (ledger) {
        ngx_memzero(ledger, size);
        ngx_memcpy(ledger->name, name, NGX_ENROLL_DIGEST_LEN);
        ngx_queue_insert_tail(&zone->sh->ledgers, &ledger->queue);
    }

found:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return ledger ? ledger->seen : NULL;
}


ngx_http_enroll_outage_t *
ngx_http_enroll_zone_outage(ngx_http_enroll_zone_t *zone)
{
    return &zone->sh->outage;
}


void
ngx_http_enroll_zone_note(ngx_http_enroll_zone_t *zone, const u_char *id,
    ngx_enroll_reason_e state, const u_char *session, ngx_msec_t keep)
{
    ngx_http_enroll_entry_t  *entry;

    ngx_shmtx_lock(&zone->shpool->mutex);

    entry = ngx_http_enroll_zone_add(zone, id);

    if (entry == NULL
        || (entry->state != NGX_ENROLL_OK
            && entry->state != NGX_ENROLL_REDEEMED
            && state == NGX_ENROLL_REDEEMED))
    {
        goto done;
    }

    entry->state = state;
    entry->until = ngx_current_msec + keep;

    if (session) {
        ngx_memcpy(entry->session, session, NGX_ENROLL_DIGEST_LEN);
    }

    if (state != NGX_ENROLL_REDEEMED) {
        ngx_http_enroll_zone_drop_facts(zone, entry);
    }

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_enroll_zone_cache(ngx_http_enroll_zone_t *zone, const u_char *id,
    const ngx_http_enroll_facts_t *facts, ngx_msec_t keep)
{
    u_char                   *p;
    ngx_http_enroll_entry_t  *entry;

    ngx_shmtx_lock(&zone->shpool->mutex);

    entry = ngx_http_enroll_zone_lookup(zone, id);

    if (entry == NULL) {
        goto done;
    }

    ngx_http_enroll_zone_drop_facts(zone, entry);

    if (facts == NULL || keep == 0 || entry->state != NGX_ENROLL_REDEEMED) {
        goto done;
    }

    p = ngx_http_enroll_zone_alloc(zone, facts->subject.len
                                         + facts->class.len
                                         + facts->proof.len + 1, entry);
    if (p == NULL) {
        goto done;
    }

    entry->facts = p;
    entry->checked = ngx_current_msec + keep;
    entry->subject_len = facts->subject.len;
    entry->class_len = facts->class.len;
    entry->proof_len = facts->proof.len;

    p = ngx_cpymem(p, facts->subject.data, facts->subject.len);
    p = ngx_cpymem(p, facts->class.data, facts->class.len);
    ngx_memcpy(p, facts->proof.data, facts->proof.len);

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_enroll_reason_e
ngx_http_enroll_zone_find(ngx_http_enroll_zone_t *zone, const u_char *id,
    const u_char *session, ngx_pool_t *pool, ngx_http_enroll_facts_t *facts)
{
    ngx_enroll_reason_e       reason;
    ngx_http_enroll_entry_t  *entry;

    reason = NGX_ENROLL_AGAIN;

    ngx_shmtx_lock(&zone->shpool->mutex);

    entry = ngx_http_enroll_zone_lookup(zone, id);

    if (entry == NULL) {
        goto done;
    }

    if ((ngx_msec_int_t) (entry->until - ngx_current_msec) <= 0) {
        ngx_http_enroll_zone_delete(zone, entry);
        goto done;
    }

    ngx_queue_remove(&entry->queue);
    ngx_queue_insert_head(&zone->sh->queue, &entry->queue);

    if (entry->state != NGX_ENROLL_REDEEMED) {
        reason = entry->state;

    } else if (CRYPTO_memcmp(entry->session, session, NGX_ENROLL_DIGEST_LEN)
               != 0)
    {
        reason = NGX_ENROLL_REDEEMED;

    } else if (facts
               && entry->facts
               && (ngx_msec_int_t) (entry->checked - ngx_current_msec) > 0)
    {
        reason = ngx_http_enroll_zone_facts(entry, pool, facts);
    }

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (reason == NGX_ENROLL_OK) {
        ngx_http_enroll_zone_count(zone, NGX_HTTP_ENROLL_COUNT_CACHE);

    } else if (reason != NGX_ENROLL_AGAIN) {
        ngx_http_enroll_zone_count(zone, NGX_HTTP_ENROLL_COUNT_TOMBSTONE);
    }

    return reason;
}


ngx_uint_t
ngx_http_enroll_zone_replayed(ngx_http_enroll_zone_t *zone, const u_char *id)
{
    ngx_uint_t                first;
    ngx_http_enroll_entry_t  *entry;

    first = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    entry = ngx_http_enroll_zone_lookup(zone, id);

    if (entry
        && !entry->replayed
        && (entry->state == NGX_ENROLL_REDEEMED
            || entry->state == NGX_ENROLL_ENROLLED))
    {
        entry->replayed = 1;
        first = 1;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return first;
}


static ngx_enroll_reason_e
ngx_http_enroll_zone_facts(ngx_http_enroll_entry_t *entry, ngx_pool_t *pool,
    ngx_http_enroll_facts_t *facts)
{
    size_t   len;
    u_char  *p;

    len = entry->subject_len + entry->class_len + entry->proof_len;

    p = ngx_pnalloc(pool, len + 1);
    if (p == NULL) {
        return NGX_ENROLL_AGAIN;
    }

    ngx_memcpy(p, entry->facts, len);

    facts->subject.data = p;
    facts->subject.len = entry->subject_len;
    facts->class.data = p + entry->subject_len;
    facts->class.len = entry->class_len;
    facts->proof.data = facts->class.data + entry->class_len;
    facts->proof.len = entry->proof_len;

    return NGX_ENROLL_OK;
}


/* the id's end is a digest already; it begins with the partition */

static uint32_t
ngx_http_enroll_zone_hash(const u_char *id)
{
    uint32_t  hash;

    ngx_memcpy(&hash, id + NGX_ENROLL_DIGEST_LEN - sizeof(uint32_t),
               sizeof(uint32_t));

    return hash;
}


static ngx_http_enroll_entry_t *
ngx_http_enroll_zone_lookup(ngx_http_enroll_zone_t *zone, const u_char *id)
{
    uint32_t   hash;
    ngx_str_t  key;

    key.len = NGX_ENROLL_DIGEST_LEN;
    key.data = (u_char *) id;

    hash = ngx_http_enroll_zone_hash(id);

    return (ngx_http_enroll_entry_t *)
               ngx_str_rbtree_lookup(&zone->sh->rbtree, &key, hash);
}


static ngx_http_enroll_entry_t *
ngx_http_enroll_zone_add(ngx_http_enroll_zone_t *zone, const u_char *id)
{
    ngx_http_enroll_entry_t  *entry;

    entry = ngx_http_enroll_zone_lookup(zone, id);

    if (entry) {
        ngx_queue_remove(&entry->queue);
        ngx_queue_insert_head(&zone->sh->queue, &entry->queue);
        return entry;
    }

    entry = ngx_http_enroll_zone_alloc(zone, sizeof(ngx_http_enroll_entry_t),
                                       NULL);
    if (entry == NULL) {
        return NULL;
    }

    ngx_memzero(entry, sizeof(ngx_http_enroll_entry_t));
    ngx_memcpy(entry->id, id, NGX_ENROLL_DIGEST_LEN);

    entry->sn.node.key = ngx_http_enroll_zone_hash(id);
    entry->sn.str.len = NGX_ENROLL_DIGEST_LEN;
    entry->sn.str.data = entry->id;

    ngx_rbtree_insert(&zone->sh->rbtree, &entry->sn.node);
    ngx_queue_insert_head(&zone->sh->queue, &entry->queue);
    zone->sh->entries++;

    return entry;
}


/* when the zone is full the oldest gives way to Redis' own answer */

static void *
ngx_http_enroll_zone_alloc(ngx_http_enroll_zone_t *zone, size_t size,
    ngx_http_enroll_entry_t *keep)
{
    void                     *p;
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_http_enroll_entry_t  *entry;

    for (n = 0; n < 16; n++) {

        p = ngx_slab_alloc_locked(zone->shpool, size);
        if (p) {
            return p;
        }

        if (ngx_queue_empty(&zone->sh->queue)) {
            break;
        }

        q = ngx_queue_last(&zone->sh->queue);
        entry = ngx_queue_data(q, ngx_http_enroll_entry_t, queue);

        if (entry == keep) {
            break;
        }

        if ((ngx_msec_int_t) (entry->until - ngx_current_msec) > 0) {
            ngx_http_enroll_zone_count(zone, NGX_HTTP_ENROLL_COUNT_EVICTED);
        }

        ngx_http_enroll_zone_delete(zone, entry);
    }

    return NULL;
}


void *
ngx_http_enroll_zone_room(ngx_http_enroll_zone_t *zone, size_t size)
{
    return ngx_http_enroll_zone_alloc(zone, size, NULL);
}


ngx_queue_t *
ngx_http_enroll_zone_rates(ngx_http_enroll_zone_t *zone)
{
    return &zone->sh->rates;
}


static void
ngx_http_enroll_zone_delete(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_entry_t *entry)
{
    ngx_http_enroll_zone_drop_facts(zone, entry);
    ngx_rbtree_delete(&zone->sh->rbtree, &entry->sn.node);
    ngx_queue_remove(&entry->queue);
    ngx_slab_free_locked(zone->shpool, entry);
    zone->sh->entries--;
}


static void
ngx_http_enroll_zone_drop_facts(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_entry_t *entry)
{
    if (entry->facts) {
        ngx_slab_free_locked(zone->shpool, entry->facts);
        entry->facts = NULL;
    }
}


void
ngx_http_enroll_zone_count(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_count_e count)
{
    (void) ngx_atomic_fetch_add(&zone->sh->counts[count], 1);
}


void
ngx_http_enroll_zone_count_refused(ngx_http_enroll_zone_t *zone,
    ngx_enroll_reason_e reason)
{
    (void) ngx_atomic_fetch_add(&zone->sh->refused[reason], 1);
}


void
ngx_http_enroll_zone_stat(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_zone_stat_t *stat)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ENROLL_COUNTS; i++) {
        stat->counts[i] = zone->sh->counts[i];
    }

    for (i = 0; i < NGX_ENROLL_REASONS; i++) {
        stat->refused[i] = zone->sh->refused[i];
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    stat->entries = zone->sh->entries;
    stat->free = zone->shpool->pfree * ngx_pagesize;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    stat->size = zone->shm_zone->shm.size;
}
