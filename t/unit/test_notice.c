
#include "ngx_enroll_notice.h"

#include "fixture.h"


#define AAGUID     "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"
#define NOBODY     "00000000-0000-0000-0000-000000000000"

#define COMMON     "\"partition\":3,\"seq\":12,\"at\":1795364508479,"         \
                   "\"id\":\"78957e0d\",\"subject\":\"gr\303\251ce\","        \
                   "\"class\":\"standard\",\"op\":\"7f3c\""
#define EVENT(m)   "{" COMMON "," m "}"
#define ENROLLED   "\"event\":\"settle\",\"to\":\"enrolled\","                \
                   "\"outcome\":\"enrolled\""
#define REFUSED(s, r)                                                         \
    "{\"event\":\"refuse\",\"step\":\"" s "\",\"reason\":\"" r "\"}"

#define OURS(n)    "urn:enroll:event:" n
#define COPY(s)    fixture_copy(s, sizeof(s) - 1)
#define CAEP       NGX_ENROLL_NOTICE_CAEP


typedef struct {
    const char  *event;
    const char  *type;              /* NULL: nobody is told */
} type_case_t;


static const type_case_t  types[] = {
    { "{" ENROLLED "}", CAEP },
    { "{\"event\":\"settle\",\"outcome\":\"refused\",\"to\":\"redeemed\"}",
      NULL },
    { "{\"event\":\"settle\",\"outcome\":\"unknown\",\"to\":\"claimed\"}",
      NULL },
    { "{\"event\":\"settle\",\"outcome\":\"released\",\"to\":\"redeemed\"}",
      NULL },
    { "{\"event\":\"settle\",\"outcome\":\"refused\",\"to\":\"locked\"}",
      OURS("lock") },
    { "{\"event\":\"lock\",\"to\":\"locked\"}", OURS("lock") },
    { "{\"event\":\"revoke\",\"why\":\"superseded\"}", OURS("revoke") },
    { "{\"event\":\"fence\"}", OURS("fence") },
    { "{\"event\":\"void\"}", OURS("replay") },

    { "{\"event\":\"issue\"}", NULL },
    { "{\"event\":\"issue\",\"exception\":\"\"}", NULL },
    { "{\"event\":\"issue\",\"exception\":\"standard\"}",
      OURS("exception") },
    { "{\"event\":\"redeem\",\"exception\":\"standard\"}", NULL },

    { REFUSED("redeem", "redeemed"), OURS("replay") },
    { REFUSED("redeem", "claimed"), OURS("replay") },
    { REFUSED("redeem", "enrolled"), OURS("replay") },
    { REFUSED("redeem", "locked"), OURS("replay") },
    { REFUSED("begin", "redeemed"), OURS("replay") },
    { REFUSED("claim", "redeemed"), OURS("replay") },
    { REFUSED("redeem", "expired"), NULL },
    { REFUSED("redeem", "revoked"), NULL },
    { REFUSED("redeem", "unapproved"), NULL },
    { REFUSED("claim", "claimed"), NULL },
    { REFUSED("claim", "enrolled"), NULL },
    { REFUSED("issue", "first_use"), NULL },

    { "{\"event\":\"redeem\"}", NULL },
    { "{\"event\":\"begin\"}", NULL },
    { "{\"event\":\"claim\"}", NULL },
    { "{\"event\":\"expire\"}", NULL },
    { "{\"event\":\"proof\"}", NULL },
    { "{\"event\":\"revoked\"}", NULL },
    { "{\"event\":7}", NULL },
    { "{\"reason\":\"redeemed\",\"step\":\"redeem\"}", NULL },
    { "{}", NULL }
};


typedef struct {
    const char  *transports;        /* NULL: none is told */
    const char  *type;
} transports_case_t;


static const transports_case_t  transports[] = {
    { NULL, "fido2-roaming" },
    { "", "fido2-roaming" },
    { "usb", "fido2-roaming" },
    { "usb,nfc,ble", "fido2-roaming" },
    { "internals", "fido2-roaming" },
    { "hybrix", "fido2-roaming" },
    { "xinternal", "fido2-roaming" },
    { ",", "fido2-roaming" },
    { "internal", "fido2-platform" },
    { "hybrid", "fido2-platform" },
    { "hybrid,internal", "fido2-platform" },
    { "usb,internal", "fido2-platform" },
    { "usb, hybrid", "fido2-platform" },
    { "usb,,hybrid,", "fido2-platform" }
};


/* the claims that this is told by, or NULL */

static json_t *
tell(const char *text)
{
    json_t               *event, *claims;
    ngx_int_t             rc;
    ngx_enroll_notice_t   notice;

    event = json_loads(text, 0, NULL);

    if (event == NULL) {
        printf("Bail out! not JSON: %s\n", text);
        exit(1);
    }

    notice.iss = COPY("https://login.example.com");
    notice.aud = COPY("https://soc.example.com/events");
    notice.partition = 3;
    notice.id = COPY("1795364508479-1");
    notice.now = 1795364510;

    rc = ngx_enroll_notice(&notice, event, &claims);

    if ((rc == NGX_OK) != (claims != NULL)
        || (rc != NGX_OK && rc != NGX_DECLINED)
        || event->refcount != 1)
    {
        printf("Bail out! %d of %s\n", (int) rc, text);
        exit(1);
    }

    json_decref(event);
    free(notice.iss.data);
    free(notice.aud.data);
    free(notice.id.data);

    return claims;
}


