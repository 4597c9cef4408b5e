
/*
 * The path behind all joiner events, whatever form they came in: may this
 * issuer order this, does the event have what the class requires, and then
 * the ledger, and the delivery.
 */

#include "ngx_http_enroll_module.h"

#include <openssl/crypto.h>


/* ms: longer than a gateway takes; then nobody is delivering it any more */
#define NGX_HTTP_ENROLL_ORDER_PENDING  (5 * 60 * 1000)


struct ngx_http_enroll_order_s {
    ngx_http_enroll_class_t    *class;
    ngx_http_enroll_order_pt    answer;
    ngx_str_t                   issuer;
    ngx_str_t                   event;
    json_t                     *letter;      /* what is delivered, but for
                                                the token */
    ngx_uint_t                  partition;
    u_char                      id[NGX_ENROLL_HEX_LEN];
    int64_t                     expires_at;
    ngx_uint_t                  pending;     /* issued, not delivered yet */
};


static ngx_int_t ngx_http_enroll_order_refuse(ngx_http_request_t *r,
    ngx_http_enroll_order_pt answer, ngx_enroll_reason_e reason,
    const char *detail);
static ngx_http_enroll_class_t *ngx_http_enroll_order_class(
    ngx_http_request_t *r, ngx_http_enroll_issuer_t *issuer,
    const ngx_str_t *name);
static const char *ngx_http_enroll_order_channel(
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_class_t *class,
    ngx_str_t *channel);
static ngx_uint_t ngx_http_enroll_order_may_use(
    ngx_http_enroll_issuer_t *issuer, ngx_enroll_class_t *class,
    const ngx_str_t *channel);
static ngx_uint_t ngx_http_enroll_order_listed(const ngx_str_t *list,
    ngx_uint_t n, const ngx_str_t *word);
static const char *ngx_http_enroll_order_ttl(ngx_http_request_t *r,
    ngx_enroll_class_t *class, const ngx_enroll_joiner_t *joiner,
    ngx_enroll_order_t *order);
static ngx_int_t ngx_http_enroll_order_missing(ngx_http_request_t *r,
    ngx_enroll_class_t *class, const ngx_enroll_joiner_t *joiner,
    ngx_str_t *missing);
static ngx_uint_t ngx_http_enroll_order_has(
    const ngx_enroll_joiner_t *joiner, const ngx_str_t *name);
static ngx_int_t ngx_http_enroll_order_incomplete(ngx_http_request_t *r,
    ngx_enroll_order_t *order, ngx_str_t *missing,
    ngx_http_enroll_order_pt answer);
static ngx_int_t ngx_http_enroll_order_ask(ngx_http_request_t *r,
    ngx_enroll_order_t *order, ngx_http_enroll_class_t *class,
    ngx_http_enroll_order_pt answer);
static json_t *ngx_http_enroll_order_letter(ngx_enroll_order_t *order);
static void ngx_http_enroll_order_answered(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);
static void ngx_http_enroll_order_repeated(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result,
    ngx_http_enroll_ordered_t *ordered);
static ngx_int_t ngx_http_enroll_order_made(ngx_http_request_t *r,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result);
static ngx_int_t ngx_http_enroll_order_url(ngx_http_request_t *r,
    ngx_enroll_call_t *call, ngx_str_t *url);
static ngx_int_t ngx_http_enroll_order_deliver(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered);
static void ngx_http_enroll_order_delivered(ngx_http_request_t *r,
    ngx_uint_t delivered);
static void ngx_http_enroll_order_undo(ngx_http_request_t *r);
static void ngx_http_enroll_order_cleanup(void *data);
static void ngx_http_enroll_order_release(void *data);


