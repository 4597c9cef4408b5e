
#include "ngx_enroll_proof.h"
#include "ngx_enroll_jwks.h"

#include "fixture.h"


#define NOW          1790000000

#define X16          "xxxxxxxxxxxxxxxx"
#define X64          X16 X16 X16 X16
#define X255         X64 X64 X64 X16 X16 X16 "xxxxxxxxxxxxxxx"
#define HEX          "0123456789abcdef0123456789abcdef"
#define OTHER        "fedcba9876543210fedcba9876543210"

#define JTI          "\"jti\":\"j-1\""
#define IAT          "\"iat\":1789999990"
#define IAL          "\"ial\":\"ial2\""
#define SUBJECT      "\"subject\":\"u-1\""

#define OF(m)        "{" JTI "," IAT "," IAL "," m "}"
#define LEVEL(m)     "{" JTI "," IAT "," SUBJECT "," m "}"
#define WITH(m)      "{" JTI "," IAT "," IAL "," SUBJECT "," m "}"
#define AT(m)        "{" JTI "," IAL "," SUBJECT "," m "}"

#define E_JTI        "\"jti\" must be a string of 1 to 255 printable ASCII "   \
                     "characters without space"
#define E_WHOSE      "the subject is needed, or its token's \"id\"; a "       \
                     "\"nonce\" does not say who was proofed"
#define E_TEXT(m)    "\"" m "\" must be a string of 1 to 255 bytes without "   \
                     "control characters, nor blanks at its ends"
#define E_ID(m)      "\"" m "\" must be a token's id, 32 lower-case hex digits"
#define E_DIFFER     "\"id\" and \"nonce\" differ"
#define E_IAL        "\"ial\" must be \"ial1\", \"ial2\" or \"ial3\""
#define E_NO_IAL     "\"ial\" is needed, or an \"acr\" that says it"
#define E_ACR        "\"ial\" and \"acr\" differ"
#define E_METHOD     "\"method\" must be a string of 1 to 32 characters of "   \
                     "[a-z0-9_-]"
#define E_TIME(m)    "\"" m "\" must be an integer, seconds since the epoch"
#define E_FUTURE(m)  "\"" m "\" is in the future"
#define E_EVIDENCE   "\"evidence\" must be a string of 0 to 64 bytes without " \
                     "control characters, nor blanks at its ends"


typedef struct {
    const char  *claims;
    const char  *err;                       /* NULL: it is accepted */
    const char  *name;
} case_t;


