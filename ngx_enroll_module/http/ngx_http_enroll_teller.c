
/*
 * One partition, and where the telling of its events stands. Of all tellers
 * of a partition, on all hosts, one holds it, by a lease in Redis, and goes
 * through its stream: an event is sent, acknowledged by a 2xx, noted in
 * Redis, and then comes the next. Who fails gives the partition back, and
 * when the pause is over any host may try.
 */

#include "ngx_http_enroll_teller.h"
#include "ngx_enroll_notice.h"


/* in ms */
#define NGX_HTTP_ENROLL_TELLER_LEASE   10000
#define NGX_HTTP_ENROLL_TELLER_RENEW   3000    /* while one is being sent */
#define NGX_HTTP_ENROLL_TELLER_POLL    1000    /* the holder, for events */
#define NGX_HTTP_ENROLL_TELLER_WAIT    2000    /* others, for the lease */
#define NGX_HTTP_ENROLL_TELLER_PAUSE   1000    /* the first; then doubled, */
#define NGX_HTTP_ENROLL_TELLER_PAUSES  300000  /* up to this */
#define NGX_HTTP_ENROLL_TELLER_DOWN    10000   /* between calls to a Redis
                                                  that does not answer */


static void ngx_http_enroll_teller_timer(ngx_event_t *ev);
static void ngx_http_enroll_teller_renew(ngx_http_enroll_teller_t *teller);
static void ngx_http_enroll_teller_proceed(ngx_http_enroll_teller_t *teller);
static void ngx_http_enroll_teller_ask(ngx_http_enroll_teller_t *teller,
    ngx_msec_t lease);
static void ngx_http_enroll_teller_answer(void *data,
    const ngx_enroll_notify_place_t *place);
static void ngx_http_enroll_teller_unanswered(
    ngx_http_enroll_teller_t *teller);
static void ngx_http_enroll_teller_lost(ngx_http_enroll_teller_t *teller,
    int64_t left);
static void ngx_http_enroll_teller_held(ngx_http_enroll_teller_t *teller,
    const ngx_enroll_notify_place_t *place);
static ngx_int_t ngx_http_enroll_teller_keep(ngx_http_enroll_teller_t *teller,
    const ngx_enroll_notify_place_t *place);
static void ngx_http_enroll_teller_tell(ngx_http_enroll_teller_t *teller);
static ngx_int_t ngx_http_enroll_teller_send(ngx_http_enroll_teller_t *teller,
    ngx_http_enroll_teller_event_t *event);
static ngx_int_t ngx_http_enroll_teller_sign(ngx_http_enroll_teller_t *teller,
    ngx_http_enroll_teller_event_t *event, json_t *claims);
static void ngx_http_enroll_teller_past(ngx_http_enroll_teller_t *teller);
static void ngx_http_enroll_teller_sent(ngx_http_enroll_send_t *send);
static void ngx_http_enroll_teller_failed(ngx_http_enroll_teller_t *teller);
static ngx_msec_t ngx_http_enroll_teller_pause(ngx_uint_t failures);
static void ngx_http_enroll_teller_later(ngx_http_enroll_teller_t *teller,
    ngx_msec_t delay);
static ngx_uint_t ngx_http_enroll_teller_leased(
    ngx_http_enroll_teller_t *teller);
static void ngx_http_enroll_teller_word(ngx_http_enroll_teller_word_t *word,
    const ngx_str_t *value);
static ngx_uint_t ngx_http_enroll_teller_same(const ngx_str_t *one,
    const ngx_str_t *other);


void
ngx_http_enroll_teller_start(ngx_http_enroll_teller_t *teller)
{
    teller->timer.handler = ngx_http_enroll_teller_timer;
    teller->timer.data = teller;
    teller->timer.log = ngx_cycle->log;
    teller->timer.cancelable = 1;

    teller->send.server = teller->conf->server;
    teller->send.uri = teller->conf->uri;
    teller->send.args = teller->conf->args;
    ngx_str_set(&teller->send.type, "application/secevent+jwt");
    teller->send.handler = ngx_http_enroll_teller_sent;
    teller->send.data = teller;

    /* not all at once */

    ngx_http_enroll_teller_later(teller, ngx_random()
                                         % NGX_HTTP_ENROLL_TELLER_POLL);
}


void
ngx_http_enroll_teller_leave(ngx_http_enroll_teller_t *teller)
{
    teller->leaving = 1;

    ngx_http_enroll_teller_proceed(teller);
}


