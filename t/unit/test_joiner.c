
#include "ngx_enroll_joiner.h"

#include "fixture.h"


#define X16        "xxxxxxxxxxxxxxxx"
#define X32        X16 X16
#define X64        X32 X32
#define X128       X64 X64
#define X255       X128 X64 X32 X16 "xxxxxxxxxxxxxxx"
#define HEX        "0123456789abcdef0123456789abcdef"

#define SUBJECT    "\"subject\":\"u\""
#define WITH(m)    "{" SUBJECT "," m "}"

#define ATTRS(a)   WITH("\"attributes\":{" a "}")
#define EMPTY(n)   "\"" n "\":\"\""
#define FOUR(p)    EMPTY(p "0") "," EMPTY(p "1") "," EMPTY(p "2") ","         \
                   EMPTY(p "3")
#define SIXTEEN    FOUR("a") "," FOUR("b") "," FOUR("c") "," FOUR("d")

#define NOT        "the body is not a JSON object"
#define TWICE      "a member is there twice"
#define NUL        "a string has a NUL"
#define BEHIND     "the body goes on behind the JSON object"
#define NOT_UTF8   "the body is not UTF-8"
#define UNKNOWN    "there is an unknown member"
#define EVENT      "\"event\" must be a string of 1 to 255 printable ASCII "   \
                   "characters without space"
#define SUBJ       "\"subject\" must be a string of 1 to 255 bytes without "   \
                   "control characters, nor blanks at its ends"
#define CLASS      "\"class\" must be a string of 1 to 32 characters of "      \
                   "[a-z0-9_-]"
#define CHANNEL    "\"channel\" must be a string of 1 to 32 characters of "    \
                   "[a-z0-9_-]"
#define REQUESTER  "\"requester\" must be a string of 1 to 64 printable " \
                   "ASCII characters without space or comma"
#define TTL        "\"ttl\" must be an integer from 1 to 315360000"
#define ATTRS_16   "\"attributes\" must be an object of at most 16 members"
#define ATTR_NAME  "the names in \"attributes\" must have 1 to 32 characters " \
                   "of [a-z0-9_-]"
#define ATTR_E     "\"e\" in \"attributes\" must be a string of at most 256 "  \
                   "bytes without control characters"
#define ID         "\"id\" must be a string of 32 lower-case hex digits"
#define REASON     "\"reason\" must be a string of 1 to 128 bytes without "    \
                   "control characters, nor blanks at its ends"
#define EITHER     "either \"id\" or \"subject\" is needed"
#define APPROVER   "\"approver\" must be a string of 1 to 64 printable "  \
                   "ASCII characters without space or comma"


typedef struct {
    const char  *body;
    const char  *err;           /* NULL: it is accepted */
    const char  *name;
} case_t;


