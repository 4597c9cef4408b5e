
/*
 * nginx has no request without a client. One that is made by hand, on a
 * connection without a socket, works until something in a location asks for
 * what it has not: an event of the socket, a header, a parsed line. So this
 * worker is its own client: the request is written into one end of a socket
 * pair, and the other end is a connection as if it had been accepted, which
 * nginx reads, parses, times out and closes as any other. The request is
 * taken in the post-read phase, before those that ask who is there, and what
 * goes to the location is a subrequest of it, as with auth_request: it may
 * enter internal locations, past allow and deny, and is in no access log.
 */

#include "ngx_http_enroll_send.h"

#include <sys/un.h>


#define NGX_HTTP_ENROLL_SEND_HEAD                                             \
    "POST / HTTP/1.0" CRLF                                                    \
    "Content-Type: %V" CRLF                                                   \
    "Content-Length: %uz" CRLF                                                \
    "Accept: application/json" CRLF CRLF


static ngx_int_t ngx_http_enroll_send_write(ngx_http_enroll_send_t *send,
    const ngx_str_t *body);
static ngx_int_t ngx_http_enroll_send_accept(ngx_http_enroll_send_t *send,
    ngx_socket_t s);
static ngx_int_t ngx_http_enroll_send_open(ngx_http_enroll_send_t *send,
    ngx_connection_t *c);
static void ngx_http_enroll_send_listening(ngx_http_enroll_send_t *send);
static void ngx_http_enroll_send_init(ngx_connection_t *c);
static void ngx_http_enroll_send_body(ngx_http_request_t *r);
static ngx_http_enroll_send_t *ngx_http_enroll_send_of(ngx_http_request_t *r);
static ngx_int_t ngx_http_enroll_send_answered(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static void ngx_http_enroll_send_end(ngx_http_request_t *r);
static void ngx_http_enroll_send_closed(void *data);
static void ngx_http_enroll_send_ended(ngx_event_t *ev);
static void ngx_http_enroll_send_close(ngx_socket_t s);


/* stub_status: nginx may have it, though the module was built without */
extern ngx_atomic_t  *ngx_stat_active  __attribute__ ((weak));


static struct sockaddr_un  ngx_http_enroll_send_address = {
    .sun_family = AF_UNIX
};


ngx_int_t
ngx_http_enroll_send(ngx_http_enroll_send_t *send, const ngx_str_t *body)
{
    int  s[2];

    if (send->connection || body->len > NGX_HTTP_ENROLL_SEND_MAX) {
        return NGX_ERROR;
    }

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      "socketpair() failed");
        return NGX_ERROR;
    }

    send->status = 0;
    send->peer = s[0];

    if (ngx_nonblocking(s[0]) == -1 || ngx_nonblocking(s[1]) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      ngx_nonblocking_n " failed");
        goto failed;
    }

    if (ngx_http_enroll_send_write(send, body) != NGX_OK) {
        goto failed;
    }

    if (ngx_http_enroll_send_accept(send, s[1]) == NGX_OK) {
        return NGX_OK;
    }

failed:

    ngx_http_enroll_send_close(s[0]);
    ngx_http_enroll_send_close(s[1]);

    return NGX_ERROR;
}


/* all at once: the kernel keeps it until it is read */

