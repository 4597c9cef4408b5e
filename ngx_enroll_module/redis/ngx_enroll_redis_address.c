
#include "ngx_enroll_redis_address.h"


static ngx_uint_t ngx_enroll_redis_host_valid(const ngx_str_t *host);
static void ngx_enroll_redis_place_ip(ngx_enroll_redis_place_t *place,
    in_port_t port);


ngx_int_t
ngx_enroll_redis_place(ngx_enroll_redis_place_t *place,
    const ngx_enroll_redis_conf_t *given, const ngx_str_t *host,
    ngx_uint_t port)
{
    ngx_enroll_redis_conf_t  *conf;

    if (port == 0 || port > 65535 || !ngx_enroll_redis_host_valid(host)) {
        return NGX_DECLINED;
    }

    conf = &place->conf;
    *conf = *given;

    ngx_memcpy(place->host, host->data, host->len);

    conf->host.data = place->host;
    conf->host.len = host->len;
    conf->port = (in_port_t) port;

    conf->address.data = place->name;
    conf->address.len = ngx_sprintf(place->name,
                                    ngx_strlchr(place->host,
                                                place->host + host->len, ':')
                                    ? "[%V]:%ui" : "%V:%ui",
                                    &conf->host, port)
                        - place->name;

    if (conf->ssl_name.len == 0) {
        conf->ssl_name = conf->host;
    }

    ngx_enroll_redis_place_ip(place, (in_port_t) port);

    return NGX_OK;
}


ngx_uint_t
ngx_enroll_redis_placed(const ngx_enroll_redis_place_t *place,
    const ngx_str_t *host, ngx_uint_t port)
{
    return place->conf.port == port
           && place->conf.host.len == host->len
           && ngx_memcmp(place->host, host->data, host->len) == 0;
}


/* what is another server's word goes to the resolver, TLS and the log */

static ngx_uint_t
ngx_enroll_redis_host_valid(const ngx_str_t *host)
{
    u_char      c;
    ngx_uint_t  i;

    if (host->len == 0 || host->len > NGX_ENROLL_REDIS_HOST_MAX) {
        return 0;
    }

    for (i = 0; i < host->len; i++) {
        c = host->data[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
            || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_'
            || c == ':')
        {
            continue;
        }

        return 0;
    }

    return 1;
}


static void
ngx_enroll_redis_place_ip(ngx_enroll_redis_place_t *place, in_port_t port)
{
    in_addr_t                 ip;
    ngx_addr_t               *addr;
    struct sockaddr_in       *sin;
    ngx_enroll_redis_conf_t  *conf;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6      *sin6;
#endif

    conf = &place->conf;
    addr = &place->addr;

    ngx_memzero(&place->sockaddr, sizeof(ngx_sockaddr_t));

    addr->sockaddr = &place->sockaddr.sockaddr;
    addr->name = conf->address;

    conf->addrs = addr;
    conf->naddrs = 1;

    ip = ngx_inet_addr(conf->host.data, conf->host.len);

    if (ip != INADDR_NONE) {
        sin = &place->sockaddr.sockaddr_in;
        sin->sin_family = AF_INET;
        sin->sin_addr.s_addr = ip;
        sin->sin_port = htons(port);
        addr->socklen = sizeof(struct sockaddr_in);
        return;
    }

#if (NGX_HAVE_INET6)

    sin6 = &place->sockaddr.sockaddr_in6;

    if (ngx_inet6_addr(conf->host.data, conf->host.len,
                       sin6->sin6_addr.s6_addr)
        == NGX_OK)
    {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        addr->socklen = sizeof(struct sockaddr_in6);
        return;
    }

#endif

    conf->addrs = NULL;
    conf->naddrs = 0;
}
