
/* Setters of numbers and times that know what is valid, and say it. */

#ifndef _NGX_HTTP_ENROLL_BOUNDS_H_INCLUDED_
#define _NGX_HTTP_ENROLL_BOUNDS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_ENROLL_TIME_LEN  (NGX_INT64_LEN + sizeof("ms"))


/* A command's post: both are valid, too; of times in milliseconds. */
typedef struct {
    ngx_int_t   min;
    ngx_int_t   max;
} ngx_http_enroll_bounds_t;


/* Of an ngx_int_t that is NGX_CONF_UNSET. */
char *ngx_http_enroll_set_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Of an ngx_msec_t that is NGX_CONF_UNSET_MSEC. */
char *ngx_http_enroll_set_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Milliseconds as a person would write them, NUL-terminated; returns buf. */
u_char *ngx_http_enroll_time(u_char buf[NGX_HTTP_ENROLL_TIME_LEN],
    ngx_int_t ms);


#endif /* _NGX_HTTP_ENROLL_BOUNDS_H_INCLUDED_ */
