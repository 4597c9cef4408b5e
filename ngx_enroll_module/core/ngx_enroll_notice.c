
#include "ngx_enroll_notice.h"

#include <stdio.h>
#include <string.h>


/* of an authenticator that does not say what it is */
#define NGX_ENROLL_NOTICE_NO_AAGUID  "00000000-0000-0000-0000-000000000000"


static const char *ngx_enroll_notice_type(json_t *event);
static ngx_uint_t ngx_enroll_notice_replay(json_t *event);
static json_t *ngx_enroll_notice_payload(json_t *event, const char *type);
static json_t *ngx_enroll_notice_credential(json_t *event);
static ngx_uint_t ngx_enroll_notice_platform(const char *transports);
static json_t *ngx_enroll_notice_claims(const ngx_enroll_notice_t *notice,
    json_t *event);
static json_t *ngx_enroll_notice_whole(json_t *json, int rc);
static json_int_t ngx_enroll_notice_time(json_t *event);
static const char *ngx_enroll_notice_text(json_t *event, const char *name);
static ngx_uint_t ngx_enroll_notice_is(json_t *event, const char *name,
    const char *value);


ngx_int_t
ngx_enroll_notice(const ngx_enroll_notice_t *notice, json_t *event,
    json_t **claims)
{
    json_t      *payload, *events;
    const char  *type;

    *claims = NULL;

    type = ngx_enroll_notice_type(event);
    if (type == NULL) {
        return NGX_DECLINED;
    }

    payload = ngx_enroll_notice_payload(event, type);
    events = json_pack("{s:o}", type, payload);
    *claims = ngx_enroll_notice_claims(notice, event);

    if (json_object_set_new(*claims, "events", events) != 0) {
        json_decref(*claims);
        *claims = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NULL: an event that nobody acts upon */

static const char *
ngx_enroll_notice_type(json_t *event)
{
    if (ngx_enroll_notice_is(event, "event", "settle")) {

        if (ngx_enroll_notice_is(event, "outcome", "enrolled")) {
            return NGX_ENROLL_NOTICE_CAEP;
        }

        if (ngx_enroll_notice_is(event, "to", "locked")) {
            return NGX_ENROLL_NOTICE_URN "lock";
        }

        return NULL;
    }

    if (ngx_enroll_notice_replay(event)) {
        return NGX_ENROLL_NOTICE_URN "replay";
    }

    if (ngx_enroll_notice_is(event, "event", "lock")) {
        return NGX_ENROLL_NOTICE_URN "lock";
    }

    if (ngx_enroll_notice_is(event, "event", "revoke")) {
        return NGX_ENROLL_NOTICE_URN "revoke";
    }

    if (ngx_enroll_notice_is(event, "event", "fence")) {
        return NGX_ENROLL_NOTICE_URN "fence";
    }

    if (ngx_enroll_notice_is(event, "event", "issue")
        && ngx_enroll_notice_text(event, "exception")[0] != '\0')
    {
        return NGX_ENROLL_NOTICE_URN "exception";
    }

    return NULL;
}


/*
 * A token that was spent is presented again: to be redeemed, or by a bearer
 * who has not its session. And where the ledger itself had forgotten that it
 * was spent, and a proxy had not: void.
 */

static ngx_uint_t
ngx_enroll_notice_replay(json_t *event)
{
    ngx_uint_t  i;

    static const char  *spent[] = { "claimed", "enrolled", "locked" };

    if (ngx_enroll_notice_is(event, "event", "void")) {
        return 1;
    }

    if (!ngx_enroll_notice_is(event, "event", "refuse")) {
        return 0;
    }

    if (ngx_enroll_notice_is(event, "reason", "redeemed")) {
        return 1;
    }

    if (!ngx_enroll_notice_is(event, "step", "redeem")) {
        return 0;
    }

    for (i = 0; i < sizeof(spent) / sizeof(spent[0]); i++) {
        if (ngx_enroll_notice_is(event, "reason", spent[i])) {
            return 1;
        }
    }

    return 0;
}


static json_t *
ngx_enroll_notice_payload(json_t *event, const char *type)
{
    if (strcmp(type, NGX_ENROLL_NOTICE_CAEP) == 0) {
        return ngx_enroll_notice_credential(event);
    }

    return json_copy(event);
}


static json_t *
ngx_enroll_notice_credential(json_t *event)
{
    int          rc;
    json_t      *payload;
    json_int_t   at;
    const char  *aaguid, *transports;

    aaguid = ngx_enroll_notice_text(event, "authenticator_aaguid");
    transports = ngx_enroll_notice_text(event, "authenticator_transports");
    at = ngx_enroll_notice_time(event);

    payload = json_pack("{s:s, s:s, s:s}",
                        "change_type", "create",
                        "credential_type",
                        ngx_enroll_notice_platform(transports)
                        ? "fido2-platform" : "fido2-roaming",
                        "initiating_entity", "user");
    rc = 0;

    if (aaguid[0] != '\0'
        && strcmp(aaguid, NGX_ENROLL_NOTICE_NO_AAGUID) != 0)
    {
        rc |= json_object_set_new(payload, "fido2_aaguid",
                                  json_string(aaguid));
    }

    if (at) {
        rc |= json_object_set_new(payload, "event_timestamp",
                                  json_integer(at));
    }

    return ngx_enroll_notice_whole(payload, rc);
}


/* a phone that is reached by way of another device is a platform's, too */

static ngx_uint_t
ngx_enroll_notice_platform(const char *transports)
{
    size_t       len;
    const char  *p;

    for (p = transports; *p; p += len) {
        len = strcspn(p, ", ");

        if ((len == 8 && strncmp(p, "internal", 8) == 0)
            || (len == 6 && strncmp(p, "hybrid", 6) == 0))
        {
            return 1;
        }

        len += strspn(p + len, ", ");
    }

    return 0;
}


/* all but the event; NULL: no memory */

static json_t *
ngx_enroll_notice_claims(const ngx_enroll_notice_t *notice, json_t *event)
{
    int          n, rc;
    char         jti[128];
    json_t      *claims;
    json_int_t   at;
    const char  *subject, *op;

    n = snprintf(jti, sizeof(jti), "%lu-%.*s",
                 (unsigned long) notice->partition, (int) notice->id.len,
                 (char *) notice->id.data);

    if (n < 0 || (size_t) n >= sizeof(jti)) {
        return NULL;
    }

    claims = json_pack("{s:s%, s:s%, s:I, s:s}",
                       "iss", notice->iss.data, notice->iss.len,
                       "aud", notice->aud.data, notice->aud.len,
                       "iat", (json_int_t) notice->now,
                       "jti", jti);

    at = ngx_enroll_notice_time(event);
    op = ngx_enroll_notice_text(event, "op");
    subject = ngx_enroll_notice_text(event, "subject");
    rc = 0;

    if (at) {
        rc |= json_object_set_new(claims, "toe", json_integer(at));
    }

    if (op[0] != '\0') {
        rc |= json_object_set_new(claims, "txn", json_string(op));
    }

    if (subject[0] != '\0') {
        rc |= json_object_set_new(claims, "sub_id",
                                  json_pack("{s:s, s:s}",
                                            "format", "opaque",
                                            "id", subject));
    }

    return ngx_enroll_notice_whole(claims, rc);
}


/* json, or NULL where a part of it found no memory */

static json_t *
ngx_enroll_notice_whole(json_t *json, int rc)
{
    if (rc == 0) {
        return json;
    }

    json_decref(json);

    return NULL;
}


/* of the event, in seconds; 0: not known */

static json_int_t
ngx_enroll_notice_time(json_t *event)
{
    json_int_t  at;

    at = json_integer_value(json_object_get(event, "at"));

    return at > 0 ? at / 1000 : 0;
}


static const char *
ngx_enroll_notice_text(json_t *event, const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(event, name));

    return text ? text : "";
}


static ngx_uint_t
ngx_enroll_notice_is(json_t *event, const char *name, const char *value)
{
    return strcmp(ngx_enroll_notice_text(event, name), value) == 0;
}
