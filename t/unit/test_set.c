
#include "ngx_enroll_set.h"

#include "fixture.h"


#define X16          "xxxxxxxxxxxxxxxx"
#define X64          X16 X16 X16 X16
#define X255         X64 X64 X64 X16 X16 X16 "xxxxxxxxxxxxxxx"

#define URN          "urn:ietf:params:scim:event:"
#define EVENT(type)  "\"" type "\":{}"
#define CREATE       EVENT(URN "prov:create:notice")
#define DELETE       EVENT(URN "prov:delete")

#define JTI          "\"jti\":\"j-1\""
#define EVENTS(e)    "\"events\":{" e "}"
#define SCIM(m)      "\"sub_id\":{\"format\":\"scim\"," m "}"
#define USER         SCIM("\"uri\":\"/Users/u-1\"")

#define SET(e)       "{" JTI "," USER "," EVENTS(e) "}"
#define OF(subject)  "{" JTI "," subject "," EVENTS(CREATE) "}"
#define URI(uri)     OF(SCIM("\"uri\":\"" uri "\""))

#define ENTERPRISE                                                            \
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

#define NOTHING      NGX_ENROLL_SET_NOTHING
#define ISSUE        NGX_ENROLL_SET_ISSUE
#define REVOKE       NGX_ENROLL_SET_REVOKE
#define ID           NGX_ENROLL_SET_ID
#define EXTERNAL     NGX_ENROLL_SET_EXTERNAL_ID

#define E_JTI        "\"jti\" must be a string of 1 to 255 printable ASCII "   \
                     "characters without space"
#define E_EVENTS     "\"events\" must be an object with an event"
#define E_EVENT      "an event must be an object, named by a URI of at most "  \
                     "255 characters"
#define E_BOTH       "one of \"events\" orders to issue, another to revoke"
#define E_FORMAT     "\"sub_id\" must be an object whose \"format\" is "       \
                     "\"scim\" or \"opaque\""
#define E_URI        "\"uri\" in \"sub_id\" must end with an id of 1 to 255 "  \
                     "bytes, none of them encoded"
#define E_NAME(m)    "the subject's \"" m "\" must be a string of 1 to 255 "   \
                     "bytes without control characters, nor blanks at its "   \
                     "ends"


/* RFC 9967, figures 2, 4, 5, 9, 10 and 11 */

#define RFC_AUD                                                               \
    "\"aud\":[\"https://scim.example.com/Feeds/98d52461fa5bbc879593b7754\"]," \
    "\"iat\":1458505044,\"iss\":\"https://scim.example.com\","

#define RFC_USER                                                              \
    "\"sub_id\":{\"format\":\"scim\","                                        \
    "\"uri\":\"/Users/2b2f880af6674ac284bae9381673d462\","                    \
    "\"externalId\":\"jdoe\"},"

static const char  rfc_feed_add[] =
    "{" RFC_AUD RFC_USER "\"jti\":\"6164f3bbf6ff41a88dc94f18cb0620e8\","
    "\"txn\":\"b7b953f11cc6489bbfb87834747cc4c1\","
    "\"events\":{\"" URN "feed:add\":{}}}";

static const char  rfc_create_full[] =
    "{\"jti\":\"4d3559ec67504aaba65d40b0363faad8\","
    "\"iat\":1458496404,"
    "\"iss\":\"https://scim.example.com\","
    "\"aud\":["
    "\"https://scim.example.com/Feeds/98d52461fa5bbc879593b7754\","
    "\"https://scim.example.com/Feeds/5d7604516b1d08641d7676ee7\"],"
    "\"sub_id\":{\"format\":\"scim\","
    "\"uri\":\"/Users/44f6142df96bd6ab61e7521d9\",\"externalId\":\"jdoe\"},"
    "\"events\":{\"" URN "prov:create:full\":{\"data\":{"
    "\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],"
    "\"emails\":[{\"type\":\"work\",\"value\":\"jdoe@example.com\"}],"
    "\"userName\":\"jdoe\","
    "\"name\":{\"givenName\":\"John\",\"familyName\":\"Doe\"}}}}}";

static const char  rfc_create_notice[] =
    "{" RFC_AUD RFC_USER "\"jti\":\"4d3559ec67504aaba65d40b0363faad8\","
    "\"events\":{\"" URN "prov:create:notice\":{\"attributes\":["
    "\"id\",\"name\",\"userName\",\"password\",\"emails\"]}}}";