static const case_t  joiners[] = {

    /* the whole */

    { "{" SUBJECT "}", NULL, "a subject is enough" },
    { " \r\n\t{" SUBJECT "}\n", NULL, "white space around" },
    { "", NOT, "empty" },
    { " ", NOT, "a space" },
    { "{", NOT, "cut short" },
    { "{" SUBJECT, NOT, "cut short later" },
    { "{" SUBJECT "} x", BEHIND, "trailing garbage" },
    { "{" SUBJECT "}{" SUBJECT "}", BEHIND, "a second object" },
    { "{" SUBJECT ",}", NOT, "a trailing comma" },
    { "{'subject':'u'}", NOT, "single quotes" },
    { "{subject:\"u\"}", NOT, "a bare name" },
    { "{/**/" SUBJECT "}", NOT, "a comment" },
    { "\357\273\277{" SUBJECT "}", NOT, "a byte order mark" },
    { "[]", NOT, "an array" },
    { "[{" SUBJECT "}]", NOT, "an array with the object" },
    { "\"u\"", NOT, "a string" },
    { "null", NOT, "null" },
    { "7", NOT, "a number" },
    { "{}", "\"subject\" is needed", "no subject" },
    { "{\"class\":\"a\"}", "\"subject\" is needed", "only a class" },

    /* names of members */

    { WITH("\"tttl\":1"), UNKNOWN ", tttl", "a misspelt member" },
    { WITH("\"TTL\":1"), UNKNOWN, "a member in capitals" },
    { WITH("\"a b\":1"), UNKNOWN, "a name that is not echoed: space" },
    { WITH("\"<b>\":1"), UNKNOWN, "a name that is not echoed: markup" },
    { WITH("\"a\\nb\":1"), UNKNOWN, "a name that is not echoed: line feed" },
    { WITH("\"\":1"), UNKNOWN, "an empty name" },
    { WITH("\"" X32 "\":1"), UNKNOWN ", " X32, "a name of 32" },
    { WITH("\"" X32 "x\":1"), UNKNOWN, "a name of 33 is not echoed" },
    { WITH("\"id\":\"" HEX "\""), UNKNOWN ", id", "a leaver's member" },
    { WITH("\"a\\u0000b\":1"), NUL, "a NUL in a name" },
    { WITH(SUBJECT), TWICE, "a duplicate subject" },
    { WITH("\"ttl\":1,\"ttl\":2"), TWICE, "a duplicate ttl" },
    { WITH("\"ttl\":1,\"\\u0074tl\":2"), TWICE, "a duplicate, escaped" },
    { ATTRS("\"e\":\"\",\"e\":\"\""), TWICE, "a duplicate attribute" },

    /* subject */

    { "{\"subject\":\"" X255 "\"}", NULL, "a subject of 255" },
    { "{\"subject\":\"" X255 "x\"}", SUBJ, "a subject of 256" },
    { "{\"subject\":\"" X128 X64 X32 X16 X16 "\\u00e9\"}", SUBJ,
      "a subject of 258 bytes" },
    { "{\"subject\":\"\"}", SUBJ, "an empty subject" },
    { "{\"subject\":7}", SUBJ, "a number" },
    { "{\"subject\":null}", SUBJ, "null" },
    { "{\"subject\":[\"u\"]}", SUBJ, "an array" },
    { "{\"subject\":{}}", SUBJ, "an object" },
    { "{\"subject\":true}", SUBJ, "true" },
    { "{\"subject\":\"Zo\303\253 \342\202\254 \360\237\224\221\"}", NULL,
      "UTF-8 of 2, 3 and 4 bytes" },
    { "{\"subject\":\"\\ud83d\\udd11\"}", NULL, "a surrogate pair, escaped" },
    { "{\"subject\":\"\\ud83d\"}", NOT, "half a surrogate pair" },
    { "{\"subject\":\"a\\u0000b\"}", NUL, "a NUL" },
    { "{\"subject\":\"a\\u0001b\"}", SUBJ, "U+0001" },
    { "{\"subject\":\"a\\nb\"}", SUBJ, "a line feed" },
    { "{\"subject\":\"a\\tb\"}", SUBJ, "a tab" },
    { "{\"subject\":\"a\\u001fb\"}", SUBJ, "U+001F" },
    { "{\"subject\":\"a b\"}", NULL, "a space" },
    { "{\"subject\":\"a~\"}", NULL, "a tilde" },
    { "{\"subject\":\"a\\u007f\"}", SUBJ, "DEL" },
    { "{\"subject\":\"a\177\"}", SUBJ, "DEL, unescaped" },
    { "{\"subject\":\"\\u0080\"}", SUBJ, "U+0080" },
    { "{\"subject\":\"a\\u0085b\"}", SUBJ, "NEL" },
    { "{\"subject\":\"\302\237\"}", SUBJ, "U+009F" },
    { "{\"subject\":\"a\302\240b\"}", NULL, "U+00A0" },
    { "{\"subject\":\"\303\202\"}", NULL, "U+00C2" },
    { "{\"subject\":\"a\nb\"}", NOT, "an unescaped line feed" },
    { "{\"subject\":\"\377\"}", NOT_UTF8, "a byte that is never UTF-8" },
    { "{\"subject\":\"\300\257\"}", NOT_UTF8, "an overlong slash" },
    { "{\"subject\":\"\355\240\200\"}", NOT_UTF8, "a surrogate" },
    { "{\"subject\":\"\302\"}", NOT_UTF8, "a sequence cut short" },
    { "{\"subject\":\"\364\220\200\200\"}", NOT_UTF8, "beyond U+10FFFF" },

    /* event */

    { WITH("\"event\":\"" X255 "\""), NULL, "an event of 255" },
    { WITH("\"event\":\"" X255 "x\""), EVENT, "an event of 256" },
    { WITH("\"event\":\"!~.:/\""), NULL, "an event of ASCII" },
    { WITH("\"event\":\"\""), EVENT, "an empty event" },
    { WITH("\"event\":\"a b\""), EVENT, "an event with a space" },
    { WITH("\"event\":\"a\\u007f\""), EVENT, "an event with DEL" },
    { WITH("\"event\":\"\303\251\""), EVENT, "an event of UTF-8" },
    { WITH("\"event\":7"), EVENT, "an event of a number" },

    /* class, channel */

    { WITH("\"class\":\"" X32 "\""), NULL, "a class of 32" },
    { WITH("\"class\":\"" X32 "x\""), CLASS, "a class of 33" },
    { WITH("\"class\":\"az09_-\""), NULL, "a class of all characters" },
    { WITH("\"class\":\"\""), CLASS, "an empty class" },
    { WITH("\"class\":\"Standard\""), CLASS, "a class in capitals" },
    { WITH("\"class\":\"a.b\""), CLASS, "a class with a dot" },
    { WITH("\"class\":\"a b\""), CLASS, "a class with a space" },
    { WITH("\"class\":\"\303\251\""), CLASS, "a class of UTF-8" },
    { WITH("\"class\":null"), CLASS, "a class of null" },
    { WITH("\"channel\":\"sms\""), NULL, "a channel" },
    { WITH("\"channel\":\"\""), CHANNEL, "an empty channel" },
    { WITH("\"channel\":\"" X32 "x\""), CHANNEL, "a channel of 33" },
    { WITH("\"channel\":[]"), CHANNEL, "a channel of an array" },

    /* requester */

    { "{\"subject\":\" ada\",\"class\":\"a\"}", SUBJ,
      "a blank before it" },
    { "{\"subject\":\"ada \",\"class\":\"a\"}", SUBJ,
      "a blank behind it" },
    { "{\"subject\":\"ada\\u00a0\",\"class\":\"a\"}", SUBJ,
      "one that does not break" },
    { "{\"subject\":\"\\ufeffada\",\"class\":\"a\"}", SUBJ,
      "one without a width" },
    { "{\"subject\":\"ada lovelace\",\"class\":\"a\"}", NULL,
      "one inside" },

    { WITH("\"requester\":\"m-7\""), NULL, "a requester" },
    { WITH("\"requester\":\"" X64 "\""), NULL, "a requester of 64" },
    { WITH("\"requester\":\"" X64 "x\""), REQUESTER, "a requester of 65" },
    { WITH("\"requester\":\"Zo\303\253\""), REQUESTER,
      "a requester of UTF-8" },
    { WITH("\"requester\":\"a b\""), REQUESTER, "a requester with a space" },
    { WITH("\"requester\":\"a,b\""), REQUESTER, "a requester with a comma" },
    { WITH("\"requester\":\"\""), REQUESTER, "an empty requester" },
    { WITH("\"requester\":\"a\\nb\""), REQUESTER,
      "a requester with a line feed" },
    { WITH("\"requester\":\"\\u009b\""), REQUESTER, "a requester with CSI" },
    { WITH("\"requester\":7"), REQUESTER, "a requester of a number" },
    { WITH("\"requester\":null"), REQUESTER, "a requester of null" },
    { WITH("\"requester\":\"m\",\"requester\":\"n\""), TWICE,
      "a duplicate requester" },
    { WITH("\"approver\":\"m\""), UNKNOWN ", approver",
      "an approval's member" },

    /* ttl */

    { WITH("\"ttl\":1"), NULL, "a ttl of 1" },
    { WITH("\"ttl\":0"), TTL, "a ttl of 0" },
    { WITH("\"ttl\":-1"), TTL, "a ttl of -1" },
    { WITH("\"ttl\":315360000"), NULL, "a ttl of ten years" },
    { WITH("\"ttl\":315360001"), TTL, "a ttl of a second more" },
    { WITH("\"ttl\":9223372036854775807"), TTL, "a ttl of 2^63-1" },
    { WITH("\"ttl\":-9223372036854775808"), TTL, "a ttl of -2^63" },
    { WITH("\"ttl\":9223372036854775808"), "a number is too large",
      "a ttl of 2^63" },
    { WITH("\"ttl\":1e999"), "a number is too large", "a ttl of 1e999" },
    { WITH("\"ttl\":4294967297"), TTL, "a ttl of 2^32+1" },
    { WITH("\"ttl\":3600.0"), TTL, "a ttl of 3600.0" },
    { WITH("\"ttl\":1e3"), TTL, "a ttl of 1e3" },
    { WITH("\"ttl\":\"3600\""), TTL, "a ttl in quotes" },
    { WITH("\"ttl\":true"), TTL, "a ttl of true" },
    { WITH("\"ttl\":null"), TTL, "a ttl of null" },
    { WITH("\"ttl\":01"), NOT, "a ttl of 01" },
    { WITH("\"ttl\":0x10"), NOT, "a ttl of 0x10" },
    { WITH("\"ttl\":+1"), NOT, "a ttl of +1" },
    { WITH("\"ttl\":NaN"), NOT, "a ttl of NaN" },

    /* attributes */

    { ATTRS(""), NULL, "no attributes" },
    { ATTRS(SIXTEEN), NULL, "16 attributes" },
    { ATTRS(SIXTEEN ",\"e\":\"\""), ATTRS_16, "17 attributes" },
    { WITH("\"attributes\":[]"), ATTRS_16, "attributes of an array" },
    { WITH("\"attributes\":null"), ATTRS_16, "attributes of null" },
    { WITH("\"attributes\":\"a\""), ATTRS_16, "attributes of a string" },
    { ATTRS("\"" X32 "\":\"\""), NULL, "a name of 32" },
    { ATTRS("\"" X32 "x\":\"\""), ATTR_NAME, "a name of 33" },
    { ATTRS("\"\":\"\""), ATTR_NAME, "an empty name" },
    { ATTRS("\"E\":\"\""), ATTR_NAME, "a name in capitals" },
    { ATTRS("\"e\\r\\n\":\"\""), ATTR_NAME, "a name with a line feed" },
    { ATTRS("\"e\":\"" X255 "x\""), NULL, "a value of 256" },
    { ATTRS("\"e\":\"" X255 "xx\""), ATTR_E, "a value of 257" },
    { ATTRS("\"e\":\"\""), NULL, "an empty value" },
    { ATTRS("\"e\":\"\303\251\""), NULL, "a value of UTF-8" },
    { ATTRS("\"e\":\"\\u0085\""), ATTR_E, "a value with NEL" },
    { ATTRS("\"e\":\"a\\rb\""), ATTR_E, "a value with a carriage return" },
    { ATTRS("\"e\":\"\\u0000\""), NUL, "a value with a NUL" },
    { ATTRS("\"e\":1"), ATTR_E, "a value of a number" },
    { ATTRS("\"e\":null"), ATTR_E, "a value of null" },
    { ATTRS("\"e\":{\"a\":\"b\"}"), ATTR_E, "a value of an object" },
    { ATTRS("\"e\":[\"a\"]"), ATTR_E, "a value of an array" }
};


