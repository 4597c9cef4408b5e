
/*
 * The nodes of a cluster: found by their addresses, made when one is first
 * named, and let go when it has no slots any more.
 */

#include "ngx_enroll_redis_cluster.h"


static ngx_enroll_redis_member_t *ngx_enroll_redis_member_create(
    ngx_enroll_redis_cluster_t *cluster, const ngx_str_t *host,
    ngx_uint_t port);


ngx_enroll_redis_member_t *
ngx_enroll_redis_member(ngx_enroll_redis_cluster_t *cluster,
    const ngx_str_t *host, ngx_uint_t port, ngx_uint_t *index)
{
    ngx_uint_t                  i, room;
    ngx_enroll_redis_member_t  *member;

    room = NGX_ENROLL_REDIS_MEMBERS;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL) {
            room = ngx_min(room, i);

        } else if (ngx_enroll_redis_placed(&member->place, host, port)) {
            *index = i;
            return member;
        }
    }

    if (room == NGX_ENROLL_REDIS_MEMBERS) {
        return NULL;
    }

    *index = room;
    cluster->members[room] = ngx_enroll_redis_member_create(cluster, host,
                                                            port);
    return cluster->members[room];
}


static ngx_enroll_redis_member_t *
ngx_enroll_redis_member_create(ngx_enroll_redis_cluster_t *cluster,
    const ngx_str_t *host, ngx_uint_t port)
{
    ngx_enroll_redis_member_t  *member;

    member = ngx_calloc(sizeof(ngx_enroll_redis_member_t), ngx_cycle->log);
    if (member == NULL) {
        return NULL;
    }

    if (ngx_enroll_redis_place(&member->place, cluster->conf, host, port)
        != NGX_OK)
    {
        ngx_free(member);
        return NULL;
    }

    member->asked = member->place.conf;
    member->asked.asked = 1;

    ngx_enroll_redis_node_init(&member->node, &member->place.conf,
                               ngx_cycle->log);

    member->node.keeper = &ngx_enroll_redis_cluster_keeper;
    member->node.keeper_data = cluster;
    member->used = 1;

    return member;
}


ngx_enroll_redis_member_t *
ngx_enroll_redis_member_any(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t                  i;
    ngx_enroll_redis_member_t  *member, *found;

    found = NULL;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member && member->used) {
            found = member;

            if (!member->node.circuit) {
                break;
            }
        }
    }

    return found;
}


void
ngx_enroll_redis_members_mark(ngx_enroll_redis_cluster_t *cluster)
{
    ngx_uint_t                  i, n;
    ngx_enroll_redis_member_t  *member;

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        if (cluster->members[i]) {
            cluster->members[i]->used = 0;
        }
    }

    for (i = 0; i < NGX_ENROLL_SLOTS; i++) {
        n = cluster->slots[i];

        if (n) {
            cluster->members[n - 1]->used = 1;
        }
    }

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member) {
            member->node.unused = !member->used;
        }
    }
}


/*
 * A posted event: no node is in the middle of anything here. While somebody
 * is asked who has the slots nobody is let go: it may be him who is asked, or
 * the answer, which is obeyed a moment later, may name him.
 */

void
ngx_enroll_redis_members_sweep(ngx_event_t *ev)
{
    ngx_uint_t                   i;
    ngx_enroll_redis_member_t   *member;
    ngx_enroll_redis_cluster_t  *cluster;

    cluster = ev->data;

    if (cluster->inquiry.active) {
        return;
    }

    for (i = 0; i < NGX_ENROLL_REDIS_MEMBERS; i++) {
        member = cluster->members[i];

        if (member == NULL
            || !member->node.unused
            || !ngx_enroll_redis_node_idle(&member->node))
        {
            continue;
        }

        cluster->members[i] = NULL;

        member->node.keeper = NULL;
        ngx_enroll_redis_node_destroy(&member->node);
        ngx_free(member);
    }
}
