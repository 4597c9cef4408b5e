
#include "ngx_http_enroll_module.h"


typedef struct {
    ngx_http_request_t       *request;
    ngx_enroll_redis_op_t    *op;           /* NULL: it has ended */
    struct timeval            tv;
} ngx_http_enroll_status_t;


static void ngx_http_enroll_status_answer(ngx_enroll_redis_op_t *op,
    ngx_int_t rc, ngx_enroll_resp_t *reply);
static void ngx_http_enroll_status_cleanup(void *data);
static ngx_int_t ngx_http_enroll_status_send(ngx_http_request_t *r,
    const char *failure, double latency);
static json_t *ngx_http_enroll_status_ledger(ngx_http_request_t *r,
    const char *failure, double latency);
static json_t *ngx_http_enroll_status_nodes(ngx_enroll_redis_t *redis);
static void ngx_http_enroll_status_zone(ngx_http_request_t *r, json_t *json);


ngx_int_t
ngx_http_enroll_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  ping, allow;
    ngx_http_cleanup_t        *cln;
    ngx_enroll_ledger_t       *ledger;
    ngx_enroll_redis_op_t     *op;
    ngx_http_enroll_status_t  *status;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&allow, "GET, HEAD");

        if (ngx_http_enroll_header_add(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_enroll_refuse(r, NGX_ENROLL_METHOD, "status", NULL);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ledger = ngx_http_enroll_ledger(r);
    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_enroll_status_t));

    if (ledger == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&ping, "PING");

    op = ngx_enroll_redis_op(1, &ping, ngx_cycle->log);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = cln->data;
    status->request = r;
    status->op = op;
    ngx_gettimeofday(&status->tv);

    cln->handler = ngx_http_enroll_status_cleanup;

    op->handler = ngx_http_enroll_status_answer;
    op->data = status;

    ngx_enroll_redis_send(ledger->redis, op);

    r->main->count++;

    return NGX_DONE;
}


/* the client has gone before Redis answered */

static void
ngx_http_enroll_status_cleanup(void *data)
{
    ngx_http_enroll_status_t *status = data;

    if (status->op) {
        status->op->data = NULL;
    }
}


static void
ngx_http_enroll_status_answer(ngx_enroll_redis_op_t *op, ngx_int_t rc,
    ngx_enroll_resp_t *reply)
{
    double                     latency;
    struct timeval             tv;
    ngx_http_request_t        *r;
    ngx_http_enroll_status_t  *status;

    status = op->data;

    if (status == NULL) {
        return;
    }

    r = status->request;
    status->op = NULL;
    ngx_http_set_log_request(r->connection->log, r);

    ngx_gettimeofday(&tv);
    latency = (tv.tv_sec - status->tv.tv_sec) * 1e3
              + (tv.tv_usec - status->tv.tv_usec) / 1e3;

    ngx_http_enroll_finalize(r,
        ngx_http_enroll_status_send(r, rc != NGX_OK ? op->failure
                                       : reply->type == NGX_ENROLL_RESP_ERROR
                                       ? "error reply" : NULL, latency));
}


static ngx_int_t
ngx_http_enroll_status_send(ngx_http_request_t *r, const char *failure,
    double latency)
{
    json_t  *json;

    json = json_object();

    (void) json_object_set_new(json, "ledger",
                               ngx_http_enroll_status_ledger(r, failure,
                                                             latency));
    ngx_http_enroll_status_zone(r, json);

    return ngx_http_enroll_respond_json(r, NGX_HTTP_OK, "application/json",
                                        json);
}


static json_t *
ngx_http_enroll_status_ledger(ngx_http_request_t *r, const char *failure,
    double latency)
{
    json_t                           *json;
    ngx_enroll_ledger_t              *ledger;
    ngx_enroll_redis_stat_t           stat;
    ngx_http_enroll_loc_conf_t       *elcf;
    const ngx_enroll_redis_conf_t    *conf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ledger = ngx_http_enroll_ledger(r);
    conf = elcf->redis.ready;

    ngx_enroll_redis_stat(ledger->redis, &stat);

    json = json_pack("{s:s%, s:b, s:s, s:I, s:I, s:I, s:s?}",
                     "address", conf->address.data, conf->address.len,
                     "reachable", failure == NULL,
                     "circuit", stat.circuit_open ? "open" : "closed",
                     "connected", (json_int_t) stat.connected,
                     "waiting", (json_int_t) stat.waiting,
                     "pending", (json_int_t) stat.pending,
                     "failure", failure ? failure : stat.failure);

    (void) json_object_set_new(json, "latency_ms",
                               failure ? json_null() : json_real(latency));

    (void) json_object_set_new(json, "nodes",
                               ngx_http_enroll_status_nodes(ledger->redis));

    return json;
}


static json_t *
ngx_http_enroll_status_nodes(ngx_enroll_redis_t *redis)
{
    json_t                   *nodes;
    ngx_uint_t                n;
    ngx_enroll_redis_stat_t   stat;

    nodes = json_array();

    for (n = 0; ngx_enroll_redis_stat_node(redis, n, &stat) == NGX_OK; n++) {
        (void) json_array_append_new(nodes,
                   json_pack("{s:s%, s:s?, s:s, s:I, s:I, s:I, s:s?}",
                             "address", stat.address->data, stat.address->len,
                             "role", stat.role,
                             "circuit", stat.circuit_open ? "open" : "closed",
                             "connected", (json_int_t) stat.connected,
                             "waiting", (json_int_t) stat.waiting,
                             "pending", (json_int_t) stat.pending,
                             "failure", stat.failure));
    }

    return nodes;
}


static void
ngx_http_enroll_status_zone(ngx_http_request_t *r, json_t *json)
{
    json_t                       *events, *refused;
    ngx_uint_t                    i;
    ngx_http_enroll_zone_stat_t   stat;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);

    ngx_http_enroll_zone_stat(emcf->zone, &stat);

    (void) json_object_set_new(json, "zone",
               json_pack("{s:s%, s:I, s:I, s:I}",
                         "name", emcf->zone->shm_zone->shm.name.data,
                         emcf->zone->shm_zone->shm.name.len,
                         "size", (json_int_t) stat.size,
                         "free", (json_int_t) stat.free,
                         "entries", (json_int_t) stat.entries));

    events = json_object();

    for (i = 0; i < NGX_HTTP_ENROLL_COUNTS; i++) {
        (void) json_object_set_new(events,
                           (char *) ngx_http_enroll_count_names[i].data,
                           json_integer((json_int_t) stat.counts[i]));
    }

    (void) json_object_set_new(json, "events", events);

    refused = json_object();

    for (i = NGX_ENROLL_OK + 1; i < NGX_ENROLL_AGAIN; i++) {
        (void) json_object_set_new(refused,
                           (char *) ngx_enroll_reason_name(i)->data,
                           json_integer((json_int_t) stat.refused[i]));
    }

    (void) json_object_set_new(json, "refused", refused);
}