static const case_t  leavers[] = {
    { "{\"id\":\"" HEX "\"}", NULL, "an id" },
    { "{\"subject\":\"u\"}", NULL, "a subject" },
    { "{\"id\":\"" HEX "\",\"reason\":\"left\"}", NULL, "with a reason" },
    { "{\"subject\":\"u\",\"reason\":\"" X128 "\"}", NULL,
      "a reason of 128" },
    { "{\"subject\":\"u\",\"reason\":\"" X128 "x\"}", REASON,
      "a reason of 129" },
    { "{\"subject\":\"u\",\"reason\":\"\"}", REASON, "an empty reason" },
    { "{\"subject\":\"u\",\"reason\":\"a\\nb\"}", REASON, "a line feed" },
    { "{\"subject\":\"u\",\"reason\":\"\\u009b\"}", REASON, "CSI" },
    { "{\"subject\":\"u\",\"reason\":7}", REASON, "a reason of a number" },
    { "{\"id\":\"" HEX "\",\"subject\":\"u\"}", EITHER, "both" },
    { "{\"reason\":\"left\"}", EITHER, "neither" },
    { "{}", EITHER, "nothing" },
    { "{\"id\":\"" HEX "0\"}", ID, "an id of 33" },
    { "{\"id\":\"0123456789abcdef0123456789abcde\"}", ID, "an id of 31" },
    { "{\"id\":\"0123456789ABCDEF0123456789ABCDEF\"}", ID, "capitals" },
    { "{\"id\":\"0123456789abcdef0123456789abcdeg\"}", ID, "a g" },
    { "{\"id\":\"\"}", ID, "an empty id" },
    { "{\"id\":7}", ID, "an id of a number" },
    { "{\"id\":null,\"subject\":\"u\"}", ID, "an id of null" },
    { "{\"subject\":\"\"}", SUBJ, "an empty subject" },
    { "{\"subject\":\"u\",\"ttl\":1}", UNKNOWN ", ttl", "a joiner's member" },
    { "{\"id\":\"" HEX "\",\"id\":\"" HEX "\"}", TWICE, "a duplicate id" },
    { "[]", NOT, "an array" },
    { "", NOT, "empty" }
};


