
#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_KEEP_MIN  (60 * 1000)


static void ngx_http_enroll_observe_event(ngx_http_enroll_main_conf_t *emcf,
    ngx_enroll_resp_t *event, ngx_enroll_call_t *call);
static void ngx_http_enroll_observe_fence(ngx_enroll_resp_t *event,
    ngx_enroll_call_t *call);
static void ngx_http_enroll_observe_count(ngx_http_enroll_zone_t *zone,
    ngx_str_t *event, ngx_str_t *outcome);
static void ngx_http_enroll_observe_live(ngx_http_enroll_main_conf_t *emcf,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result);
static ngx_enroll_reason_e ngx_http_enroll_observe_end(ngx_str_t *state);


/*
 * Every result of the ledger passes here once, whether or not a request
 * still waits for it.
 */

void
ngx_http_enroll_observe(ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    u_char                        id[NGX_ENROLL_DIGEST_LEN];
    ngx_uint_t                    i;
    ngx_enroll_reason_e           end;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_enroll_main_conf_t  *emcf;

    elcf = call->ledger->data;
    emcf = ngx_http_cycle_get_module_main_conf((ngx_cycle_t *) ngx_cycle,
                                               ngx_http_enroll_module);

    if (result->unreplicated) {
        ngx_http_enroll_zone_count(emcf->zone,
                                   NGX_HTTP_ENROLL_COUNT_UNREPLICATED);
    }

    for (i = 0; i < result->nevents; i++) {
        ngx_http_enroll_observe_event(emcf, &result->events[i], call);
        ngx_http_enroll_event_write(elcf, NGX_LOG_NOTICE,
                           ngx_http_enroll_event_json(&result->events[i],
                                                      call->partition));
    }

    if (result->state.len == 0
        || ngx_enroll_call_raw(call->id, NGX_ENROLL_HEX_LEN, id)
           != NGX_OK)
    {
        return;
    }

    end = ngx_http_enroll_observe_end(&result->state);

    if (end != NGX_ENROLL_OK) {
        ngx_http_enroll_zone_note(emcf->zone, id, end, NULL,
                                  ngx_http_enroll_observe_keep(result));
        return;
    }

    ngx_http_enroll_observe_live(emcf, call, result);
}


/* a token that is spent, but whose session is still open */

static void
ngx_http_enroll_observe_live(ngx_http_enroll_main_conf_t *emcf,
    ngx_enroll_call_t *call, ngx_enroll_result_t *result)
{
    u_char                       id[NGX_ENROLL_DIGEST_LEN],
                                 session[NGX_ENROLL_DIGEST_LEN];
    int64_t                      left;
    ngx_http_enroll_facts_t      facts;
    ngx_http_enroll_loc_conf_t  *elcf;

    if (ngx_enroll_call_raw(call->id, NGX_ENROLL_HEX_LEN, id)
        != NGX_OK
        || ngx_enroll_call_raw(result->session.data,
                                       result->session.len, session)
           != NGX_OK)
    {
        return;
    }

    ngx_http_enroll_zone_note(emcf->zone, id, NGX_ENROLL_REDEEMED, session,
                              ngx_http_enroll_observe_keep(result));

    if (call->script != NGX_ENROLL_SCRIPT_SHOW
        || result->verdict != NGX_ENROLL_OK)
    {
        /* whatever changed the record ends what was known of it */
        ngx_http_enroll_zone_cache(emcf->zone, id, NULL, 0);
        return;
    }

    elcf = call->ledger->data;
    facts.subject = result->subject;
    facts.class = result->class;
    facts.proof = result->proof;

    left = ngx_atoof(result->session_ends_at.data,
                     result->session_ends_at.len)
           - result->now;
    left = ngx_min(left, (int64_t) elcf->session_cache);

    ngx_http_enroll_zone_cache(emcf->zone, id, &facts,
                               (ngx_msec_t) ngx_max(left, 0));
}


