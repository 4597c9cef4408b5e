
#include "ngx_enroll_redis_connection.h"

#include <openssl/x509v3.h>


static void ngx_enroll_redis_resolve(ngx_enroll_redis_connection_t *conn);
static void ngx_enroll_redis_resolved(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_enroll_redis_keep_addrs(
    ngx_enroll_redis_server_t *server, ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_enroll_redis_keep_addr(ngx_pool_t *pool,
    ngx_addr_t *addr, const ngx_resolver_addr_t *resolved, in_port_t port);
static void ngx_enroll_redis_connect(ngx_enroll_redis_connection_t *conn,
    ngx_addr_t *addr);
static void ngx_enroll_redis_connect_handler(ngx_event_t *ev);
static void ngx_enroll_redis_connected(ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_socket_error(ngx_connection_t *c);
static void ngx_enroll_redis_ssl_start(ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_ssl_name(
    ngx_enroll_redis_connection_t *conn);
static void ngx_enroll_redis_ssl_handler(ngx_event_t *ev);
static void ngx_enroll_redis_ssl_handshake(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_ssl_verify(
    ngx_enroll_redis_connection_t *conn);
static ngx_int_t ngx_enroll_redis_ssl_check_name(ngx_connection_t *c,
    const ngx_str_t *name);
static ngx_uint_t ngx_enroll_redis_is_ip(const ngx_str_t *name);


void
ngx_enroll_redis_connection_open(ngx_enroll_redis_connection_t *conn)
{
    ngx_enroll_redis_server_t  *server;

    server = conn->server;

    conn->state = NGX_ENROLL_REDIS_CONNECTING;
    conn->greeted = 0;

    if (server->locator) {
        conn->locating = 1;
        server->locator->locate(server->locator_data, conn);
        return;
    }

    ngx_enroll_redis_connection_located(conn);
}


void
ngx_enroll_redis_connection_located(ngx_enroll_redis_connection_t *conn)
{
    ngx_addr_t                 *addr;
    ngx_enroll_redis_server_t  *server;

    server = conn->server;

    conn->locating = 0;

    ngx_add_timer(&conn->timer, conn->conf->timeout);

    if (server->conf->naddrs) {
        addr = &server->conf->addrs[server->current % server->conf->naddrs];
        ngx_enroll_redis_connect(conn, addr);
        return;
    }

    if (server->current < server->naddrs) {
        ngx_enroll_redis_connect(conn, &server->addrs[server->current]);
        return;
    }

    ngx_enroll_redis_resolve(conn);
}


static void
ngx_enroll_redis_resolve(ngx_enroll_redis_connection_t *conn)
{
    ngx_resolver_ctx_t  *ctx;

    conn->log.action = "resolving Redis' name";

    ctx = ngx_resolve_start(conn->conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_enroll_redis_connection_detail(conn, "no resolver");
        ngx_enroll_redis_connection_close(conn, "resolve failed");
        return;
    }

    ctx->name = conn->conf->host;
    ctx->handler = ngx_enroll_redis_resolved;
    ctx->data = conn;
    ctx->timeout = conn->conf->resolver_timeout;

    /* what waits for it has timers of its own */
    ctx->cancelable = 1;

    conn->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        conn->resolving = NULL;
        ngx_enroll_redis_connection_close(conn, "resolve failed");
    }
}


static void
ngx_enroll_redis_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_enroll_redis_connection_t  *conn;

    conn = ctx->data;

    if (ctx->state) {
        ngx_enroll_redis_connection_detail(conn, "%V: %s", &ctx->name,
                                           ngx_resolver_strerror(ctx->state));
        ngx_enroll_redis_connection_close(conn, "resolve failed");
        return;
    }

    if (ngx_exiting && !conn->owner->wanted(conn)) {
        ngx_enroll_redis_connection_close(conn, NULL);
        return;
    }

    rc = ngx_enroll_redis_keep_addrs(conn->server, ctx);

    ngx_resolve_name_done(ctx);
    conn->resolving = NULL;

    if (rc != NGX_OK) {
        ngx_enroll_redis_connection_close(conn, "no memory");
        return;
    }

    ngx_enroll_redis_connect(conn, conn->server->addrs);
}


static ngx_int_t
ngx_enroll_redis_keep_addrs(ngx_enroll_redis_server_t *server,
    ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (server->pool) {
        ngx_destroy_pool(server->pool);
    }

    server->naddrs = 0;
    server->current = 0;

    server->pool = ngx_create_pool(512, ngx_cycle->log);
    if (server->pool == NULL) {
        return NGX_ERROR;
    }

    server->addrs = ngx_pcalloc(server->pool,
                                ctx->naddrs * sizeof(ngx_addr_t));
    if (server->addrs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->naddrs; i++) {
        if (ngx_enroll_redis_keep_addr(server->pool, &server->addrs[i],
                                       &ctx->addrs[i], server->conf->port)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    server->naddrs = ctx->naddrs;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_keep_addr(ngx_pool_t *pool, ngx_addr_t *addr,
    const ngx_resolver_addr_t *resolved, in_port_t port)
{
    addr->socklen = resolved->socklen;
    addr->sockaddr = ngx_palloc(pool, addr->socklen);
    addr->name.data = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN);

    if (addr->sockaddr == NULL || addr->name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(addr->sockaddr, resolved->sockaddr, addr->socklen);
    ngx_inet_set_port(addr->sockaddr, port);

    addr->name.len = ngx_sock_ntop(addr->sockaddr, addr->socklen,
                                   addr->name.data, NGX_SOCKADDR_STRLEN, 1);
    return NGX_OK;
}


static void
ngx_enroll_redis_connect(ngx_enroll_redis_connection_t *conn,
    ngx_addr_t *addr)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    conn->log.action = "connecting to Redis";

    peer = &conn->peer;

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = addr->sockaddr;
    peer->socklen = addr->socklen;
    peer->name = &addr->name;
    peer->get = ngx_event_get_peer;
    peer->log = &conn->log;
    peer->log_error = NGX_ERROR_ERR;
    peer->so_keepalive = (addr->sockaddr->sa_family != AF_UNIX);

    rc = ngx_event_connect_peer(peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_enroll_redis_connection_detail(conn, "%V", &addr->name);
        ngx_enroll_redis_connection_close(conn, "connect failed");
        return;
    }

    c = peer->connection;
    conn->c = c;

    conn->log.connection = c->number;

    c->data = conn;
    c->log = &conn->log;
    c->idle = 1;
    c->read->handler = ngx_enroll_redis_connect_handler;
    c->write->handler = ngx_enroll_redis_connect_handler;

    c->pool = ngx_create_pool(1024, &conn->log);
    if (c->pool == NULL) {
        ngx_enroll_redis_connection_close(conn, "no memory");
        return;
    }

    if (rc == NGX_OK) {
        ngx_enroll_redis_connected(conn);
    }
}


static void
ngx_enroll_redis_connect_handler(ngx_event_t *ev)
{
    ngx_err_t                       err;
    ngx_connection_t               *c;
    ngx_enroll_redis_connection_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close && ngx_enroll_redis_connection_leave(conn) == NGX_DONE) {
        return;
    }

    if (!ev->write) {
        /* an error comes as a write event, too */
        return;
    }

    err = ngx_enroll_redis_socket_error(c);

    if (err) {
        ngx_log_error(NGX_LOG_ERR, c->log, err, "connect() to %V failed",
                      conn->peer.name);
        ngx_enroll_redis_connection_detail(conn, "%V", conn->peer.name);
        ngx_enroll_redis_connection_close(conn, "connect failed");
        return;
    }

    ngx_enroll_redis_connected(conn);
}


static ngx_int_t
ngx_enroll_redis_socket_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    /* Solaris returns -1 and sets errno */

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_enroll_redis_connected(ngx_enroll_redis_connection_t *conn)
{
    /* operations are small, and pipelined */

    if (ngx_tcp_nodelay(conn->c) != NGX_OK) {
        ngx_enroll_redis_connection_close(conn, "connect failed");
        return;
    }

    if (conn->conf->ssl) {
        ngx_enroll_redis_ssl_start(conn);
        return;
    }

    ngx_enroll_redis_connection_start(conn);
}


static void
ngx_enroll_redis_ssl_start(ngx_enroll_redis_connection_t *conn)
{
    ngx_connection_t  *c;

    c = conn->c;

    conn->log.action = "SSL handshaking with Redis";

    /* not NGX_SSL_BUFFER: it would keep a copy of AUTH */

    if (ngx_ssl_create_connection(conn->conf->ssl, c, NGX_SSL_CLIENT)
        != NGX_OK
        || ngx_enroll_redis_ssl_name(conn) != NGX_OK)
    {
        ngx_enroll_redis_connection_close(conn, "SSL failed");
        return;
    }

    c->sendfile = 0;

    ngx_enroll_redis_ssl_handshake(conn);
}


static ngx_int_t
ngx_enroll_redis_ssl_name(ngx_enroll_redis_connection_t *conn)
{
    u_char           *p;
    const ngx_str_t  *name;

    name = &conn->conf->ssl_name;

    /* RFC 6066: no addresses */

    if (name->len == 0 || ngx_enroll_redis_is_ip(name)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(conn->c->pool, name->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, name->data, name->len + 1);

    if (SSL_set_tlsext_host_name(conn->c->ssl->connection, (char *) p) == 0) {
        ngx_ssl_error(NGX_LOG_ERR, conn->c->log, 0,
                      "SSL_set_tlsext_host_name(\"%s\") failed", p);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_enroll_redis_ssl_handler(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_enroll_redis_connection_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close && ngx_enroll_redis_connection_leave(conn) == NGX_DONE) {
        return;
    }

    ngx_enroll_redis_ssl_handshake(conn);
}


static void
ngx_enroll_redis_ssl_handshake(ngx_enroll_redis_connection_t *conn)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = conn->c;

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        /* in place of nginx' own, which know nothing of c->close */
        c->read->handler = ngx_enroll_redis_ssl_handler;
        c->write->handler = ngx_enroll_redis_ssl_handler;
        return;
    }

    if (rc != NGX_OK) {
        ngx_enroll_redis_connection_close(conn, "SSL failed");
        return;
    }

    if (ngx_enroll_redis_ssl_verify(conn) != NGX_OK) {
        ngx_enroll_redis_connection_close(conn, "certificate refused");
        return;
    }

    ngx_enroll_redis_connection_start(conn);
}


static ngx_int_t
ngx_enroll_redis_ssl_verify(ngx_enroll_redis_connection_t *conn)
{
    long               rc;
    ngx_connection_t  *c;

    if (!conn->conf->ssl_verify) {
        return NGX_OK;
    }

    c = conn->c;
    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_enroll_redis_connection_detail(conn, "%l: %s", rc,
                                         X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    if (ngx_enroll_redis_ssl_check_name(c, &conn->conf->ssl_name) != NGX_OK) {
        ngx_enroll_redis_connection_detail(conn, "it is not for \"%V\"",
                                           &conn->conf->ssl_name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_ssl_check_name(ngx_connection_t *c, const ngx_str_t *name)
{
    int         rc;
    X509       *cert;
    u_char      text[NGX_SOCKADDR_STRLEN + 1];
    ngx_str_t   copy;

    if (!ngx_enroll_redis_is_ip(name)) {
        copy = *name;
        return ngx_ssl_check_host(c, &copy);
    }

    /* ngx_ssl_check_host() compares names only */

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(text, name->data,
                       ngx_min(name->len, NGX_SOCKADDR_STRLEN) + 1);

    rc = X509_check_ip_asc(cert, (char *) text, 0);

    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_enroll_redis_is_ip(const ngx_str_t *name)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];

    if (ngx_inet6_addr(name->data, name->len, addr) == NGX_OK) {
        return 1;
    }
#endif

    return ngx_inet_addr(name->data, name->len) != INADDR_NONE;
}