static const case_t  cases[] = {

    /* jti */

    { "{" IAT "," IAL "," SUBJECT "}", E_JTI, "no jti" },
    { "{\"jti\":\"\"," IAT "," IAL "," SUBJECT "}", E_JTI, "an empty jti" },
    { "{\"jti\":7," IAT "," IAL "," SUBJECT "}", E_JTI, "a number" },
    { "{\"jti\":\"a b\"," IAT "," IAL "," SUBJECT "}", E_JTI, "a space" },
    { "{\"jti\":\"a\\nb\"," IAT "," IAL "," SUBJECT "}", E_JTI,
      "a line feed" },
    { "{\"jti\":\"" X255 "\"," IAT "," IAL "," SUBJECT "}", NULL,
      "a jti of 255" },
    { "{\"jti\":\"" X255 "x\"," IAT "," IAL "," SUBJECT "}", E_JTI,
      "a jti of 256" },

    /* whose */

    { "{" JTI "," IAT "," IAL "}", E_WHOSE, "nobody's" },
    { OF("\"subject\":\"\""), E_TEXT("subject"), "an empty subject" },
    { OF("\"subject\":null"), E_TEXT("subject"), "a subject of null" },
    { OF("\"subject\":[\"u\"]"), E_TEXT("subject"), "a subject of an array" },
    { OF("\"subject\":\"a\\u0085\""), E_TEXT("subject"), "NEL" },
    { OF("\"subject\":\"" X255 "\""), NULL, "a subject of 255" },
    { OF("\"subject\":\"" X255 "x\""), E_TEXT("subject"),
      "a subject of 256" },
    { OF("\"subject\":\"\",\"id\":\"" HEX "\""), E_TEXT("subject"),
      "an empty subject beside an id" },
    { OF("\"subject\":\"\",\"sub\":\"u-1\""), E_TEXT("subject"),
      "an empty subject beside a sub" },
    { OF("\"id\":\"" HEX "0\""), E_ID("id"), "an id of 33" },
    { OF("\"id\":\"0123\""), E_ID("id"), "an id of 4" },
    { OF("\"id\":\"\""), E_ID("id"), "an empty id" },
    { OF("\"id\":\"0123456789ABCDEF0123456789ABCDEF\""), E_ID("id"),
      "an id in capitals" },
    { OF("\"id\":\"0123456789abcdef0123456789abcdeg\""), E_ID("id"), "a g" },
    { OF("\"id\":null"), E_ID("id"), "an id of null" },
    { OF("\"nonce\":\"n-0S6_WzA2Mj\""), E_ID("nonce"),
      "a nonce that is no id" },
    { OF("\"nonce\":7"), E_ID("nonce"), "a nonce of a number" },
    { OF(SUBJECT ",\"nonce\":\"x\""), E_ID("nonce"),
      "a subject beside a nonce that is no id" },
    { OF("\"id\":\"" HEX "\",\"nonce\":\"" OTHER "\""), E_DIFFER,
      "an id, and another as a nonce" },
    { OF("\"sub\":\"\""), E_TEXT("sub"), "an empty sub" },
    { OF("\"sub\":7"), E_TEXT("sub"), "a sub of a number" },
    { OF("\"sub\":7,\"nonce\":\"" HEX "\""), E_TEXT("sub"),
      "a sub of a number beside a nonce" },
    { OF("\"nonce\":\"" HEX "\""), E_WHOSE,
      "a nonce, and nobody who was proofed" },
    { OF("\"sub\":7,\"id\":\"" HEX "\""), NULL,
      "a sub that is not looked at, beside an id" },

    { OF("\"subject\":\"u-1 \""), E_TEXT("subject"), "a blank behind it" },
    { OF("\"sub\":\"\\u200bu-1\""), E_TEXT("sub"), "a blank before it" },
    { OF(SUBJECT ",\"events\":{}"), "it tells of events, and proofs nobody",
      "a SET" },

    /* the level */

    { "{" JTI "," IAT "," SUBJECT "}", E_NO_IAL, "no level" },
    { LEVEL("\"ial\":\"none\""), E_IAL, "ial none" },
    { LEVEL("\"ial\":\"ial0\""), E_IAL, "ial0" },
    { LEVEL("\"ial\":\"ial4\""), E_IAL, "ial4" },
    { LEVEL("\"ial\":\"IAL2\""), E_IAL, "IAL2" },
    { LEVEL("\"ial\":\"ial22\""), E_IAL, "ial22" },
    { LEVEL("\"ial\":\"2\""), E_IAL, "2 as a string" },
    { LEVEL("\"ial\":2"), E_IAL, "2 as a number" },
    { LEVEL("\"ial\":\"\""), E_IAL, "an empty level" },
    { LEVEL("\"ial\":null"), E_IAL, "a level of null" },
    { LEVEL("\"ial\":\"\",\"acr\":\"ial3\""), E_IAL,
      "an empty level beside an acr" },
    { LEVEL("\"acr\":\"\""), E_NO_IAL, "an empty acr" },
    { LEVEL("\"acr\":\"ial0\""), E_NO_IAL, "an acr of ial0" },
    { LEVEL("\"acr\":\"ial4\""), E_NO_IAL, "an acr of ial4" },
    { LEVEL("\"acr\":\"2\""), E_NO_IAL, "an acr of 2" },
    { LEVEL("\"acr\":2"), E_NO_IAL, "an acr of a number" },
    { LEVEL("\"acr\":[\"ial2\"]"), E_NO_IAL, "an acr of an array" },
    { LEVEL("\"acr\":\"xial2\""), E_NO_IAL, "an acr that ends alike" },
    { LEVEL("\"acr\":\"ial2x\""), E_NO_IAL, "an acr that begins alike" },
    { LEVEL("\"acr\":\"/ial/2/\""), E_NO_IAL, "an acr with a slash more" },
    { LEVEL("\"acr\":\"http://x/aal/2\""), E_NO_IAL, "an acr of aal" },
    { LEVEL("\"acr\":\"http://x/ial/22\""), E_NO_IAL, "an acr of 22" },
    { LEVEL("\"acr\":\"ial/2\""), E_NO_IAL, "an acr without a slash" },
    { LEVEL("\"acr\":\"/ial/2\""), NULL, "an acr of a path alone" },
    { LEVEL("\"acr\":\"urn:x:ial/2\""), E_NO_IAL, "an acr of a mixture" },
    { LEVEL(IAL ",\"acr\":\"ial1\""), E_ACR, "ial2, and an acr of ial1" },
    { LEVEL(IAL ",\"acr\":\"http://x/ial/3\""), E_ACR,
      "ial2, and an acr of ial3" },
    { LEVEL(IAL ",\"acr\":\"ial2\""), NULL, "ial2 twice" },
    { LEVEL(IAL ",\"acr\":\"phr\""), NULL, "an acr of something else" },

    /* the method */

    { WITH("\"method\":\"\""), E_METHOD, "an empty method" },
    { WITH("\"method\":\"Document\""), E_METHOD, "a method in capitals" },
    { WITH("\"method\":\"a b\""), E_METHOD, "a method with a space" },
    { WITH("\"method\":7"), E_METHOD, "a method of a number" },
    { WITH("\"method\":null,\"amr\":[\"face\"]"), E_METHOD,
      "a method of null" },
    { WITH("\"method\":\"" X16 X16 "x\""), E_METHOD, "a method of 33" },

    /* the evidence */

    { WITH("\"evidence\":\"" X64 "\""), NULL, "evidence of 64" },
    { WITH("\"evidence\":\"" X64 "x\""), E_EVIDENCE, "evidence of 65" },
    { WITH("\"evidence\":\"a\\nb\""), E_EVIDENCE, "a line feed" },
    { WITH("\"evidence\":7"), E_EVIDENCE, "evidence of a number" },
    { WITH("\"evidence\":null"), E_EVIDENCE, "evidence of null" },
    { WITH("\"evidence\":\"\""), NULL, "empty evidence" },

    /* the time */

    { AT("\"x\":0"), E_TIME("iat"), "no time at all" },
    { AT("\"iat\":\"1790000000\""), E_TIME("iat"), "an iat of a string" },
    { AT(IAT ",\"proofed_at\":1790000060"), NULL, "a minute ahead" },
    { AT(IAT ",\"proofed_at\":1790000061"), E_FUTURE("proofed_at"),
      "a second more" },
    { AT(IAT ",\"proofed_at\":1789999999000"), E_FUTURE("proofed_at"),
      "milliseconds" },
    { AT(IAT ",\"proofed_at\":9223372036854775807"), E_FUTURE("proofed_at"),
      "the end of time" },
    { AT(IAT ",\"proofed_at\":-1"), E_TIME("proofed_at"), "a negative time" },
    { AT(IAT ",\"proofed_at\":1790000000.5"), E_TIME("proofed_at"),
      "a fraction" },
    { AT(IAT ",\"proofed_at\":\"1790000000\""), E_TIME("proofed_at"),
      "a time of a string" },
    { AT(IAT ",\"proofed_at\":null"), E_TIME("proofed_at"),
      "a time of null" },
    { AT(IAT ",\"auth_time\":true"), E_TIME("auth_time"),
      "an auth_time of true" },
    { AT(IAT ",\"auth_time\":1790000061"), E_FUTURE("auth_time"),
      "an auth_time ahead" },
    { AT("\"iat\":1790000061"), E_FUTURE("iat"), "an iat ahead" },

    { "[]", E_JTI, "an array" }
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

    claims = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (claims == NULL) {
        printf("Bail out! %s in %s\n", error.text, text);
        exit(1);
    }

    return claims;
}