static const char  rfc_put_notice[] =
    "{" RFC_AUD RFC_USER "\"jti\":\"6164f3bbf6ff41a88dc94f18cb0620e8\","
    "\"events\":{\"" URN "prov:put:notice\":{\"attributes\":["
    "\"emails\"]}}}";

static const char  rfc_delete[] =
    "{" RFC_AUD RFC_USER "\"jti\":\"6164f3bbf6ff41a88dc94f18cb0620e8\","
    "\"events\":{\"" URN "prov:delete\":{}}}";

static const char  rfc_activate[] =
    "{" RFC_AUD "\"jti\":\"6164f3bbf6ff41a88dc94f18cb0620e8\","
    "\"sub_id\":{\"format\":\"scim\","
    "\"uri\":\"/Users/2b2f880af6674ac284bae9381673d462\"},"
    "\"events\":{\"" URN "prov:activate\":{}}}";


typedef struct {
    const char                *claims;
    ngx_enroll_set_subject_e   kind;
    const char                *err;         /* NULL: it is accepted */
    ngx_enroll_set_e           order;
    const char                *subject;
    const char                *name;
} case_t;


static const case_t  cases[] = {

    /* the RFC's own */

    { rfc_feed_add, ID, NULL, NOTHING, "", "RFC 9967, feed:add" },
    { rfc_create_full, ID, NULL, ISSUE, "44f6142df96bd6ab61e7521d9",
      "RFC 9967, prov:create:full" },
    { rfc_create_full, EXTERNAL, NULL, ISSUE, "jdoe",
      "RFC 9967, prov:create:full, by externalId" },
    { rfc_create_notice, ID, NULL, ISSUE, "2b2f880af6674ac284bae9381673d462",
      "RFC 9967, prov:create:notice" },
    { rfc_put_notice, ID, NULL, NOTHING, "", "RFC 9967, prov:put:notice" },
    { rfc_delete, ID, NULL, REVOKE, "2b2f880af6674ac284bae9381673d462",
      "RFC 9967, prov:delete" },
    { rfc_delete, EXTERNAL, NULL, REVOKE, "jdoe",
      "RFC 9967, prov:delete, by externalId" },
    { rfc_activate, ID, NULL, ISSUE, "2b2f880af6674ac284bae9381673d462",
      "RFC 9967, prov:activate" },
    { rfc_activate, EXTERNAL, E_NAME("externalId"), 0, NULL,
      "RFC 9967, prov:activate, which has no externalId" },

    /* what is ordered */

    { SET(EVENT(URN "prov:deactivate")), ID, NULL, REVOKE, "u-1",
      "prov:deactivate" },
    { SET(EVENT("URN:IETF:Params:SCIM:event:prov:delete")), ID, NULL, REVOKE,
      "u-1", "a namespace in other letters" },
    { SET(EVENT("urn:ietf:params:SCIM:event:prov:create:full")), ID, NULL,
      ISSUE, "u-1", "a namespace as drafts had it" },
    { SET(EVENT(URN "prov:Delete")), ID, NULL, NOTHING, "",
      "a type in other letters" },
    { SET(EVENT(URN "prov:create")), ID, NULL, NOTHING, "", "prov:create" },
    { SET(EVENT(URN "prov:create:")), ID, NULL, NOTHING, "", "prov:create:" },
    { SET(EVENT(URN "prov:create:fuller")), ID, NULL, NOTHING, "",
      "a type with more behind it" },
    { SET(EVENT(URN "prov:delet")), ID, NULL, NOTHING, "", "a type cut short" },
    { SET(EVENT(URN "prov:patch:full")), ID, NULL, NOTHING, "",
      "prov:patch:full" },
    { SET(EVENT("urn:ietf:params:scimprov:delete")), ID, NULL, NOTHING, "",
      "another namespace" },
    { SET(EVENT("prov:delete")), ID, NULL, NOTHING, "", "no namespace" },
    { SET(EVENT("https://schemas.openid.net/secevent/caep/event-type/"
                "session-revoked")), ID, NULL, NOTHING, "", "CAEP" },

    /* several */

    { SET(EVENT(URN "feed:add") "," CREATE), ID, NULL, ISSUE, "u-1",
      "feed:add and create" },
    { SET(CREATE "," EVENT(URN "prov:activate")), ID, NULL, ISSUE, "u-1",
      "create and activate" },
    { SET(DELETE "," EVENT(URN "prov:deactivate")), ID, NULL, REVOKE, "u-1",
      "delete and deactivate" },
    { SET(CREATE "," DELETE), ID, E_BOTH, 0, NULL, "create and delete" },
    { SET(EVENT(URN "prov:deactivate") "," EVENT("x:y") ","
          EVENT(URN "prov:activate")), ID, E_BOTH, 0, NULL,
      "deactivate, another and activate" },

    /* jti */

    { "{" USER "," EVENTS(CREATE) "}", ID, E_JTI, 0, NULL, "no jti" },
    { "{\"jti\":\"\"," USER "," EVENTS(CREATE) "}", ID, E_JTI, 0, NULL,
      "an empty jti" },
    { "{\"jti\":7," USER "," EVENTS(CREATE) "}", ID, E_JTI, 0, NULL,
      "a jti of a number" },
    { "{\"jti\":\"a b\"," USER "," EVENTS(CREATE) "}", ID, E_JTI, 0, NULL,
      "a jti with a space" },
    { "{\"jti\":\"a\\nb\"," USER "," EVENTS(CREATE) "}", ID, E_JTI, 0, NULL,
      "a jti with a line feed" },
    { "{\"jti\":\"\303\251\"," USER "," EVENTS(CREATE) "}", ID, E_JTI, 0,
      NULL, "a jti of UTF-8" },
    { "{\"jti\":\"" X255 "\"," USER "," EVENTS(CREATE) "}", ID, NULL, ISSUE,
      "u-1", "a jti of 255" },
    { "{\"jti\":\"" X255 "x\"," USER "," EVENTS(CREATE) "}", ID, E_JTI, 0,
      NULL, "a jti of 256" },
    { "{" USER "," EVENTS(EVENT("x:y")) "}", ID, E_JTI, 0, NULL,
      "no jti of what orders nothing" },

    /* events */

    { "{" JTI "," USER "}", ID, E_EVENTS, 0, NULL, "no events" },
    { "{" JTI "," USER ",\"events\":{}}", ID, E_EVENTS, 0, NULL,
      "empty events" },
    { "{" JTI "," USER ",\"events\":[{" CREATE "}]}", ID, E_EVENTS, 0, NULL,
      "events of an array" },
    { "{" JTI "," USER ",\"events\":\"" URN "prov:delete\"}", ID, E_EVENTS,
      0, NULL, "events of a string" },
    { "{" JTI "," USER ",\"events\":null}", ID, E_EVENTS, 0, NULL,
      "events of null" },
    { SET("\"" URN "prov:delete\":null"), ID, E_EVENT, 0, NULL,
      "an event of null" },
    { SET("\"" URN "prov:delete\":\"u-1\""), ID, E_EVENT, 0, NULL,
      "an event of a string" },
    { SET("\"x:y\":[]"), ID, E_EVENT, 0, NULL, "another of an array" },
    { SET("\"\":{}"), ID, E_EVENT, 0, NULL, "an event without a name" },
    { SET("\"a b\":{}"), ID, E_EVENT, 0, NULL, "a space in its name" },
    { SET("\"a\\nb\":{}"), ID, E_EVENT, 0, NULL, "a line feed in its name" },
    { SET("\"" X255 "\":{}"), ID, NULL, NOTHING, "", "a name of 255" },
    { SET("\"" X255 "x\":{}"), ID, E_EVENT, 0, NULL, "a name of 256" },

    /* the subject, by its uri */

    { URI("https://scim.example.com/v2/Users/u-2"), ID, NULL, ISSUE, "u-2",
      "an absolute uri" },
    { URI("Users/u-2"), ID, NULL, ISSUE, "u-2", "a relative uri" },
    { URI("u-2"), ID, NULL, ISSUE, "u-2", "a uri of one segment" },
    { URI("/u-2"), ID, NULL, ISSUE, "u-2", "one behind a slash" },
    { URI("/Users/ada@example.org"), ID, NULL, ISSUE, "ada@example.org",
      "an id with an at sign" },
    { URI("/Users/Zo\303\253"), ID, NULL, ISSUE, "Zo\303\253",
      "an id of UTF-8" },
    { URI("/Groups/g-1"), ID, NULL, NOTHING, "", "a group" },
    { URI("/Groups/g-1"), EXTERNAL, NULL, NOTHING, "",
      "a group, by externalId" },
    { URI("/users/u-2"), ID, NULL, NOTHING, "", "another resource" },
    { URI("/Users/u-2/x"), ID, NULL, NOTHING, "", "below a user" },
    { URI("/AllUsers/u-2"), ID, NULL, NOTHING, "", "a longer resource" },
    { URI("//u-2"), ID, NULL, NOTHING, "", "an empty resource" },
    { URI("/Users/"), ID, E_URI, 0, NULL, "no id" },
    { URI(""), ID, E_URI, 0, NULL, "an empty uri" },
    { URI("/Users/a%20b"), ID, E_URI, 0, NULL, "an encoded id" },
    { URI("/Users/a?b"), ID, E_URI, 0, NULL, "a query" },
    { URI("/Users/a#b"), ID, E_URI, 0, NULL, "a fragment" },
    { URI("/Users/a\\tb"), ID, E_URI, 0, NULL, "a tab" },
    { URI("/Users/a\\u0085b"), ID, E_URI, 0, NULL, "NEL" },
    { URI("/Users/" X255), ID, NULL, ISSUE, X255, "an id of 255" },
    { URI("/Users/" X255 "x"), ID, E_URI, 0, NULL, "an id of 256" },
    { OF(SCIM("\"uri\":7")), ID, E_URI, 0, NULL, "a uri of a number" },
    { OF(SCIM("\"uri\":null")), ID, E_URI, 0, NULL, "a uri of null" },
    { OF(SCIM("\"id\":\"u-2\"")), ID, E_URI, 0, NULL, "no uri, but an id" },
    { OF(SCIM("\"externalId\":\"e-1\"")), ID, E_URI, 0, NULL,
      "no uri, but an externalId" },

    /* … by its externalId */

    { OF(SCIM("\"externalId\":\"e-1\"")), EXTERNAL, NULL, ISSUE, "e-1",
      "an externalId" },
    { OF(SCIM("\"uri\":\"/Users/a%20b\",\"externalId\":\"a b\"")), EXTERNAL,
      NULL, ISSUE, "a b", "an externalId beside an encoded id" },
    { OF(SCIM("\"uri\":\"/Users/u-2\"")), EXTERNAL, E_NAME("externalId"), 0,
      NULL, "no externalId" },
    { OF(SCIM("\"externalId\":\"\"")), EXTERNAL, E_NAME("externalId"), 0,
      NULL, "an empty externalId" },
    { OF(SCIM("\"externalId\":7")), EXTERNAL, E_NAME("externalId"), 0, NULL,
      "an externalId of a number" },
    { OF(SCIM("\"externalId\":\"" X255 "x\"")), EXTERNAL,
      E_NAME("externalId"), 0, NULL, "an externalId of 256" },

    /* … in other forms */

    { OF("\"sub_id\":{\"format\":\"opaque\",\"id\":\"u-2\"}"), ID, NULL,
      ISSUE, "u-2", "opaque" },
    { OF("\"sub_id\":{\"format\":\"opaque\",\"id\":\"u/2\"}"), EXTERNAL,
      NULL, ISSUE, "u/2", "opaque is as it is" },
    { OF("\"sub_id\":{\"format\":\"opaque\",\"id\":\"\"}"), ID, E_NAME("id"),
      0, NULL, "opaque and empty" },
    { OF("\"sub_id\":{\"format\":\"opaque\",\"uri\":\"/Users/u\"}"), ID,
      E_NAME("id"), 0, NULL, "opaque without an id" },
    { OF("\"sub_id\":{\"format\":\"email\",\"email\":\"a@b\"}"), ID,
      E_FORMAT, 0, NULL, "by e-mail" },
    { OF("\"sub_id\":{\"format\":\"iss_sub\",\"iss\":\"i\",\"sub\":\"u\"}"),
      ID, E_FORMAT, 0, NULL, "by iss and sub" },
    { OF("\"sub_id\":{\"format\":\"SCIM\",\"uri\":\"/Users/u\"}"), ID,
      E_FORMAT, 0, NULL, "a format in capitals" },
    { OF("\"sub_id\":{\"uri\":\"/Users/u\"}"), ID, E_FORMAT, 0, NULL,
      "no format" },
    { OF("\"sub_id\":{\"format\":[\"scim\"],\"uri\":\"/Users/u\"}"), ID,
      E_FORMAT, 0, NULL, "a format of an array" },
    { OF("\"sub_id\":\"u-2\""), ID, E_FORMAT, 0, NULL, "a sub_id of a string" },
    { OF("\"sub_id\":null,\"sub\":\"u\""), ID, E_FORMAT, 0, NULL,
      "a sub_id of null" },
    { OF("\"sub\":\"u-2\""), ID, NULL, ISSUE, "u-2", "a sub" },
    { OF("\"sub\":\"eve\"," USER), ID, NULL, ISSUE, "u-1",
      "a sub beside a sub_id" },
    { OF("\"sub\":\"\""), ID, E_NAME("sub"), 0, NULL, "an empty sub" },
    { OF("\"sub\":{\"id\":\"u\"}"), ID, E_NAME("sub"), 0, NULL,
      "a sub of an object" },
    { OF("\"txn\":\"t\""), ID, E_NAME("sub"), 0, NULL, "no subject" },
    { "{" JTI "," EVENTS("\"" URN "prov:delete\":{\"sub_id\":{\"format\":"
                         "\"opaque\",\"id\":\"u\"}}") "}", ID, E_NAME("sub"),
      0, NULL, "a subject within the event" },

    /* what orders nothing may be of anybody */

    { "{" JTI "," EVENTS(EVENT("x:y")) "}", ID, NULL, NOTHING, "",
      "another type, no subject" },
    { "{" JTI ",\"sub_id\":7," EVENTS(EVENT("x:y")) "}", ID, NULL, NOTHING,
      "", "another type, a sub_id of a number" },

    /* no claims */

    { "[]", ID, E_JTI, 0, NULL, "an array" },
    { "\"x\"", ID, E_JTI, 0, NULL, "a string" }
};