static const case_t  approvals[] = {
    { "{\"id\":\"" HEX "\",\"approver\":\"m-7\"}", NULL, "an approval" },
    { "{\"id\":\"" HEX "\",\"approver\":\"" X64 "\"}", NULL,
      "an approver of 64" },
    { "{\"id\":\"" HEX "\",\"approver\":\"" X64 "x\"}", APPROVER,
      "an approver of 65" },
    { "{\"id\":\"" HEX "\",\"approver\":\"Zo\303\253\"}", APPROVER,
      "an approver of UTF-8" },
    { "{\"id\":\"" HEX "\",\"approver\":\"ann, cyd\"}", APPROVER,
      "two approvers in one" },
    { "{\"id\":\"" HEX "\",\"approver\":\"ann,cyd\"}", APPROVER,
      "an approver with a comma" },
    { "{\"id\":\"" HEX "\",\"approver\":\"\"}", APPROVER,
      "an empty approver" },
    { "{\"id\":\"" HEX "\",\"approver\":\"a\\tb\"}", APPROVER, "a tab" },
    { "{\"id\":\"" HEX "\",\"approver\":[\"m\"]}", APPROVER,
      "an approver of an array" },
    { "{\"id\":\"" HEX "\",\"approver\":null}", APPROVER,
      "an approver of null" },
    { "{\"id\":\"" HEX "\",\"approver\":\"m\",\"approver\":\"n\"}", TWICE,
      "two approvers" },
    { "{\"id\":\"" HEX "\"}", "\"approver\" is needed", "a leaver" },
    { "{\"approver\":\"m\"}", "\"id\" is needed", "no id" },
    { "{}", "\"id\" is needed", "nothing" },
    { "{\"id\":\"0\",\"approver\":\"m\"}", ID, "a short id" },
    { "{\"id\":\"0123456789ABCDEF0123456789ABCDEF\",\"approver\":\"m\"}",
      ID, "capitals" },
    { "{\"subject\":\"u\",\"approver\":\"m\"}", UNKNOWN ", subject",
      "a subject" },
    { "{\"id\":\"" HEX "\",\"approver\":\"m\",\"reason\":\"x\"}",
      UNKNOWN ", reason", "a leaver's member" },
    { "[]", NOT, "an array" },
    { "", NOT, "empty" }
};