static void
ngx_http_enroll_observe_event(ngx_http_enroll_main_conf_t *emcf,
    ngx_enroll_resp_t *event, ngx_enroll_call_t *call)
{
    u_char               raw[NGX_ENROLL_DIGEST_LEN];
    ngx_str_t            name, outcome, id, to;
    ngx_enroll_reason_e  end;

    name = ngx_enroll_call_field(event, "event");
    outcome = ngx_enroll_call_field(event, "outcome");

    ngx_http_enroll_observe_count(emcf->zone, &name, &outcome);

    if (name.len == 5 && ngx_memcmp(name.data, "fence", 5) == 0) {
        ngx_http_enroll_observe_fence(event, call);
        return;
    }

    /* a token that this call ended, but that is not the call's own */

    id = ngx_enroll_call_field(event, "id");
    to = ngx_enroll_call_field(event, "to");
    end = ngx_http_enroll_observe_end(&to);

    if (end == NGX_ENROLL_OK
        || ngx_enroll_call_raw(id.data, id.len, raw) != NGX_OK
        || ngx_memcmp(id.data, call->id, NGX_ENROLL_HEX_LEN) == 0)
    {
        return;
    }

    ngx_http_enroll_zone_note(emcf->zone, raw, end, NULL,
                              NGX_HTTP_ENROLL_KEEP_UNKNOWN);
}


/* it explains the refusals that follow, so it is told where errors are */

static void
ngx_http_enroll_observe_fence(ngx_enroll_resp_t *event,
    ngx_enroll_call_t *call)
{
    ngx_str_t  why, from, to, voided;

    why = ngx_enroll_call_field(event, "why");
    from = ngx_enroll_call_field(event, "from");
    to = ngx_enroll_call_field(event, "to");
    voided = ngx_enroll_call_field(event, "voided");

    if (from.len == to.len && ngx_memcmp(from.data, to.data, to.len) == 0) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "enroll: partition %ui goes on with another "
                      "incarnation of Redis (%V)", call->partition, &why);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "enroll: partition %ui begins a new epoch (%V): %V live "
                  "tokens are void", call->partition, &why, &voided);
}


static void
ngx_http_enroll_observe_count(ngx_http_enroll_zone_t *zone, ngx_str_t *event,
    ngx_str_t *outcome)
{
    ngx_str_t   *word;
    ngx_uint_t   i;

    word = outcome->len ? outcome : event;

    for (i = 0; i < NGX_HTTP_ENROLL_COUNT_TOMBSTONE; i++) {

        if (word->len == ngx_http_enroll_count_names[i].len
            && ngx_memcmp(word->data, ngx_http_enroll_count_names[i].data,
                          word->len) == 0)
        {
            ngx_http_enroll_zone_count(zone, i);
            return;
        }
    }
}


/* the terminal state of that name, or NGX_ENROLL_OK */

static ngx_enroll_reason_e
ngx_http_enroll_observe_end(ngx_str_t *state)
{
    ngx_enroll_reason_e  reason;

    reason = ngx_enroll_reason_find(state);

    switch (reason) {

    case NGX_ENROLL_ENROLLED:
    case NGX_ENROLL_EXPIRED:
    case NGX_ENROLL_REVOKED:
    case NGX_ENROLL_LOCKED:
    case NGX_ENROLL_VOID:
        return reason;

    default:
        return NGX_ENROLL_OK;
    }
}


ngx_enroll_reason_e
ngx_http_enroll_observe_spent(ngx_str_t *state)
{
    switch (ngx_enroll_reason_find(state)) {

    case NGX_ENROLL_REDEEMED:
    case NGX_ENROLL_CLAIMED:
        return NGX_ENROLL_REDEEMED;

    default:
        return ngx_http_enroll_observe_end(state);
    }
}


ngx_msec_t
ngx_http_enroll_observe_keep(ngx_enroll_result_t *result)
{
    int64_t  expires, ends;

    expires = ngx_atoof(result->expires_at.data, result->expires_at.len);
    ends = ngx_atoof(result->session_ends_at.data,
                     result->session_ends_at.len);

    expires = ngx_max(expires, ends) - result->now;

    return (ngx_msec_t) ngx_max(expires, NGX_HTTP_ENROLL_KEEP_MIN);
}