static int
is(const ngx_str_t *s, const char *text)
{
    return s->len == strlen(text)
           && (s->len == 0 || memcmp(s->data, text, s->len) == 0);
}


static json_t *
claims_of(const char *text)
{
    json_t        *claims;
    json_error_t   error;

    claims = json_loads(text, JSON_DECODE_ANY|JSON_REJECT_DUPLICATES, &error);

    if (claims == NULL) {
        printf("Bail out! %s in %s\n", error.text, text);
        exit(1);
    }

    return claims;
}


static void
test_cases(void)
{
    char               err[NGX_ENROLL_ERR_LEN];
    size_t             i;
    json_t            *claims;
    ngx_int_t          rc;
    const case_t      *c;
    ngx_enroll_set_t   set;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        claims = claims_of(c->claims);
        memset(&set, 0xff, sizeof(set));
        err[0] = '\0';

        rc = ngx_enroll_set_read(&set, claims, c->kind, err);

        if (!tap_ok(c->err ? rc == NGX_DECLINED && strcmp(err, c->err) == 0
                           : rc == NGX_OK && set.order == c->order
                             && is(&set.subject, c->subject),
                    "%s: %s", c->name,
                    c->err ? c->err
                           : c->order == ISSUE ? "issue"
                           : c->order == REVOKE ? "revoke" : "nothing"))
        {
            printf("# %d %s, order %d, subject %.*s\n", (int) rc, err,
                   set.order, (int) set.subject.len,
                   set.subject.len ? (char *) set.subject.data : "");
        }

        json_decref(claims);
    }
}


