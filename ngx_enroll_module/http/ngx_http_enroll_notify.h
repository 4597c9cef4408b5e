
/*
 * Events out (enroll_notify): what an organisation acts upon is told to an
 * internal location, as signed SETs, at least once and in order.
 */

#ifndef _NGX_HTTP_ENROLL_NOTIFY_H_INCLUDED_
#define _NGX_HTTP_ENROLL_NOTIFY_H_INCLUDED_


#include "ngx_http_enroll_module.h"


struct ngx_http_enroll_notify_s {
    ngx_http_core_srv_conf_t   *server;        /* whose location it is */
    ngx_str_t                   uri;
    ngx_str_t                   args;
    ngx_str_t                   iss;
    ngx_str_t                   aud;
    ngx_http_enroll_where_t     where;
};


char *ngx_http_enroll_notify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Of the postconfiguration: does it have all that it needs? */
ngx_int_t ngx_http_enroll_notify_init(ngx_conf_t *cf);

/* Of the process: the first worker of this host takes part. */
ngx_int_t ngx_http_enroll_notify_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_ENROLL_NOTIFY_H_INCLUDED_ */