/* are the claims that this is told by these? */

static int
same(const char *event, const char *want)
{
    int      equal;
    json_t  *claims, *json;

    claims = tell(event);
    json = json_loads(want, 0, NULL);
    equal = json && json_equal(claims, json);

    if (!equal) {
        json_dumpf(claims, stdout, JSON_SORT_KEYS|JSON_COMPACT);
        printf("\n");
    }

    json_decref(claims);
    json_decref(json);

    return equal;
}


static void
test_types(void)
{
    size_t              i;
    json_t             *claims, *events;
    const type_case_t  *t;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        t = &types[i];
        claims = tell(t->event);

        if (t->type == NULL) {
            tap_ok(claims == NULL, "nobody is told of %s", t->event);

        } else {
            events = json_object_get(claims, "events");
            tap_ok(json_object_size(events) == 1
                   && json_is_object(json_object_get(events, t->type)),
                   "%s of %s", t->type, t->event);
        }

        json_decref(claims);
    }
}


static void
test_claims(void)
{
    tap_ok(same(EVENT(ENROLLED ",\"authenticator_aaguid\":\"" AAGUID "\","
                      "\"authenticator_transports\":\"internal\""),
                "{\"iss\":\"https://login.example.com\","
                "\"aud\":\"https://soc.example.com/events\","
                "\"iat\":1795364510,\"jti\":\"3-1795364508479-1\","
                "\"toe\":1795364508,\"txn\":\"7f3c\","
                "\"sub_id\":{\"format\":\"opaque\",\"id\":\"gr\303\251ce\"},"
                "\"events\":{\"" CAEP "\":{\"change_type\":\"create\","
                "\"credential_type\":\"fido2-platform\","
                "\"fido2_aaguid\":\"" AAGUID "\","
                "\"initiating_entity\":\"user\","
                "\"event_timestamp\":1795364508}}}"),
           "an enrollment, whole");

    tap_ok(same(EVENT("\"event\":\"revoke\",\"why\":\"left\""),
                "{\"iss\":\"https://login.example.com\","
                "\"aud\":\"https://soc.example.com/events\","
                "\"iat\":1795364510,\"jti\":\"3-1795364508479-1\","
                "\"toe\":1795364508,\"txn\":\"7f3c\","
                "\"sub_id\":{\"format\":\"opaque\",\"id\":\"gr\303\251ce\"},"
                "\"events\":{\"" OURS("revoke") "\":"
                EVENT("\"event\":\"revoke\",\"why\":\"left\"") "}}"),
           "one of ours: the event as it stands");

    tap_ok(same("{\"event\":\"fence\"}",
                "{\"iss\":\"https://login.example.com\","
                "\"aud\":\"https://soc.example.com/events\","
                "\"iat\":1795364510,\"jti\":\"3-1795364508479-1\","
                "\"events\":{\"" OURS("fence") "\":{\"event\":\"fence\"}}}"),
           "what an event lacks is left out");

    tap_ok(same("{\"event\":\"fence\",\"at\":-1,\"op\":1,\"subject\":null}",
                "{\"iss\":\"https://login.example.com\","
                "\"aud\":\"https://soc.example.com/events\","
                "\"iat\":1795364510,\"jti\":\"3-1795364508479-1\","
                "\"events\":{\"" OURS("fence") "\":{\"event\":\"fence\","
                "\"at\":-1,\"op\":1,\"subject\":null}}}"),
           "what is of another type, too");
}


static void
test_credential(void)
{
    char                      text[256];
    size_t                    i;
    json_t                   *claims, *payload;
    const char               *type;
    const transports_case_t  *t;

    for (i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        t = &transports[i];

        snprintf(text, sizeof(text), t->transports
                 ? "{" ENROLLED ",\"authenticator_transports\":\"%s\"}"
                 : "{" ENROLLED "}", t->transports);

        claims = tell(text);
        payload = json_object_get(json_object_get(claims, "events"), CAEP);
        type = json_string_value(json_object_get(payload,
                                                 "credential_type"));

        tap_ok(type && strcmp(type, t->type) == 0, "%s of \"%s\"", t->type,
               t->transports ? t->transports : "nothing");
        tap_ok(json_object_size(payload) == 3,
               "and no AAGUID, and no time, of its own");

        json_decref(claims);
    }

    claims = tell("{" ENROLLED ",\"authenticator_aaguid\":\"" NOBODY "\"}");
    payload = json_object_get(json_object_get(claims, "events"), CAEP);
    tap_ok(payload && json_object_get(payload, "fido2_aaguid") == NULL,
           "an AAGUID of zeros is none");
    json_decref(claims);
}


static void
test_bounds(void)
{
    char                  text[200];
    json_t               *event, *claims;
    ngx_enroll_notice_t   notice;

    memset(&notice, 0, sizeof(notice));
    memset(text, '1', sizeof(text));
    ngx_str_set(&notice.iss, "i");
    ngx_str_set(&notice.aud, "a");
    notice.id.data = (u_char *) text;
    notice.id.len = sizeof(text);

    event = json_loads("{\"event\":\"fence\"}", 0, NULL);
    tap_ok(ngx_enroll_notice(&notice, event, &claims) == NGX_ERROR
           && claims == NULL, "an id that is none of a stream is an error");
    json_decref(event);
}


int
main(void)
{
    test_types();
    test_claims();
    test_credential();
    test_bounds();

    return tap_done();
}