/* The attributes, as "name=value,…". */

static int
has(const ngx_enroll_set_t *set, const char *want)
{
    char        text[4096], *p;
    ngx_uint_t  i;

    p = text;
    *p = '\0';

    for (i = 0; i < set->nattributes; i++) {
        p += sprintf(p, "%s%.*s=%.*s", i ? "," : "",
                     (int) set->attributes[i].name.len,
                     set->attributes[i].name.data,
                     (int) set->attributes[i].value.len,
                     set->attributes[i].value.data);
    }

    if (strcmp(text, want) != 0) {
        printf("# %s\n", text);
        return 0;
    }

    return 1;
}


static void
test_attributes(const char *name, const char *events, const char *want)
{
    char               err[NGX_ENROLL_ERR_LEN], text[8192];
    json_t            *claims;
    ngx_enroll_set_t   set;

    snprintf(text, sizeof(text), "{" JTI "," USER ",\"events\":{%s}}",
             events);
    claims = claims_of(text);

    tap_ok(ngx_enroll_set_read(&set, claims, ID, err) == NGX_OK
           && has(&set, want), "attributes: %s", name);

    json_decref(claims);
}


#define FULL(data)  "\"" URN "prov:create:full\":{\"data\":{" data "}}"


static void
test_data(void)
{
    char               err[NGX_ENROLL_ERR_LEN];
    json_t            *claims;
    ngx_enroll_set_t   set;

    claims = claims_of(rfc_create_full);
    tap_ok(ngx_enroll_set_read(&set, claims, ID, err) == NGX_OK
           && is(&set.jti, "4d3559ec67504aaba65d40b0363faad8")
           && is(&set.type, URN "prov:create:full")
           && has(&set, "user_name=jdoe,given_name=John,family_name=Doe,"
                        "email=jdoe@example.com"),
           "what RFC 9967's prov:create:full tells");
    json_decref(claims);

    test_attributes("all of them",
        FULL("\"userName\":\"ada\",\"displayName\":\"Ada L\",\"title\":\"Dr\","
             "\"name\":{\"givenName\":\"Ada\",\"familyName\":\"Lovelace\"},"
             "\"emails\":[{\"value\":\"a@b\"}],"
             "\"phoneNumbers\":[{\"value\":\"+1\"}],"
             "\"" ENTERPRISE "\":{\"employeeNumber\":\"7\","
             "\"department\":\"d\",\"organization\":\"o\","
             "\"costCenter\":\"c\",\"manager\":{\"value\":\"m-1\","
             "\"displayName\":\"Bob\"}}"),
        "user_name=ada,display_name=Ada L,given_name=Ada,"
        "family_name=Lovelace,email=a@b,phone=+1,title=Dr,employee_id=7,"
        "department=d,organization=o,cost_center=c,manager=m-1");

    test_attributes("the primary address",
        FULL("\"emails\":[{\"value\":\"a@b\"},{\"value\":\"c@d\","
             "\"primary\":true},{\"value\":\"e@f\",\"primary\":true}]"),
        "email=c@d");

    test_attributes("primary is a boolean",
        FULL("\"emails\":[{\"value\":\"a@b\"},{\"value\":\"c@d\","
             "\"primary\":\"true\"}]"), "email=a@b");

    test_attributes("no data", CREATE, "");
    test_attributes("data of a string",
                    "\"" URN "prov:create:full\":{\"data\":\"x\"}", "");
    test_attributes("empty lists", FULL("\"emails\":[],\"name\":[]"), "");
    test_attributes("of other types",
        FULL("\"userName\":7,\"displayName\":null,\"title\":[\"x\"],"
             "\"name\":\"x\",\"emails\":\"a@b\",\"phoneNumbers\":[\"+1\"],"
             "\"" ENTERPRISE "\":[]"), "");
    test_attributes("empty and controls",
        FULL("\"userName\":\"\",\"title\":\"a\\nb\","
             "\"displayName\":\"\\u009b\""), "");
    test_attributes("too long",
        FULL("\"userName\":\"" X255 "xx\",\"title\":\"" X255 "x\""),
        "title=" X255 "x");
    test_attributes("a manager without an id",
        FULL("\"" ENTERPRISE "\":{\"manager\":{\"displayName\":\"Bob\"}}"),
        "");

    test_attributes("of the event that has data",
        EVENT("x:y") ",\"" URN "prov:activate\":{},"
        FULL("\"userName\":\"ada\""), "user_name=ada");
    test_attributes("of the event that has data, be it the first",
        FULL("\"userName\":\"ada\"") "," EVENT(URN "prov:activate"),
        "user_name=ada");
    test_attributes("none of an event that orders nothing",
        "\"x:y\":{\"data\":{\"userName\":\"ada\"}}," CREATE, "");
    test_attributes("none of a leaver",
        "\"" URN "prov:delete\":{\"data\":{\"userName\":\"ada\"}}", "");

    claims = claims_of(SET(EVENT("x:y") "," EVENT(URN "feed:add") "," CREATE));
    tap_ok(ngx_enroll_set_read(&set, claims, ID, err) == NGX_OK
           && is(&set.type, URN "prov:create:notice"),
           "the type is that of what is obeyed");
    json_decref(claims);

    claims = claims_of(SET(EVENT("x:y") "," EVENT("x:z")));
    tap_ok(ngx_enroll_set_read(&set, claims, ID, err) == NGX_OK
           && is(&set.type, "x:y"),
           "or the first one");
    json_decref(claims);
}


int
main(void)
{
    test_cases();
    test_data();

    return tap_done();
}