ngx_int_t
ngx_http_enroll_order(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, const ngx_str_t *event,
    const ngx_enroll_joiner_t *joiner, ngx_http_enroll_order_pt answer)
{
    const char                *wrong;
    ngx_str_t                  missing;
    ngx_uint_t                 i;
    ngx_keyval_t               attributes[NGX_ENROLL_ATTRIBUTES_MAX];
    ngx_enroll_class_t        *policy;
    ngx_enroll_order_t         order;
    ngx_http_enroll_class_t   *class;

    class = ngx_http_enroll_order_class(r, issuer, &joiner->class);
    if (class == NULL) {
        return ngx_http_enroll_order_refuse(r, answer, NGX_ENROLL_CLASS,
                   "This issuer may not issue tokens of this class.");
    }

    policy = &class->policy;

    ngx_memzero(&order, sizeof(ngx_enroll_order_t));
    order.subject = joiner->subject;
    order.class = policy->name;
    order.exception = policy->parent;
    order.recovers = class->recovers;
    order.deliver = (class->deliver.len > 0);
    order.issuer = issuer->name;
    order.event = *event;
    order.requester = joiner->requester;
    order.channel = joiner->channel;
    order.window = policy->window;
    order.attempts = policy->attempts;
    order.client = r->connection->addr_text;
    order.nattributes = joiner->nattributes;
    order.attributes = attributes;

    for (i = 0; i < joiner->nattributes; i++) {
        attributes[i].key = joiner->attributes[i].name;
        attributes[i].value = joiner->attributes[i].value;
    }

    wrong = ngx_http_enroll_order_channel(issuer, policy, &order.channel);
    if (wrong) {
        return ngx_http_enroll_order_refuse(r, answer, NGX_ENROLL_CHANNEL,
                                            wrong);
    }

    wrong = ngx_http_enroll_order_ttl(r, policy, joiner, &order);
    if (wrong) {
        return ngx_http_enroll_order_refuse(r, answer, NGX_ENROLL_BODY,
                                            wrong);
    }

    if (ngx_http_enroll_order_missing(r, policy, joiner, &missing) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (missing.len) {
        return ngx_http_enroll_order_incomplete(r, &order, &missing, answer);
    }

    return ngx_http_enroll_order_ask(r, &order, class, answer);
}


static ngx_int_t
ngx_http_enroll_order_refuse(ngx_http_request_t *r,
    ngx_http_enroll_order_pt answer, ngx_enroll_reason_e reason,
    const char *detail)
{
    ngx_http_enroll_ordered_t  ordered;

    ngx_memzero(&ordered, sizeof(ngx_http_enroll_ordered_t));
    ordered.reason = reason;
    ordered.detail = detail;

    return answer(r, &ordered);
}


static ngx_http_enroll_class_t *
ngx_http_enroll_order_class(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, const ngx_str_t *name)
{
    ngx_str_t                    *allowed;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    allowed = issuer->classes->elts;

    if (name->len == 0) {
        return ngx_http_enroll_class_find(emcf, &allowed[0]);
    }

    return ngx_http_enroll_order_listed(allowed, issuer->classes->nelts, name)
           ? ngx_http_enroll_class_find(emcf, name) : NULL;
}


/*
 * The channel has to be one that both the class and the issuer may use. One
 * that is not said is the only one there is; a SET cannot say it, and takes
 * the first.
 */

static const char *
ngx_http_enroll_order_channel(ngx_http_enroll_issuer_t *issuer,
    ngx_enroll_class_t *class, ngx_str_t *channel)
{
    ngx_str_t   *list, *first;
    ngx_uint_t   i, n, nlist;

    static ngx_str_t  unspecified = ngx_string("unspecified");

    if (class->nchannels == 0 && issuer->channels == NULL) {

        if (channel->len == 0) {
            *channel = unspecified;
        }

        return NULL;
    }

    if (channel->len) {
        return ngx_http_enroll_order_may_use(issuer, class, channel)
               ? NULL : "This channel may not be used.";
    }

    list = class->nchannels ? class->channels : issuer->channels->elts;
    nlist = class->nchannels ? class->nchannels : issuer->channels->nelts;
    first = NULL;
    n = 0;

    for (i = 0; i < nlist; i++) {
        if (ngx_http_enroll_order_may_use(issuer, class, &list[i])) {
            first = first ? first : &list[i];
            n++;
        }
    }

    if (n == 0) {
        return "The issuer and the class have no channel in common.";
    }

    if (n > 1 && issuer->jwks == NULL) {
        return "\"channel\" is needed: there are several to choose from.";
    }

    *channel = *first;

    return NULL;
}


static ngx_uint_t
ngx_http_enroll_order_may_use(ngx_http_enroll_issuer_t *issuer,
    ngx_enroll_class_t *class, const ngx_str_t *channel)
{
    return (class->nchannels == 0
            || ngx_http_enroll_order_listed(class->channels, class->nchannels,
                                            channel))
           && (issuer->channels == NULL
               || ngx_http_enroll_order_listed(issuer->channels->elts,
                                               issuer->channels->nelts,
                                               channel));
}


static ngx_uint_t
ngx_http_enroll_order_listed(const ngx_str_t *list, ngx_uint_t n,
    const ngx_str_t *word)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (list[i].len == word->len
            && ngx_memcmp(list[i].data, word->data, word->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the shortest of what the class and the channel allow; less may be asked */

static const char *
ngx_http_enroll_order_ttl(ngx_http_request_t *r, ngx_enroll_class_t *class,
    const ngx_enroll_joiner_t *joiner, ngx_enroll_order_t *order)
{
    u_char           *text;
    ngx_msec_t        ceiling;
    const char       *what;
    const ngx_str_t  *name;

    order->ttl = class->ttl;
    what = "class";
    name = &class->name;

    ceiling = ngx_enroll_channel_ceiling(&order->channel);

    if (ceiling && ceiling < order->ttl) {
        order->ttl = ceiling;
        what = "channel";
        name = &order->channel;
    }

    if (joiner->ttl == 0) {
        return NULL;
    }

    if ((ngx_msec_t) joiner->ttl <= order->ttl / 1000) {
        order->ttl = (ngx_msec_t) joiner->ttl * 1000;
        return NULL;
    }

    text = ngx_pnalloc(r->pool, NGX_ENROLL_ERR_LEN);
    if (text == NULL) {
        return "\"ttl\" is too long.";
    }

    (void) ngx_snprintf(text, NGX_ENROLL_ERR_LEN,
                        "\"ttl\" is longer than the %M seconds that %s "
                        "\"%V\" allows.%Z", order->ttl / 1000, what, name);

    return (const char *) text;
}


/* the names of what the class requires and the event lacks, in r->pool */

static ngx_int_t
ngx_http_enroll_order_missing(ngx_http_request_t *r,
    ngx_enroll_class_t *class, const ngx_enroll_joiner_t *joiner,
    ngx_str_t *missing)
{
    size_t      len;
    u_char     *p;
    ngx_uint_t  i;

    static ngx_str_t  requester = ngx_string("requester");

    len = requester.len + 2;

    for (i = 0; i < class->nrequire; i++) {
        len += class->require[i].len + 2;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    missing->data = p;

    for (i = 0; i < class->nrequire; i++) {
        if (!ngx_http_enroll_order_has(joiner, &class->require[i])) {
            p = ngx_sprintf(p, "%V, ", &class->require[i]);
        }
    }

    /* otherwise nobody could tell that he does not approve his own wish */

    if (class->approvals && joiner->requester.len == 0) {
        p = ngx_sprintf(p, "%V, ", &requester);
    }

    missing->len = p - missing->data;

    if (missing->len) {
        missing->len -= 2;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_enroll_order_has(const ngx_enroll_joiner_t *joiner,
    const ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < joiner->nattributes; i++) {

        if (joiner->attributes[i].name.len == name->len
            && ngx_memcmp(joiner->attributes[i].name.data, name->data,
                          name->len)
               == 0)
        {
            return joiner->attributes[i].value.len > 0;
        }
    }

    return 0;
}


/* contractors and acquisitions come so: to be seen, not to be guessed */

static ngx_int_t
ngx_http_enroll_order_incomplete(ngx_http_request_t *r,
    ngx_enroll_order_t *order, ngx_str_t *missing,
    ngx_http_enroll_order_pt answer)
{
    u_char               *text;
    size_t                len;
    ngx_enroll_ledger_t  *ledger;

    ledger = ngx_http_enroll_ledger(r);
    len = missing->len + sizeof("The event lacks: .");

    text = ngx_pnalloc(r->pool, len);
    if (text == NULL || ledger == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_sprintf(text, "The event lacks: %V.%Z", missing);

    ngx_enroll_refuse_order(ledger, order, NGX_ENROLL_ATTRIBUTES, missing);

    return ngx_http_enroll_order_refuse(r, answer, NGX_ENROLL_ATTRIBUTES,
                                        (const char *) text);
}


static ngx_int_t
ngx_http_enroll_order_ask(ngx_http_request_t *r, ngx_enroll_order_t *order,
    ngx_http_enroll_class_t *class, ngx_http_enroll_order_pt answer)
{
    ngx_http_cleanup_t       *cln;
    ngx_pool_cleanup_t       *pcln;
    ngx_enroll_ledger_t      *ledger;
    ngx_http_enroll_ctx_t    *ctx;
    ngx_http_enroll_order_t  *o;

    ctx = ngx_http_enroll_ctx_find(r);
    ledger = ngx_http_enroll_ledger_attended(r, ctx);

    cln = ngx_http_cleanup_add(r, 0);
    pcln = ngx_pool_cleanup_add(r->pool, 0);
    o = ngx_pcalloc(r->pool, sizeof(ngx_http_enroll_order_t));

    if (ledger == NULL || cln == NULL || pcln == NULL || o == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    o->class = class;
    o->answer = answer;
    o->issuer = order->issuer;
    o->event.len = order->event.len;
    o->event.data = ngx_pstrdup(r->pool, &order->event);
    if (o->event.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (class->deliver.len) {
        o->letter = ngx_http_enroll_order_letter(order);
        if (o->letter == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        pcln->handler = ngx_http_enroll_order_release;
        pcln->data = o->letter;
    }

    ctx->order = o;
    cln->handler = ngx_http_enroll_order_cleanup;
    cln->data = r;

    ctx->call = ngx_enroll_issue(ledger, order,
                                 ngx_http_enroll_order_answered, ctx);

    return ctx->call ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static json_t *
ngx_http_enroll_order_letter(ngx_enroll_order_t *order)
{
    json_t      *letter, *attributes;
    ngx_uint_t   i;

    attributes = json_object();

    for (i = 0; i < order->nattributes; i++) {

        /* NUL-terminated: they come of JSON, or of a constant */

        (void) json_object_set_new(attributes,
                   (char *) order->attributes[i].key.data,
                   json_stringn((char *) order->attributes[i].value.data,
                                order->attributes[i].value.len));
    }

    letter = json_pack("{s:s%, s:s%, s:s%, s:s%, s:s%, s:o}",
                       "subject", order->subject.data, order->subject.len,
                       "class", order->class.data, order->class.len,
                       "channel", order->channel.data, order->channel.len,
                       "issuer", order->issuer.data, order->issuer.len,
                       "event", order->event.data, order->event.len,
                       "attributes", attributes);

    if (letter && order->requester.len) {
        (void) json_object_set_new(letter, "requester",
                   json_stringn((char *) order->requester.data,
                                order->requester.len));
    }

    return letter;
}


static void
ngx_http_enroll_order_release(void *data)
{
    json_decref(data);
}


static void
ngx_http_enroll_order_answered(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t                   rc;
    ngx_http_request_t         *r;
    ngx_http_enroll_ctx_t      *ctx;
    ngx_http_enroll_ordered_t   ordered;

    ctx = call->data;
    r = ctx->request;

    ngx_http_enroll_ctx_answered(ctx, result);

    if (result->verdict == NGX_ENROLL_OK) {
        rc = ngx_http_enroll_order_made(r, call, result);

    } else {
        ngx_memzero(&ordered, sizeof(ngx_http_enroll_ordered_t));

        ordered.reason = result->verdict;
        ordered.id.data = call->id;
        ordered.id.len = NGX_ENROLL_HEX_LEN;
        ordered.state = result->state;

        if (result->lost) {
            ordered.detail = "It is not known whether a token was made. "
                             "Repeat the event.";

        } else if (result->verdict == NGX_ENROLL_CLASS) {
            ordered.detail = "The subject has enrolled by a class that this "
                             "one is no exception of.";

        } else if (result->verdict == NGX_ENROLL_UNKNOWN) {
            ordered.reason = NGX_ENROLL_ENDED;
            ordered.detail = "The event was answered long ago, and the token "
                             "has ended: send another event.";

        } else if (result->verdict == NGX_ENROLL_CLAIMED) {
            ordered.detail = "The subject is registering a passkey just now. "
                             "If the outcome of that does not come, revoke "
                             "the token first.";

        } else if (result->verdict == NGX_ENROLL_REVOKED) {
            ordered.detail = "The subject has left since this event was "
                             "first sent.";
        }

        if (result->verdict == NGX_ENROLL_REPEAT) {
            ngx_http_enroll_order_repeated(ctx, call, result, &ordered);
        }

        rc = ctx->order->answer(r, &ordered);
    }

    if (rc == NGX_AGAIN) {
        /* the delivery has begun */
        ngx_http_run_posted_requests(r->connection);
        return;
    }

    ngx_http_enroll_finalize(r, rc);
}


/*
 * The same event again. Where its token is still on its way out, or whoever
 * was delivering it is gone, its sender has to come back.
 */

static void
ngx_http_enroll_order_repeated(ngx_http_enroll_ctx_t *ctx,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result,
    ngx_http_enroll_ordered_t *ordered)
{
    int64_t    issued_at;
    ngx_str_t  delivery, text;

    ctx->reason = NGX_ENROLL_OK;
    ngx_memcpy(ctx->hex, call->id, NGX_ENROLL_HEX_LEN);

    delivery = ngx_enroll_call_field(result->record, "delivery");

    if (delivery.len != 7
        || ngx_strncmp(delivery.data, "pending", 7) != 0
        || result->state.len != 6
        || ngx_strncmp(result->state.data, "issued", 6) != 0)
    {
        return;
    }

    text = ngx_enroll_call_field(result->record, "issued_at");
    issued_at = ngx_atoof(text.data, text.len);

    if (result->now - issued_at < NGX_HTTP_ENROLL_ORDER_PENDING) {
        ordered->reason = NGX_ENROLL_UNAVAILABLE;
        ordered->detail = "The token is being delivered. Repeat the event "
                          "later.";
        return;
    }

    ngx_enroll_undo(call->ledger, call->partition, call->id,
                    &ctx->order->issuer, &ctx->order->event, "undelivered",
                    &call->client);

    ordered->reason = NGX_ENROLL_UNDELIVERED;
}


static ngx_int_t
ngx_http_enroll_order_made(ngx_http_request_t *r, ngx_enroll_call_t *call,
    ngx_enroll_result_t *result)
{
    ngx_int_t                   rc;
    ngx_http_enroll_ctx_t      *ctx;
    ngx_http_enroll_order_t    *o;
    ngx_http_enroll_ordered_t   ordered;

    ctx = ngx_http_enroll_ctx_find(r);
    o = ctx->order;

    ngx_memcpy(ctx->hex, call->id, NGX_ENROLL_HEX_LEN);
    ngx_memcpy(o->id, call->id, NGX_ENROLL_HEX_LEN);
    o->partition = call->partition;
    o->expires_at = ngx_atoof(result->expires_at.data,
                              result->expires_at.len);
    o->pending = 1;

    ngx_memzero(&ordered, sizeof(ngx_http_enroll_ordered_t));
    ordered.id.data = o->id;
    ordered.id.len = NGX_ENROLL_HEX_LEN;
    ngx_str_set(&ordered.state, "issued");
    ordered.expires_at = o->expires_at;
    ordered.token.data = call->text;
    ordered.token.len = NGX_ENROLL_TOKEN_LEN;

    if (ngx_http_enroll_order_url(r, call, &ordered.url) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (o->letter) {
        rc = ngx_http_enroll_order_deliver(r, &ordered);

    } else {
        o->pending = 0;
        rc = o->answer(r, &ordered);
    }

    OPENSSL_cleanse(ordered.url.data, ordered.url.len);

    return rc;
}


static ngx_int_t
ngx_http_enroll_order_url(ngx_http_request_t *r, ngx_enroll_call_t *call,
    ngx_str_t *url)
{
    u_char                      *p;
    ngx_str_t                    base;
    ngx_http_enroll_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);

    if (ngx_http_complex_value(r, elcf->url, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    url->len = base.len + 1 + NGX_ENROLL_TOKEN_LEN;
    url->data = ngx_pnalloc(r->pool, url->len);
    if (url->data == NULL) {
        return NGX_ERROR;
    }

    /* in the fragment, which browsers send to no server (I5) */

    p = ngx_cpymem(url->data, base.data, base.len);
    *p++ = '#';
    ngx_memcpy(p, call->text, NGX_ENROLL_TOKEN_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_enroll_order_deliver(ngx_http_request_t *r,
    ngx_http_enroll_ordered_t *ordered)
{
    json_t                   *secret;
    ngx_str_t                 body;
    ngx_int_t                 rc;
    ngx_http_enroll_ctx_t    *ctx;
    ngx_http_enroll_order_t  *o;

    ctx = ngx_http_enroll_ctx_find(r);
    o = ctx->order;

    secret = json_pack("{s:s%, s:s%, s:s%, s:I}",
                       "id", o->id, (size_t) NGX_ENROLL_HEX_LEN,
                       "token", ordered->token.data, ordered->token.len,
                       "url", ordered->url.data, ordered->url.len,
                       "expires_at", (json_int_t) o->expires_at);

    rc = NGX_ERROR;

    if (secret && json_object_update(secret, o->letter) == 0
        && ngx_http_enroll_json_text(r->pool, secret, &body) == NGX_OK)
    {
        rc = ngx_http_enroll_deliver(r, &o->class->deliver, &body,
                                     ngx_http_enroll_order_delivered);
    }

    ngx_http_enroll_json_cleanse(secret, "token");
    ngx_http_enroll_json_cleanse(secret, "url");
    json_decref(secret);

    if (rc == NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_http_enroll_order_undo(r);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_enroll_order_delivered(ngx_http_request_t *r, ngx_uint_t delivered)
{
    ngx_http_enroll_ctx_t      *ctx;
    ngx_http_enroll_order_t    *o;
    ngx_http_enroll_ordered_t   ordered;

    ctx = ngx_http_enroll_ctx_find(r);
    o = ctx->order;

    ngx_memzero(&ordered, sizeof(ngx_http_enroll_ordered_t));

    if (delivered) {
        o->pending = 0;

        ngx_enroll_delivered(ngx_http_enroll_ledger(r), o->partition, o->id,
                             &r->connection->addr_text);

        ordered.id.data = o->id;
        ordered.id.len = NGX_ENROLL_HEX_LEN;
        ngx_str_set(&ordered.state, "issued");
        ordered.expires_at = o->expires_at;

    } else {
        ngx_http_enroll_order_undo(r);
        ordered.reason = NGX_ENROLL_UNDELIVERED;
        ctx->told = 0;
    }

    ngx_http_finalize_request(r, o->answer(r, &ordered));
}


/* it has reached nobody, or perhaps somebody: it must not be of use */

static void
ngx_http_enroll_order_undo(ngx_http_request_t *r)
{
    ngx_http_enroll_ctx_t    *ctx;
    ngx_http_enroll_order_t  *o;

    ctx = ngx_http_enroll_ctx_find(r);
    o = ctx->order;

    if (!o->pending) {
        return;
    }

    o->pending = 0;

    ngx_enroll_undo(ngx_http_enroll_ledger(r), o->partition, o->id,
                    &o->issuer, &o->event, "undelivered",
                    &r->connection->addr_text);
}


static void
ngx_http_enroll_order_cleanup(void *data)
{
    ngx_http_enroll_order_undo(data);
}
