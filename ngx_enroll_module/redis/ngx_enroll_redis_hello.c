
/*
 * The greeting: AUTH, SELECT, CLIENT SETNAME, ROLE, the probe, WAITAOF, WAIT
 * and PING in one write, and what the answers must say before the connection
 * is used.
 *
 * ROLE is answered by a server that loads its data set or has lost its
 * master; PING is not. CLIENT, ROLE and PING may be forbidden by an ACL; only
 * ROLE is missed then. Where replicas are waited for, WAITAOF is what is used
 * if it may be: a server before 7.2 does not know it, one without an AOF
 * refuses it, and a user may be denied it. WAIT is needed then.
 */

#include "ngx_enroll_redis_connection.h"


#define ngx_enroll_redis_starts(str, prefix)                                  \
    ((str)->len >= sizeof(prefix) - 1                                         \
     && ngx_strncmp((str)->data, prefix, sizeof(prefix) - 1) == 0)

#define ngx_enroll_redis_is(str, word)                                        \
    ((str)->len == sizeof(word) - 1 && ngx_enroll_redis_starts(str, word))


static ngx_int_t ngx_enroll_redis_hello_format(
    ngx_enroll_redis_connection_t *conn, ngx_str_t *commands);
static ngx_int_t ngx_enroll_redis_hello_auth(
    ngx_enroll_redis_connection_t *conn, ngx_str_t *commands);
static ngx_int_t ngx_enroll_redis_hello_select(
    ngx_enroll_redis_connection_t *conn, ngx_str_t *commands);
static ngx_int_t ngx_enroll_redis_hello_probe(
    ngx_enroll_redis_connection_t *conn, ngx_str_t *commands);
static ngx_int_t ngx_enroll_redis_hello_wait(
    ngx_enroll_redis_connection_t *conn, ngx_str_t *commands);
static ngx_int_t ngx_enroll_redis_hello_add(
    ngx_enroll_redis_connection_t *conn, ngx_str_t *commands,
    const char *greeting, ngx_uint_t argc, const ngx_str_t *argv);
static const char *ngx_enroll_redis_hello_role(
    const ngx_enroll_resp_t *reply);
static ngx_uint_t ngx_enroll_redis_hello_allows(
    ngx_enroll_redis_connection_t *conn, const ngx_enroll_resp_t *reply);
static ngx_uint_t ngx_enroll_redis_hello_waitaof(
    const ngx_enroll_resp_t *reply);


/* also what a failure is named by */
static const char  ngx_enroll_redis_auth[] = "AUTH refused";
static const char  ngx_enroll_redis_select[] = "SELECT refused";
static const char  ngx_enroll_redis_setname[] = "CLIENT SETNAME refused";
static const char  ngx_enroll_redis_role[] = "ROLE refused";
static const char  ngx_enroll_redis_probe[] = "probe refused";
static const char  ngx_enroll_redis_waitaof[] = "WAITAOF refused";
static const char  ngx_enroll_redis_wait[] = "WAIT refused";
static const char  ngx_enroll_redis_ping[] = "PING refused";

/* the role that is wanted */
static const char  ngx_enroll_redis_master[] = "master";