static void
ngx_http_enroll_teller_timer(ngx_event_t *ev)
{
    ngx_http_enroll_teller_t  *teller;

    teller = ev->data;

    if (teller->sending) {
        ngx_http_enroll_teller_renew(teller);
        return;
    }

    ngx_http_enroll_teller_proceed(teller);
}


/* what a slow receiver is being told would otherwise be another's to tell */

static void
ngx_http_enroll_teller_renew(ngx_http_enroll_teller_t *teller)
{
    if (!ngx_http_enroll_teller_leased(teller)) {
        ngx_http_enroll_teller_lost(teller, 0);
        return;
    }

    if (!teller->asking) {
        ngx_http_enroll_teller_ask(teller, NGX_HTTP_ENROLL_TELLER_LEASE);
    }

    ngx_http_enroll_teller_later(teller, NGX_HTTP_ENROLL_TELLER_RENEW);
}


/* whatever is to be done next, where nothing is being waited for */

static void
ngx_http_enroll_teller_proceed(ngx_http_enroll_teller_t *teller)
{
    if (teller->asking || teller->sending) {
        return;
    }

    if (teller->held && (teller->failed || teller->leaving)) {
        ngx_http_enroll_teller_ask(teller, 0);
        return;
    }

    if (teller->leaving) {
        return;
    }

    if (!teller->held
        || teller->note
        || teller->next == teller->nevents
        || !ngx_http_enroll_teller_leased(teller))
    {
        ngx_http_enroll_teller_ask(teller, NGX_HTTP_ENROLL_TELLER_LEASE);
        return;
    }

    ngx_http_enroll_teller_tell(teller);
}


/* lease 0: it is given back */

static void
ngx_http_enroll_teller_ask(ngx_http_enroll_teller_t *teller,
    ngx_msec_t lease)
{
    ngx_enroll_notify_order_t  order;

    teller->asking = 1;
    teller->returning = (lease == 0);
    teller->asked = ngx_current_msec;
    teller->wanted = 0;

    if (lease && !teller->sending && teller->next == teller->nevents) {
        teller->wanted = NGX_HTTP_ENROLL_TELLER_BATCH;
    }

    ngx_http_enroll_teller_word(&teller->said, &teller->done.value);

    order.partition = teller->partition;
    order.holder = teller->name;
    order.lease = lease;
    order.last = teller->last.value;
    order.done = teller->said.value;
    order.seq = teller->seq.value;
    order.failures = teller->failures;
    order.pause = teller->failed ? teller->pause : 0;
    order.want = teller->wanted;

    if (ngx_enroll_notify(teller->redis, &order,
                          ngx_http_enroll_teller_answer, teller)
        != NGX_OK)
    {
        ngx_http_enroll_teller_answer(teller, NULL);
    }
}


static void
ngx_http_enroll_teller_answer(void *data,
    const ngx_enroll_notify_place_t *place)
{
    ngx_http_enroll_teller_t *teller = data;

    teller->asking = 0;

    if (place == NULL) {
        ngx_http_enroll_teller_unanswered(teller);
        return;
    }

    teller->unanswered = 0;

    if (!place->held) {
        ngx_http_enroll_teller_lost(teller, place->left);
        return;
    }

    ngx_http_enroll_teller_held(teller, place);
}


/* an outage is told by redis/; what was to be said is said again */

static void
ngx_http_enroll_teller_unanswered(ngx_http_enroll_teller_t *teller)
{
    ngx_msec_t  delay;

    teller->returning = 0;

    if (teller->sending || teller->leaving) {
        return;
    }

    delay = NGX_HTTP_ENROLL_TELLER_POLL << ngx_min(teller->unanswered, 4);
    teller->unanswered++;

    ngx_http_enroll_teller_later(teller,
                                 ngx_min(delay, NGX_HTTP_ENROLL_TELLER_DOWN));
}


/* another's, or nobody's for so many ms; what is being sent is his to send */

static void
ngx_http_enroll_teller_lost(ngx_http_enroll_teller_t *teller, int64_t left)
{
    teller->held = 0;
    teller->returning = 0;
    ngx_http_enroll_teller_drop(teller);

    if (teller->sending) {
        teller->moved = 1;
        ngx_http_enroll_send_abort(&teller->send);
        return;
    }

    if (teller->leaving) {
        return;
    }

    left = ngx_max(left, 0);
    left = ngx_min(left, NGX_HTTP_ENROLL_TELLER_WAIT);

    ngx_http_enroll_teller_later(teller, (ngx_msec_t) left);
}


