
/*
 * A cluster: who has which slot, a node for each master that is used, and the
 * operations that wait to learn where they belong.
 */

#ifndef _NGX_ENROLL_REDIS_CLUSTER_H_INCLUDED_
#define _NGX_ENROLL_REDIS_CLUSTER_H_INCLUDED_


#include "ngx_enroll_redis_address.h"
#include "ngx_enroll_redis_inquiry.h"
#include "ngx_enroll_redis_node.h"
#include "ngx_enroll_slot.h"


#define NGX_ENROLL_REDIS_MEMBERS  128    /* masters, at most */


typedef struct {
    ngx_enroll_redis_node_t     node;    /* first: it is found by it */
    ngx_enroll_redis_place_t    place;
    ngx_enroll_redis_conf_t     asked;   /* the same server, to ask */
    ngx_uint_t                  used;    /* it has slots */
} ngx_enroll_redis_member_t;


typedef struct {
    const ngx_enroll_redis_conf_t   *conf;

    ngx_enroll_redis_member_t       *members[NGX_ENROLL_REDIS_MEMBERS];
    u_char                           slots[NGX_ENROLL_SLOTS];  /* who, + 1 */

    ngx_queue_t                      waiting;
    ngx_uint_t                       nwaiting;
    ngx_event_t                      again;      /* sends what waits */

    ngx_str_t                        argv[2];
    ngx_enroll_redis_inquiry_t       inquiry;
    ngx_event_t                      refresh;
    ngx_msec_t                       refreshed;  /* when it last ended */
    ngx_uint_t                       current;    /* who is asked first */

    ngx_event_t                      sweep;
    const char                      *failure;

    unsigned                         mapped:1;
    unsigned                         down:1;     /* nobody to ask */
    unsigned                         leaving:1;
} ngx_enroll_redis_cluster_t;


/* cluster.c */

/* cluster is zeroed. */
void ngx_enroll_redis_cluster_init(ngx_enroll_redis_cluster_t *cluster,
    const ngx_enroll_redis_conf_t *conf);

void ngx_enroll_redis_cluster_send(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op);

/* Who has the slot, as far as it is known; NULL: nobody. */
ngx_enroll_redis_node_t *ngx_enroll_redis_cluster_node(
    ngx_enroll_redis_cluster_t *cluster, ngx_uint_t slot);

/* Of all nodes together. */
void ngx_enroll_redis_cluster_stat(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_stat_t *stat);

/* Of the nth node that is used, from 0; NGX_DONE: there are no more. */
ngx_int_t ngx_enroll_redis_cluster_stat_node(
    ngx_enroll_redis_cluster_t *cluster, ngx_uint_t n,
    ngx_enroll_redis_stat_t *stat);

/* The worker's memory goes: no operation hears of it. */
void ngx_enroll_redis_cluster_destroy(ngx_enroll_redis_cluster_t *cluster);


/* The rest is the cluster's own. */

/* To the node that has its slot; it fails where nobody has. */
void ngx_enroll_redis_cluster_route(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op);

/* Until ngx_enroll_redis_cluster_retry(), or its time is over. */
void ngx_enroll_redis_cluster_wait(ngx_enroll_redis_cluster_t *cluster,
    ngx_enroll_redis_op_t *op);
void ngx_enroll_redis_cluster_retry(ngx_enroll_redis_cluster_t *cluster);

/* All that waits. */
void ngx_enroll_redis_cluster_fail(ngx_enroll_redis_cluster_t *cluster,
    const char *failure);

/* of each node */
extern const ngx_enroll_redis_keeper_t  ngx_enroll_redis_cluster_keeper;


/* map.c */

void ngx_enroll_redis_map_init(ngx_enroll_redis_cluster_t *cluster);

/* Soon, but not more often than it helps. */
void ngx_enroll_redis_map_refresh(ngx_enroll_redis_cluster_t *cluster);

void ngx_enroll_redis_map_destroy(ngx_enroll_redis_cluster_t *cluster);


/* member.c */

/*
 * The one at that address, new where there is none; index is its place in
 * cluster->members. NULL: that is no address, or there is no room for it.
 */
ngx_enroll_redis_member_t *ngx_enroll_redis_member(
    ngx_enroll_redis_cluster_t *cluster, const ngx_str_t *host,
    ngx_uint_t port, ngx_uint_t *index);

/* One that is used, and serves, if there is one; NULL: none is used. */
ngx_enroll_redis_member_t *ngx_enroll_redis_member_any(
    ngx_enroll_redis_cluster_t *cluster);

/* Who is used, by the map as it is now. */
void ngx_enroll_redis_members_mark(ngx_enroll_redis_cluster_t *cluster);

/* cluster->sweep: those that are not, and idle, are no more. */
void ngx_enroll_redis_members_sweep(ngx_event_t *ev);


/* redirect.c */

/*
 * node did not execute op, and failure says why. NGX_OK: it goes on
 * elsewhere, or later; NGX_DECLINED: it ends here.
 */
ngx_int_t ngx_enroll_redis_redirect(ngx_enroll_redis_node_t *node,
    ngx_enroll_redis_op_t *op, const char *failure);


#endif /* _NGX_ENROLL_REDIS_CLUSTER_H_INCLUDED_ */