static void
test_cases(void)
{
    char                 err[NGX_ENROLL_ERR_LEN];
    size_t               i;
    json_t              *claims;
    ngx_int_t            rc;
    const case_t        *c;
    ngx_enroll_proof_t   proof;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        claims = claims_of(c->claims);
        memset(&proof, 0xff, sizeof(proof));
        err[0] = '\0';

        rc = ngx_enroll_proof_read(&proof, claims, NULL, NOW, err);

        if (!tap_ok(c->err ? rc == NGX_DECLINED && strcmp(err, c->err) == 0
                           : rc == NGX_OK,
                    "%s: %s", c->name, c->err ? c->err : "accepted"))
        {
            printf("# %d %s\n", (int) rc, err);
        }

        json_decref(claims);
    }
}


/* What is read, as one line. */

static void
test_read(const char *name, const char *text, const char *want)
{
    char                 err[NGX_ENROLL_ERR_LEN], got[1024];
    json_t              *claims;
    ngx_enroll_proof_t   proof;

    claims = claims_of(text);
    memset(&proof, 0xff, sizeof(proof));
    strcpy(got, "refused");

    if (ngx_enroll_proof_read(&proof, claims, NULL, NOW, err) == NGX_OK) {
        snprintf(got, sizeof(got), "%.*s %.*s%s ial%d %.*s %.*s %lld",
                 (int) proof.subject.len, proof.subject.len
                                          ? (char *) proof.subject.data : "",
                 (int) proof.id.len, proof.id.len
                                     ? (char *) proof.id.data : "",
                 proof.nonce ? "!" : "", proof.level,
                 (int) proof.method.len, proof.method.data,
                 (int) proof.evidence.len, proof.evidence.len
                                           ? (char *) proof.evidence.data : "",
                 (long long) proof.proofed_at);
    }

    if (!tap_ok(strcmp(got, want) == 0, "%s: %s", name, want)) {
        printf("# %s\n", got);
    }

    json_decref(claims);
}


