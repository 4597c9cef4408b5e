
/*
 * A POST to an internal location, of the worker's own accord: no client asks
 * for it, and nobody but the caller learns how it was answered.
 */

#ifndef _NGX_HTTP_ENROLL_SEND_H_INCLUDED_
#define _NGX_HTTP_ENROLL_SEND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_ENROLL_SEND_MAX  65536      /* bytes of a body */


typedef struct ngx_http_enroll_send_s  ngx_http_enroll_send_t;

typedef void (*ngx_http_enroll_send_pt)(ngx_http_enroll_send_t *send);


/* One at a time; it has to live as long as the worker, or be aborted. */
struct ngx_http_enroll_send_s {

    /* said by the caller, once */
    ngx_http_core_srv_conf_t  *server;
    ngx_str_t                  uri;        /* of the location */
    ngx_str_t                  args;
    ngx_str_t                  type;       /* of the body */
    ngx_http_enroll_send_pt    handler;
    void                      *data;

    /* what the location answered; 0: nothing */
    ngx_uint_t                 status;

    /* send.c's own: zeroed */
    ngx_listening_t            listening;
    ngx_http_port_t            port;
    ngx_http_in_addr_t         addr;
    ngx_connection_t          *connection; /* NULL: none is under way */
    ngx_http_request_t        *request;
    ngx_socket_t               peer;
    ngx_event_t                ended;
};


/* Of the post-read phase: takes what was sent from here. */
ngx_int_t ngx_http_enroll_send_handler(ngx_http_request_t *r);

/*
 * Sends. NGX_OK: send->handler will be called, once and never from within;
 * NGX_ERROR: nothing was sent.
 */
ngx_int_t ngx_http_enroll_send(ngx_http_enroll_send_t *send,
    const ngx_str_t *body);

/* What is under way ends now; send->handler is called all the same. */
void ngx_http_enroll_send_abort(ngx_http_enroll_send_t *send);

/* Is it the subrequest of one? */
ngx_uint_t ngx_http_enroll_send_is(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ENROLL_SEND_H_INCLUDED_ */