static void
ngx_http_enroll_teller_held(ngx_http_enroll_teller_t *teller,
    const ngx_enroll_notify_place_t *place)
{
    ngx_str_t  *expected;

    expected = teller->said.value.len ? &teller->said.value
                                      : &teller->last.value;

    if (!ngx_http_enroll_teller_same(expected, &place->last)) {

        /* the first time, or somebody has set it by hand */

        ngx_http_enroll_teller_drop(teller);
        teller->moved = teller->sending;

    } else if (ngx_http_enroll_teller_same(&teller->said.value,
                                           &teller->done.value))
    {
        teller->done.value.len = 0;
        teller->note = 0;
    }

    ngx_http_enroll_teller_word(&teller->last, &place->last);

    if (teller->returning) {
        ngx_http_enroll_teller_lost(teller, place->left);
        return;
    }

    if (!teller->held) {
        teller->held = 1;
        teller->failures = place->failures;
    }

    teller->until = teller->asked + NGX_HTTP_ENROLL_TELLER_LEASE;

    if (teller->sending) {
        return;
    }

    if (teller->wanted) {

        if (ngx_http_enroll_teller_keep(teller, place) != NGX_OK
            || (teller->nevents == 0 && !teller->leaving))
        {
            ngx_http_enroll_teller_later(teller, NGX_HTTP_ENROLL_TELLER_POLL);
            return;
        }
    }

    ngx_http_enroll_teller_proceed(teller);
}


static ngx_int_t
ngx_http_enroll_teller_keep(ngx_http_enroll_teller_t *teller,
    const ngx_enroll_notify_place_t *place)
{
    ngx_uint_t                       i;
    ngx_enroll_resp_t               *entry;
    ngx_http_enroll_teller_event_t  *event;

    if (place->gone) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: the stream of partition %ui has lost %L "
                      "events before others were told of them",
                      teller->partition, place->gone);
    }

    teller->next = 0;
    teller->nevents = 0;

    for (i = 0; i < place->nevents && i < NGX_HTTP_ENROLL_TELLER_BATCH; i++) {
        entry = place->events[i].elts;
        event = &teller->events[i];

        ngx_http_enroll_teller_word(&event->id, &entry[0].str);
        event->json = NULL;

        if (entry[1].nelts) {
            event->json = ngx_http_enroll_event_json(&entry[1],
                                                     teller->partition);
            if (event->json == NULL) {
                ngx_http_enroll_teller_drop(teller);
                return NGX_ERROR;
            }
        }

        teller->nevents = i + 1;
    }

    return NGX_OK;
}


void
ngx_http_enroll_teller_drop(ngx_http_enroll_teller_t *teller)
{
    while (teller->next < teller->nevents) {
        json_decref(teller->events[teller->next++].json);
    }

    teller->next = 0;
    teller->nevents = 0;
    teller->done.value.len = 0;
    teller->note = 0;
    teller->failed = 0;
}


static void
ngx_http_enroll_teller_tell(ngx_http_enroll_teller_t *teller)
{
    ngx_int_t  rc;

    while (teller->next < teller->nevents) {

        rc = ngx_http_enroll_teller_send(teller,
                                         &teller->events[teller->next]);

        if (rc == NGX_OK) {
            teller->sending = 1;
            ngx_http_enroll_teller_later(teller, NGX_HTTP_ENROLL_TELLER_RENEW);
            return;
        }

        if (rc == NGX_ERROR) {
            teller->send.status = 0;
            ngx_http_enroll_teller_failed(teller);
            break;
        }

        ngx_http_enroll_teller_past(teller);
    }

    ngx_http_enroll_teller_proceed(teller);
}


/* NGX_DECLINED: nobody is told of it */

static ngx_int_t
ngx_http_enroll_teller_send(ngx_http_enroll_teller_t *teller,
    ngx_http_enroll_teller_event_t *event)
{
    json_t               *claims;
    ngx_int_t             rc;
    ngx_enroll_notice_t   notice;

    if (event->json == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: event %V of partition %ui is too large for "
                      "one of ours: others are not told of it",
                      &event->id.value, teller->partition);
        return NGX_DECLINED;
    }

    notice.iss = teller->conf->iss;
    notice.aud = teller->conf->aud;
    notice.partition = teller->partition;
    notice.id = event->id.value;
    notice.now = ngx_time();

    rc = ngx_enroll_notice(&notice, event->json, &claims);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_enroll_teller_sign(teller, event, claims);

    json_decref(claims);

    return rc;
}