static ngx_int_t
ngx_http_enroll_send_write(ngx_http_enroll_send_t *send,
    const ngx_str_t *body)
{
    u_char    *text;
    size_t     len;
    ssize_t    n;
    ngx_err_t  err;

    len = sizeof(NGX_HTTP_ENROLL_SEND_HEAD) + send->type.len + NGX_SIZE_T_LEN
          + body->len;

    text = ngx_alloc(len, ngx_cycle->log);
    if (text == NULL) {
        return NGX_ERROR;
    }

    len = ngx_sprintf(text, NGX_HTTP_ENROLL_SEND_HEAD "%V", &send->type,
                      body->len, body)
          - text;

    n = write(send->peer, text, len);
    err = ngx_socket_errno;

    ngx_free(text);

    if (n != (ssize_t) len) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, n == -1 ? err : 0,
                      "enroll: a socket pair took %z bytes of %uz", n, len);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_send_accept(ngx_http_enroll_send_t *send, ngx_socket_t s)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(s, ngx_cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->pool = ngx_create_pool(512, ngx_cycle->log);

    if (c->pool == NULL || ngx_http_enroll_send_open(send, c) != NGX_OK) {
        if (c->pool) {
            ngx_destroy_pool(c->pool);
        }

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        return NGX_ERROR;
    }

    send->connection = c;

    /* nginx counts it out where it closes it */

    if (&ngx_stat_active) {
        (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
    }

    /* whatever comes now, it ends by the cleanup of the connection's pool */

    c->listening->handler(c);

    return NGX_OK;
}


/* what nginx does where it accepts one */

static ngx_int_t
ngx_http_enroll_send_open(ngx_http_enroll_send_t *send, ngx_connection_t *c)
{
    ngx_log_t           *log;
    ngx_pool_cleanup_t  *cln;

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    cln = ngx_pool_cleanup_add(c->pool, 0);

    if (log == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    ngx_http_enroll_send_listening(send);

    *log = *ngx_cycle->log;
    log->handler = NULL;
    log->data = NULL;

    c->type = SOCK_STREAM;
    c->log = log;
    c->pool->log = log;
    c->read->log = log;
    c->write->log = log;
    c->write->ready = 1;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->listening = &send->listening;
    c->sockaddr = send->listening.sockaddr;
    c->socklen = send->listening.socklen;
    c->local_sockaddr = send->listening.sockaddr;
    c->local_socklen = send->listening.socklen;
    c->addr_text = send->listening.addr_text;

    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    cln->handler = ngx_http_enroll_send_closed;
    cln->data = send;

    return NGX_OK;
}


/* an address that leads to the one server, with neither TLS nor HTTP/2 */

static void
ngx_http_enroll_send_listening(ngx_http_enroll_send_t *send)
{
    ngx_listening_t  *ls;

    send->addr.conf.default_server = send->server;
    send->port.addrs = &send->addr;
    send->port.naddrs = 1;

    ls = &send->listening;

    ls->fd = (ngx_socket_t) -1;
    ls->sockaddr = (struct sockaddr *) &ngx_http_enroll_send_address;
    ls->socklen = offsetof(struct sockaddr_un, sun_path);
    ngx_str_set(&ls->addr_text, "unix:");
    ls->type = SOCK_STREAM;
    ls->handler = ngx_http_enroll_send_init;
    ls->servers = &send->port;
    ls->log = *ngx_cycle->log;
}


/* of a listening of our own: by this function others are told from it */

static void
ngx_http_enroll_send_init(ngx_connection_t *c)
{
    ngx_http_init_connection(c);
}


static ngx_http_enroll_send_t *
ngx_http_enroll_send_of(ngx_http_request_t *r)
{
    ngx_listening_t  *ls;

    ls = r->connection->listening;

    if (ls == NULL || ls->handler != ngx_http_enroll_send_init) {
        return NULL;
    }

    return (ngx_http_enroll_send_t *)
               ((u_char *) ls - offsetof(ngx_http_enroll_send_t, listening));
}


ngx_uint_t
ngx_http_enroll_send_is(ngx_http_request_t *r)
{
    return r != r->main && ngx_http_enroll_send_of(r) != NULL;
}


ngx_int_t
ngx_http_enroll_send_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_enroll_send_t  *send;

    send = ngx_http_enroll_send_of(r);

    if (send == NULL || r != r->main || r->internal) {
        return NGX_DECLINED;
    }

    send->request = r;

    /* of subrequests "log_subrequest" decides, and of this one nobody */
    r->logged = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_enroll_send_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        rc = NGX_HTTP_CLOSE;

    } else {
        rc = NGX_DONE;
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


static void
ngx_http_enroll_send_body(ngx_http_request_t *r)
{
    ngx_http_request_t          *sr;
    ngx_http_enroll_send_t      *send;
    ngx_http_post_subrequest_t  *ps;

    send = ngx_http_enroll_send_of(r);

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
        return;
    }

    ps->handler = ngx_http_enroll_send_answered;
    ps->data = send;

    if (ngx_http_subrequest(r, &send->uri, &send->args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
        return;
    }

    sr->method = r->method;
    sr->method_name = r->method_name;
    sr->header_only = 1;

    r->write_event_handler = ngx_http_enroll_send_end;
}


/* an error gets no page, and so no error_page: nobody looks at it */

static ngx_int_t
ngx_http_enroll_send_answered(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_enroll_send_t *send = data;

    if (rc > NGX_OK) {
        send->status = rc;
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        send->status = r->headers_out.status;
    }

    return rc;
}


/* no answer to it, either */

static void
ngx_http_enroll_send_end(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
}


void
ngx_http_enroll_send_abort(ngx_http_enroll_send_t *send)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = send->connection;
    r = send->request;

    if (c == NULL) {
        return;
    }

    if (r == NULL) {
        /* it waits to be read */
        c->close = 1;
        c->read->handler(c->read);
        return;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
    ngx_http_run_posted_requests(c);
}


/* the connection's pool goes: nginx has closed it */

static void
ngx_http_enroll_send_closed(void *data)
{
    ngx_http_enroll_send_t *send = data;

    ngx_http_enroll_send_close(send->peer);

    send->connection = NULL;
    send->request = NULL;

    send->ended.handler = ngx_http_enroll_send_ended;
    send->ended.data = send;
    send->ended.log = ngx_cycle->log;

    ngx_post_event(&send->ended, &ngx_posted_events);
}


static void
ngx_http_enroll_send_ended(ngx_event_t *ev)
{
    ngx_http_enroll_send_t  *send;

    send = ev->data;

    send->handler(send);
}


static void
ngx_http_enroll_send_close(ngx_socket_t s)
{
    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }
}