static ngx_int_t
read_joiner(const void *data, size_t len, char *err)
{
    ngx_int_t            rc;
    ngx_str_t            body;
    ngx_enroll_joiner_t  joiner;

    body = fixture_copy(data, len);
    err[0] = '\0';

    rc = ngx_enroll_joiner_read(&joiner, &body, err);

    free(body.data);

    if (rc == NGX_OK) {
        ngx_enroll_joiner_free(&joiner);
    }

    return rc;
}


static ngx_int_t
read_leaver(const void *data, size_t len, char *err)
{
    ngx_int_t            rc;
    ngx_str_t            body;
    ngx_enroll_leaver_t  leaver;

    body = fixture_copy(data, len);
    err[0] = '\0';

    rc = ngx_enroll_leaver_read(&leaver, &body, err);

    free(body.data);

    if (rc == NGX_OK) {
        ngx_enroll_leaver_free(&leaver);
    }

    return rc;
}


static ngx_int_t
read_approval(const void *data, size_t len, char *err)
{
    ngx_int_t              rc;
    ngx_str_t              body;
    ngx_enroll_approval_t  approval;

    body = fixture_copy(data, len);
    err[0] = '\0';

    rc = ngx_enroll_approval_read(&approval, &body, err);

    free(body.data);

    if (rc == NGX_OK) {
        ngx_enroll_approval_free(&approval);
    }

    return rc;
}