ngx_int_t
ngx_enroll_redis_hello_create(ngx_enroll_redis_connection_t *conn)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    commands[NGX_ENROLL_REDIS_HELLO_MAX];
    ngx_uint_t   i;

    conn->ngreetings = 0;

    rc = ngx_enroll_redis_hello_format(conn, commands);

    ngx_str_null(&conn->hello);

    for (i = 0; i < conn->ngreetings; i++) {
        conn->hello.len += commands[i].len;
    }

    if (rc == NGX_OK) {
        conn->hello.data = ngx_pnalloc(conn->c->pool, conn->hello.len);
    }

    p = conn->hello.data;

    for (i = 0; i < conn->ngreetings; i++) {
        if (p) {
            p = ngx_cpymem(p, commands[i].data, commands[i].len);
        }

        ngx_explicit_memzero(commands[i].data, commands[i].len);
    }

    if (p == NULL) {
        conn->hello.len = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_hello_format(ngx_enroll_redis_connection_t *conn,
    ngx_str_t *commands)
{
    static const ngx_str_t  setname[] = {
        ngx_string("CLIENT"), ngx_string("SETNAME"), ngx_string("enroll")
    };
    static const ngx_str_t  role[] = { ngx_string("ROLE") };
    static const ngx_str_t  ping[] = { ngx_string("PING") };

    if (ngx_enroll_redis_hello_auth(conn, commands) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conn->conf->asked) {
        return ngx_enroll_redis_hello_add(conn, commands,
                                          ngx_enroll_redis_ping, 1, ping);
    }

    if (ngx_enroll_redis_hello_select(conn, commands) != NGX_OK
        || ngx_enroll_redis_hello_add(conn, commands,
                                      ngx_enroll_redis_setname, 3, setname)
           != NGX_OK
        || ngx_enroll_redis_hello_add(conn, commands,
                                      ngx_enroll_redis_role, 1, role)
           != NGX_OK
        || ngx_enroll_redis_hello_probe(conn, commands) != NGX_OK
        || ngx_enroll_redis_hello_wait(conn, commands) != NGX_OK
        || ngx_enroll_redis_hello_add(conn, commands,
                                      ngx_enroll_redis_ping, 1, ping)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_redis_hello_probe(ngx_enroll_redis_connection_t *conn,
    ngx_str_t *commands)
{
    ngx_str_t  argv[3];

    if (conn->conf->probe.len == 0) {
        return NGX_OK;
    }

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = conn->conf->probe;
    ngx_str_set(&argv[2], "0");

    return ngx_enroll_redis_hello_add(conn, commands, ngx_enroll_redis_probe,
                                      3, argv);
}


/* Both are answered at once: there is nothing to wait for. */

static ngx_int_t
ngx_enroll_redis_hello_wait(ngx_enroll_redis_connection_t *conn,
    ngx_str_t *commands)
{
    static const ngx_str_t  waitaof[] = {
        ngx_string("WAITAOF"), ngx_string("1"), ngx_string("0"),
        ngx_string("1")
    };
    static const ngx_str_t  wait[] = {
        ngx_string("WAIT"), ngx_string("0"), ngx_string("1")
    };

    conn->aof = 0;

    if (conn->conf->replicas == 0) {
        return NGX_OK;
    }

    if (ngx_enroll_redis_hello_add(conn, commands, ngx_enroll_redis_waitaof,
                                   4, waitaof)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_enroll_redis_hello_add(conn, commands, ngx_enroll_redis_wait,
                                      3, wait);
}


static ngx_int_t
ngx_enroll_redis_hello_auth(ngx_enroll_redis_connection_t *conn,
    ngx_str_t *commands)
{
    ngx_str_t   argv[3];
    ngx_uint_t  argc;

    if (conn->conf->password.len == 0) {
        return NGX_OK;
    }

    ngx_str_set(&argv[0], "AUTH");
    argc = 1;

    if (conn->conf->user.len) {
        argv[argc++] = conn->conf->user;
    }

    argv[argc++] = conn->conf->password;

    return ngx_enroll_redis_hello_add(conn, commands, ngx_enroll_redis_auth,
                                      argc, argv);
}


static ngx_int_t
ngx_enroll_redis_hello_select(ngx_enroll_redis_connection_t *conn,
    ngx_str_t *commands)
{
    u_char     number[NGX_INT_T_LEN];
    ngx_str_t  argv[2];

    if (conn->conf->database == 0) {
        return NGX_OK;
    }

    ngx_str_set(&argv[0], "SELECT");

    argv[1].data = number;
    argv[1].len = ngx_sprintf(number, "%ui", conn->conf->database) - number;

    return ngx_enroll_redis_hello_add(conn, commands,
                                      ngx_enroll_redis_select, 2, argv);
}


static ngx_int_t
ngx_enroll_redis_hello_add(ngx_enroll_redis_connection_t *conn,
    ngx_str_t *commands, const char *greeting, ngx_uint_t argc,
    const ngx_str_t *argv)
{
    if (ngx_enroll_resp_command(conn->c->pool, argc, argv,
                                &commands[conn->ngreetings])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    conn->greetings[conn->ngreetings++] = greeting;

    return NGX_OK;
}


void
ngx_enroll_redis_hello_reply(ngx_enroll_redis_connection_t *conn,
    const ngx_enroll_resp_t *reply, const char **failure)
{
    const char  *greeting;

    greeting = conn->greetings[conn->greeted];

    if (greeting == ngx_enroll_redis_waitaof) {
        conn->aof = ngx_enroll_redis_hello_waitaof(reply);
        return;
    }

    if (greeting == ngx_enroll_redis_wait && conn->aof) {
        return;
    }

    if (reply->type == NGX_ENROLL_RESP_ERROR) {

        if (ngx_enroll_redis_starts(&reply->str, "NOPERM")
            && (greeting == ngx_enroll_redis_setname
                || greeting == ngx_enroll_redis_ping))
        {
            return;
        }

        ngx_enroll_redis_connection_detail(conn, "%V", &reply->str);

        if (ngx_enroll_redis_starts(&reply->str, "LOADING")) {
            *failure = "LOADING";

        } else if (ngx_enroll_redis_starts(&reply->str, "MASTERDOWN")) {
            *failure = "MASTERDOWN";

        } else if (ngx_enroll_redis_starts(&reply->str, "BUSY ")) {
            *failure = "BUSY";

        } else if (ngx_enroll_redis_starts(&reply->str, "NOAUTH")) {
            *failure = "NOAUTH";

        } else {
            *failure = greeting;
        }

        return;
    }

    if (greeting == ngx_enroll_redis_role) {
        conn->server->role = ngx_enroll_redis_hello_role(reply);

        if (conn->server->role != ngx_enroll_redis_master) {
            *failure = "not a master";
        }
    }

    if (greeting == ngx_enroll_redis_probe
        && !ngx_enroll_redis_hello_allows(conn, reply))
    {
        *failure = "it hides or forbids what is needed";
    }

    if (greeting == ngx_enroll_redis_wait
        && reply->type != NGX_ENROLL_RESP_INTEGER)
    {
        *failure = greeting;
    }
}


static const char *
ngx_enroll_redis_hello_role(const ngx_enroll_resp_t *reply)
{
    const ngx_str_t  *role;

    if (reply->type != NGX_ENROLL_RESP_ARRAY
        || reply->nelts == 0
        || reply->elts[0].type != NGX_ENROLL_RESP_STRING)
    {
        return NULL;
    }

    role = &reply->elts[0].str;

    if (ngx_enroll_redis_is(role, "master")) {
        return ngx_enroll_redis_master;
    }

    if (ngx_enroll_redis_is(role, "slave")) {
        return "replica";
    }

    return ngx_enroll_redis_is(role, "sentinel") ? "sentinel" : NULL;
}


/* The detail says what is missing. */

static ngx_uint_t
ngx_enroll_redis_hello_allows(ngx_enroll_redis_connection_t *conn,
    const ngx_enroll_resp_t *reply)
{
    u_char      names[128], *p;
    ngx_uint_t  i;

    if (reply->type != NGX_ENROLL_RESP_ARRAY) {
        ngx_enroll_redis_connection_detail(conn, "the probe's answer");
        return 0;
    }

    if (reply->nelts == 0) {
        return 1;
    }

    p = names;

    for (i = 0; i < reply->nelts; i++) {
        if (reply->elts[i].type == NGX_ENROLL_RESP_STRING) {
            p = ngx_slprintf(p, names + sizeof(names), "%s%V",
                             p == names ? "" : ", ", &reply->elts[i].str);
        }
    }

    ngx_enroll_redis_connection_detail(conn, "%*s", (size_t) (p - names),
                                       names);
    return 0;
}


/* local, replicas */

static ngx_uint_t
ngx_enroll_redis_hello_waitaof(const ngx_enroll_resp_t *reply)
{
    return reply->type == NGX_ENROLL_RESP_ARRAY
           && reply->nelts == 2
           && reply->elts[0].type == NGX_ENROLL_RESP_INTEGER
           && reply->elts[1].type == NGX_ENROLL_RESP_INTEGER;
}
