
#include "ngx_http_enroll_rate.h"


#define NGX_HTTP_ENROLL_RATE_BUCKETS  64


/* A leaky bucket. It outlives a reload, whatever rate its issuer has then. */
typedef struct {
    ngx_queue_t   queue;                     /* the last one used first */
    ngx_msec_t    last;
    ngx_uint_t    excess;                    /* thousandths of a call */
    size_t        len;
    u_char        name[NGX_ENROLL_WORD_MAX];
} ngx_http_enroll_bucket_t;


static ngx_int_t ngx_http_enroll_rate_take(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_issuer_t *issuer);
static ngx_int_t ngx_http_enroll_rate_count(ngx_http_enroll_bucket_t *bucket,
    ngx_http_enroll_issuer_t *issuer);
static ngx_int_t ngx_http_enroll_rate_retry(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer);
static ngx_http_enroll_bucket_t *ngx_http_enroll_rate_bucket(
    ngx_http_enroll_zone_t *zone, ngx_str_t *name);


ngx_int_t
ngx_http_enroll_rate(ngx_http_request_t *r, ngx_http_enroll_issuer_t *issuer,
    const char *step, ngx_int_t *rc)
{
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    if (issuer->rate == 0
        || ngx_http_enroll_rate_take(emcf->zone, issuer) == NGX_OK)
    {
        return NGX_OK;
    }

    *rc = ngx_http_enroll_rate_retry(r, issuer) == NGX_OK
          ? ngx_http_enroll_refuse(r, NGX_ENROLL_THROTTLED, step, NULL)
          : NGX_HTTP_INTERNAL_SERVER_ERROR;

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_enroll_rate_take(ngx_http_enroll_zone_t *zone,
    ngx_http_enroll_issuer_t *issuer)
{
    ngx_int_t                  rc;
    ngx_http_enroll_bucket_t  *bucket;

    ngx_shmtx_lock(&zone->shpool->mutex);

    bucket = ngx_http_enroll_rate_bucket(zone, &issuer->name);
    rc = bucket ? ngx_http_enroll_rate_count(bucket, issuer) : NGX_BUSY;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


/* as limit_req does; another worker's clock may be a little ahead */

static ngx_int_t
ngx_http_enroll_rate_count(ngx_http_enroll_bucket_t *bucket,
    ngx_http_enroll_issuer_t *issuer)
{
    int64_t         excess;
    ngx_msec_int_t  ms;

    ms = (ngx_msec_int_t) (ngx_current_msec - bucket->last);

    if (ms < -60000) {
        ms = 1;

    } else if (ms < 0) {
        ms = 0;
    }

    excess = (int64_t) bucket->excess - (int64_t) issuer->rate * ms / 1000;
    excess = ngx_max(excess, 0) + 1000;

    if (excess > ((int64_t) issuer->burst + 1) * 1000) {
        return NGX_BUSY;
    }

    bucket->excess = (ngx_uint_t) excess;

    if (ms) {
        bucket->last = ngx_current_msec;
    }

    return NGX_OK;
}


/* when a call will have leaked out */

static ngx_int_t
ngx_http_enroll_rate_retry(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%ui",
                            (1000 + issuer->rate - 1) / issuer->rate)
                - value.data;

    return ngx_http_enroll_header_add(r, "Retry-After", &value);
}


/* beyond the last bucket the one that was idle for longest serves again */

static ngx_http_enroll_bucket_t *
ngx_http_enroll_rate_bucket(ngx_http_enroll_zone_t *zone, ngx_str_t *name)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q, *rates;
    ngx_http_enroll_bucket_t  *bucket;

    n = 0;
    bucket = NULL;
    rates = ngx_http_enroll_zone_rates(zone);

    for (q = ngx_queue_head(rates);
         q != ngx_queue_sentinel(rates);
         q = ngx_queue_next(q))
    {
        n++;
        bucket = ngx_queue_data(q, ngx_http_enroll_bucket_t, queue);

        if (bucket->len == name->len
            && ngx_memcmp(bucket->name, name->data, name->len) == 0)
        {
            ngx_queue_remove(q);
            ngx_queue_insert_head(rates, q);
            return bucket;
        }
    }

    if (n < NGX_HTTP_ENROLL_RATE_BUCKETS) {
        bucket = ngx_http_enroll_zone_room(zone,
                                           sizeof(ngx_http_enroll_bucket_t));
        if (bucket == NULL) {
            return NULL;
        }

    } else {
        ngx_queue_remove(&bucket->queue);
    }

    bucket->last = ngx_current_msec;
    bucket->excess = 0;
    bucket->len = name->len;
    ngx_memcpy(bucket->name, name->data, name->len);

    ngx_queue_insert_head(rates, &bucket->queue);

    return bucket;
}