static void
test_table(ngx_int_t (*read)(const void *, size_t, char *), const char *what,
    const case_t *table, size_t n)
{
    char        err[NGX_ENROLL_ERR_LEN];
    size_t      i;
    ngx_int_t   rc;

    for (i = 0; i < n; i++) {
        rc = read(table[i].body, strlen(table[i].body), err);

        if (!tap_ok(table[i].err ? rc == NGX_DECLINED
                                   && strcmp(err, table[i].err) == 0
                                 : rc == NGX_OK,
                    "%s, %s: %s", what, table[i].name,
                    table[i].err ? table[i].err : "accepted"))
        {
            printf("# %s\n", err);
        }
    }
}


static int
is(const ngx_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


static void
test_joiner(void)
{
    char                 err[NGX_ENROLL_ERR_LEN];
    ngx_str_t            body;
    ngx_enroll_joiner_t  joiner;

    body = fixture_str("{\"event\":\"evt-7\",\"subject\":\"u-1042\","
                       "\"class\":\"standard\",\"channel\":\"email\","
                       "\"requester\":\"m-7\","
                       "\"ttl\":3600,\"attributes\":{\"email\":"
                       "\"ada@example.org\",\"name\":\"Ada\"}}");
    body = fixture_copy(body.data, body.len);

    memset(&joiner, 0xff, sizeof(joiner));

    tap_ok(ngx_enroll_joiner_read(&joiner, &body, err) == NGX_OK,
           "a whole joiner");

    free(body.data);

    tap_ok(is(&joiner.event, "evt-7"), "its event, when the body is gone");
    tap_ok(is(&joiner.subject, "u-1042"), "its subject");
    tap_ok(is(&joiner.class, "standard"), "its class");
    tap_ok(is(&joiner.channel, "email"), "its channel");
    tap_ok(is(&joiner.requester, "m-7"), "its requester");
    tap_ok(joiner.ttl == 3600, "its ttl");
    tap_ok(joiner.nattributes == 2
           && is(&joiner.attributes[0].name, "email")
           && is(&joiner.attributes[0].value, "ada@example.org")
           && is(&joiner.attributes[1].name, "name")
           && is(&joiner.attributes[1].value, "Ada"),
           "its attributes, in order");

    ngx_enroll_joiner_free(&joiner);
    ngx_enroll_joiner_free(&joiner);

    body = fixture_str("{\"subject\":\"u-1042\"}");
    memset(&joiner, 0xff, sizeof(joiner));

    tap_ok(ngx_enroll_joiner_read(&joiner, &body, err) == NGX_OK
           && joiner.event.len == 0 && joiner.class.len == 0
           && joiner.channel.len == 0 && joiner.requester.len == 0
           && joiner.ttl == 0 && joiner.nattributes == 0,
           "what is not there is empty");

    ngx_enroll_joiner_free(&joiner);
}


static void
test_leaver(void)
{
    char                 err[NGX_ENROLL_ERR_LEN];
    ngx_str_t            body;
    ngx_enroll_leaver_t  leaver;

    body = fixture_str("{\"id\":\"" HEX "\",\"reason\":\"left\"}");
    memset(&leaver, 0xff, sizeof(leaver));

    tap_ok(ngx_enroll_leaver_read(&leaver, &body, err) == NGX_OK
           && is(&leaver.id, HEX) && leaver.subject.len == 0
           && is(&leaver.reason, "left"),
           "a leaver's id and reason");

    ngx_enroll_leaver_free(&leaver);

    body = fixture_str("{\"subject\":\"u-1042\"}");
    memset(&leaver, 0xff, sizeof(leaver));

    tap_ok(ngx_enroll_leaver_read(&leaver, &body, err) == NGX_OK
           && is(&leaver.subject, "u-1042") && leaver.id.len == 0
           && leaver.reason.len == 0,
           "a leaver's subject");

    ngx_enroll_leaver_free(&leaver);
}


static void
test_approval(void)
{
    char                   err[NGX_ENROLL_ERR_LEN];
    ngx_str_t              body;
    ngx_enroll_approval_t  approval;

    body = fixture_str("{\"id\":\"" HEX "\",\"approver\":\"m-7\"}");
    memset(&approval, 0xff, sizeof(approval));

    tap_ok(ngx_enroll_approval_read(&approval, &body, err) == NGX_OK
           && is(&approval.id, HEX) && is(&approval.approver, "m-7"),
           "an approval's id and approver");

    ngx_enroll_approval_free(&approval);
    ngx_enroll_approval_free(&approval);
}


static void
test_hostile(void)
{
    char        *body, err[NGX_ENROLL_ERR_LEN];
    int          wrong;
    size_t       n, len;
    ngx_str_t    nothing;

    ngx_enroll_joiner_t  joiner;

    static const char  whole[] = ATTRS(SIXTEEN);

    len = 200000;
    body = malloc(len);

    memset(body, '[', len);
    tap_ok(read_joiner(body, len, err) == NGX_DECLINED
           && strcmp(err, "the body is nested too deeply") == 0,
           "200000 arrays in each other");

    for (n = 0; n + 5 <= len; n += 5) {
        memcpy(body + n, "{\"a\":", 5);
    }

    tap_ok(read_joiner(body, len, err) == NGX_DECLINED
           && strcmp(err, "the body is nested too deeply") == 0,
           "40000 objects in each other");

    memset(body, 'x', len);
    memcpy(body, "{\"", 2);
    memcpy(body + len - 4, "\":1}", 4);

    tap_ok(read_joiner(body, len, err) == NGX_DECLINED
           && strcmp(err, "there is an unknown member") == 0,
           "a name of 200000 characters");

    free(body);

    wrong = 0;

    for (n = 0; n < sizeof(whole) - 1; n++) {
        wrong += read_joiner(whole, n, err) != NGX_DECLINED || err[0] == '\0';
    }

    tap_ok(wrong == 0, "a body cut short anywhere");

    tap_ok(read_joiner("{" SUBJECT "}\0", sizeof("{" SUBJECT "}"), err)
           == NGX_DECLINED,
           "a NUL behind the body");

    memset(&nothing, 0, sizeof(nothing));

    tap_ok(ngx_enroll_joiner_read(&joiner, &nothing, err) == NGX_DECLINED
           && strcmp(err, NOT) == 0 && joiner.json == NULL,
           "no body at all, and nothing to free");
}


int
main(void)
{
    test_table(read_joiner, "joiner", joiners,
               sizeof(joiners) / sizeof(joiners[0]));
    test_table(read_leaver, "leaver", leavers,
               sizeof(leavers) / sizeof(leavers[0]));
    test_table(read_approval, "approval", approvals,
               sizeof(approvals) / sizeof(approvals[0]));
    test_joiner();
    test_leaver();
    test_approval();
    test_hostile();

    return tap_done();
}