static void
test_proofs(void)
{
    char                 err[NGX_ENROLL_ERR_LEN];
    json_t              *claims;
    ngx_enroll_proof_t   proof;

    claims = claims_of(OF(SUBJECT));
    tap_ok(ngx_enroll_proof_read(&proof, claims, NULL, NOW, err) == NGX_OK
           && is(&proof.jti, "j-1") && is(&proof.evidence, ""),
           "its jti");
    json_decref(claims);

    test_read("a back end's",
        "{\"iss\":\"i\",\"aud\":\"a\"," IAT ",\"exp\":1790000600," JTI ","
        SUBJECT ",\"ial\":\"ial2\",\"method\":\"document\","
        "\"proofed_at\":1789990000,\"evidence\":\"case-77\"}",
        "u-1  ial2 document case-77 1789990000000");

    test_read("a back end's, by the id",
        OF("\"id\":\"" HEX "\""), " " HEX " ial2 unspecified  1789999990000");
    test_read("by both",
        OF(SUBJECT ",\"id\":\"" HEX "\""),
        "u-1 " HEX " ial2 unspecified  1789999990000");

    claims = claims_of(OF("\"sub\":\"77\",\"nonce\":\"" HEX "\","
                          "\"staff\":\"u-9\""));
    tap_ok(ngx_enroll_proof_read(&proof, claims, "staff", NOW, err) == NGX_OK
           && is(&proof.subject, "u-9"),
           "an OpenID provider's, who names the subject in a claim of his");
    tap_ok(ngx_enroll_proof_read(&proof, claims, "other", NOW, err)
           == NGX_DECLINED && strcmp(err, E_WHOSE) == 0,
           "the claim that is named has to be there: sub does not serve");
    json_decref(claims);

    test_read("an OpenID provider's",
        "{\"iss\":\"i\",\"aud\":\"a\"," IAT "," JTI ",\"sub\":\"77\","
        "\"nonce\":\"" HEX "\",\"acr\":\"http://idmanagement.gov/ns/"
        "assurance/ial/2\",\"amr\":[\"face\",\"pin\"],"
        "\"auth_time\":1789999000}",
        "77 " HEX "! ial2 face  1789999000000");
    test_read("an id and a nonce that agree",
        OF("\"id\":\"" HEX "\",\"nonce\":\"" HEX "\""),
        " " HEX "! ial2 unspecified  1789999990000");
    test_read("a sub where nothing else names one",
        OF("\"sub\":\"u-2\""), "u-2  ial2 unspecified  1789999990000");
    test_read("a sub beside a subject",
        OF(SUBJECT ",\"sub\":\"u-2\""),
        "u-1  ial2 unspecified  1789999990000");
    test_read("a sub beside an id",
        OF("\"id\":\"" HEX "\",\"sub\":\"u-2\""),
        " " HEX " ial2 unspecified  1789999990000");

    test_read("ial1", LEVEL("\"ial\":\"ial1\""),
              "u-1  ial1 unspecified  1789999990000");
    test_read("ial3", LEVEL("\"ial\":\"ial3\""),
              "u-1  ial3 unspecified  1789999990000");
    test_read("an acr of ial3", LEVEL("\"acr\":\"ial3\""),
              "u-1  ial3 unspecified  1789999990000");
    test_read("an acr of a URN", LEVEL("\"acr\":\"urn:x:ial:1\""),
              "u-1  ial1 unspecified  1789999990000");
    test_read("an acr of a URL", LEVEL("\"acr\":\"https://x/ial/3\""),
              "u-1  ial3 unspecified  1789999990000");

    test_read("a method of 32", WITH("\"method\":\"" X16 X16 "\""),
              "u-1  ial2 " X16 X16 "  1789999990000");
    test_read("a method beside an amr",
              WITH("\"method\":\"document\",\"amr\":[\"face\"]"),
              "u-1  ial2 document  1789999990000");
    test_read("an amr that is no word", WITH("\"amr\":[\"A B\",\"face\"]"),
              "u-1  ial2 unspecified  1789999990000");
    test_read("an amr of a string", WITH("\"amr\":\"face\""),
              "u-1  ial2 unspecified  1789999990000");
    test_read("an empty amr", WITH("\"amr\":[]"),
              "u-1  ial2 unspecified  1789999990000");

    test_read("a proofed_at beside an auth_time",
              WITH("\"auth_time\":5,\"proofed_at\":7"),
              "u-1  ial2 unspecified  7000");
    test_read("1970", WITH("\"proofed_at\":0"),
              "u-1  ial2 unspecified  0");
}


int
main(void)
{
    test_cases();
    test_proofs();

    return tap_done();
}