static ngx_int_t
ngx_http_enroll_teller_sign(ngx_http_enroll_teller_t *teller,
    ngx_http_enroll_teller_event_t *event, json_t *claims)
{
    char       *jws;
    ngx_int_t   rc;
    ngx_str_t   body;

    jws = ngx_enroll_jwt_sign(teller->emcf->keys, NGX_ENROLL_NOTICE_TYP,
                              claims);
    if (jws == NULL) {
        return NGX_ERROR;
    }

    body.data = (u_char *) jws;
    body.len = ngx_strlen(jws);

    if (body.len <= NGX_HTTP_ENROLL_SEND_MAX) {
        rc = ngx_http_enroll_send(&teller->send, &body);

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: event %V of partition %ui makes a SET that is "
                      "too large: others are not told of it",
                      &event->id.value, teller->partition);
        rc = NGX_DECLINED;
    }

    free(jws);

    return rc;
}


/* done with the next one */

static void
ngx_http_enroll_teller_past(ngx_http_enroll_teller_t *teller)
{
    json_t                          *seq;
    ngx_str_t                        text;
    ngx_http_enroll_teller_event_t  *event;

    event = &teller->events[teller->next++];

    ngx_http_enroll_teller_word(&teller->done, &event->id.value);

    seq = json_object_get(event->json, "seq");
    text.data = teller->seq.text;
    text.len = 0;

    if (seq) {
        text.len = ngx_sprintf(text.data, "%L",
                               (int64_t) json_integer_value(seq))
                   - text.data;
    }

    teller->seq.value = text;
    json_decref(event->json);
}


static void
ngx_http_enroll_teller_sent(ngx_http_enroll_send_t *send)
{
    ngx_http_enroll_teller_t *teller = send->data;

    teller->sending = 0;

    if (teller->moved) {
        teller->moved = 0;
        ngx_http_enroll_teller_drop(teller);

    } else if (send->status >= NGX_HTTP_OK
               && send->status < NGX_HTTP_SPECIAL_RESPONSE)
    {
        ngx_http_enroll_zone_count(teller->emcf->zone,
                                   NGX_HTTP_ENROLL_COUNT_NOTIFIED);
        ngx_http_enroll_teller_past(teller);
        teller->failures = 0;
        teller->note = 1;

    } else {
        ngx_http_enroll_teller_failed(teller);
    }

    ngx_http_enroll_teller_proceed(teller);
}


static void
ngx_http_enroll_teller_failed(ngx_http_enroll_teller_t *teller)
{
    teller->failed = 1;
    teller->failures++;
    teller->pause = ngx_http_enroll_teller_pause(teller->failures);

    ngx_http_enroll_zone_count(teller->emcf->zone,
                               NGX_HTTP_ENROLL_COUNT_NOTIFY_FAILED);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "enroll: \"%V\" did not acknowledge event %V of partition "
                  "%ui: status %ui, failure %ui, again in %M ms",
                  &teller->conf->uri,
                  &teller->events[teller->next].id.value, teller->partition,
                  teller->send.status, teller->failures, teller->pause);
}


/* doubled with each failure, and a fifth more or less */

static ngx_msec_t
ngx_http_enroll_teller_pause(ngx_uint_t failures)
{
    ngx_msec_t  pause;

    pause = NGX_HTTP_ENROLL_TELLER_PAUSE << ngx_min(failures - 1, 16);
    pause = ngx_min(pause, NGX_HTTP_ENROLL_TELLER_PAUSES);

    return pause * 4 / 5 + (ngx_msec_t) ngx_random() % (pause * 2 / 5);
}


static void
ngx_http_enroll_teller_later(ngx_http_enroll_teller_t *teller,
    ngx_msec_t delay)
{
    /* one that nginx finds near enough to the old would be left alone */

    if (teller->timer.timer_set) {
        ngx_del_timer(&teller->timer);
    }

    ngx_add_timer(&teller->timer, delay + 1);
}


static ngx_uint_t
ngx_http_enroll_teller_leased(ngx_http_enroll_teller_t *teller)
{
    return teller->held
           && (ngx_msec_int_t) (teller->until - ngx_current_msec) > 0;
}


static void
ngx_http_enroll_teller_word(ngx_http_enroll_teller_word_t *word,
    const ngx_str_t *value)
{
    word->value.data = word->text;
    word->value.len = value->len;

    if (value->len) {
        ngx_memcpy(word->text, value->data, value->len);
    }
}


static ngx_uint_t
ngx_http_enroll_teller_same(const ngx_str_t *one, const ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || ngx_memcmp(one->data, other->data, one->len) == 0);
}
