
#include "ngx_enroll_authenticator.h"

#include "allocated.h"
#include "fixture.h"
#include "responses.h"

#include <jose/b64.h>


#define MAX         8192

/*
 * A response made by hand: SHA-256 of "localhost", flags, counter; AAGUID,
 * length and credential id; a public key, {1: 2, 3: -7}.
 */

#define RP          "49960de5880e8c687434170f6476605b"                       \
                    "8fe4aeb9a28632c7995cf3ba831d9763"
#define COUNTER     "00000001"
#define AAGUID      "00112233445566778899aabbccddeeff"
#define CREDENTIAL  "0004" "c0ffee01"
#define KEY         "a201020326"
#define AUTH(f)     RP f COUNTER AAGUID CREDENTIAL KEY
#define PLAIN       AUTH("45")

#define ID          "wP_uAQ"
#define ID_SHA256   "4205bb22b4bd9e413b7ff62798a66679"                       \
                    "468a86a848979f8f81359276cccf0103"

/* "fmt": "none", "attStmt": {}, "authData": 64 bytes */
#define FMT         "63666d74" "646e6f6e65"
#define STMT        "6761747453746d74" "a0"
#define DATA        "686175746844617461"
#define X16         "78787878787878787878787878787878"
#define OBJECT      "a3" FMT STMT DATA "5840" PLAIN

#define ORIGIN      "https://login.example.com"
#define CLIENT(t, o)                                                         \
    "{\"type\":" t ",\"challenge\":\"AA\",\"origin\":" o ","                 \
    "\"crossOrigin\":false}"
#define CREATE      "\"webauthn.create\""
#define CLIENT_OK   CLIENT(CREATE, "\"" ORIGIN "\"")

/* <C> is the client data in base64url, <O> the object, <A> the auth data */
#define RESPONSE(m)                                                          \
    "\"response\":{\"clientDataJSON\":\"<C>\","                              \
    "\"attestationObject\":\"<O>\"" m "}"
#define TYPE        "\"type\":\"public-key\""
#define IDS(a, b)   "\"id\":\"" a "\",\"rawId\":\"" b "\""
#define INNER(m)    IDS(ID, ID) "," TYPE "," RESPONSE(m)
#define BODY(m)     "{" INNER(m) "}"

#define A16         "AAAAAAAAAAAAAAAA"
#define A64         A16 A16 A16 A16
#define ZEROS       A64 A16 "AAAAAA"         /* 64 bytes */

#define NO_JSON     "the body is not a JSON object"
#define NO_RESPONSE "there is no registration response"
#define NO_TYPE     "\"type\" is not \"public-key\""
#define NO_ID       "\"id\" and \"rawId\" are not one credential id"
#define OTHER_ID    "\"id\" is not that of the attested credential"
#define NO_CLIENT64 "\"clientDataJSON\" is not base64url"
#define NO_CLIENT   "\"clientDataJSON\" is not a JSON object"
#define NO_CREATE   "the client data's type is not \"webauthn.create\""
#define NO_ORIGIN   "the client data's origin is invalid"
#define NO_OBJECT64 "\"attestationObject\" is not base64url"
#define NO_MAP      "the attestation object is not a map of three"
#define NO_OBJECT   "the attestation object is malformed"
#define NO_END      "bytes follow the attestation object"
#define NO_AGAIN                                                             \
    "\"authenticatorData\" are not those of the attestation object"
#define NO_ARRAY    "\"transports\" is not an array of strings"
#define AUTH_SHORT  "the authenticator data are too short"
#define AUTH_BS     "it is backed up, but not backup-eligible"
#define AUTH_AT     "there is no attested credential"
#define CRED_SHORT  "the attested credential is too short"
#define CRED_LEN    "the credential id is too long, or empty"
#define NO_KEY      "the public key is malformed"
#define NO_EXT      "the extensions are malformed"
#define AUTH_END    "bytes follow the authenticator data"
#define TWICE                                                                \
    "a member is there again, under a name that resembles its own"
#define TOO_LARGE   "the body is too large"


typedef struct {
    const char  *text;
    const char  *wrong;          /* NULL: it is read */
    const char  *name;
} case_t;


typedef struct {
    const char  *body;           /* NULL: BODY("") */
    const char  *client;         /* NULL: CLIENT_OK */
    const char  *object;         /* hex; NULL: OBJECT, or what has auth */
    const char  *auth;           /* hex; NULL: PLAIN */
    const char  *place;          /* NULL: "" */
} parts_t;


static size_t
unhex(u_char *to, const char *hex)
{
    size_t        i, len;
    unsigned int  byte;

    len = strlen(hex) / 2;

    for (i = 0; i < len; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        to[i] = (u_char) byte;
    }

    return len;
}


static void
encode(char *to, const u_char *from, size_t len)
{
    size_t  n;

    n = len ? jose_b64_enc_buf(from, len, to, MAX) : 0;
    to[n] = '\0';
}


/* an attestation object of "none" around some authenticator data */

static size_t
wrap(u_char *object, const u_char *auth, size_t len)
{
    size_t  n;

    n = unhex(object, "a3" FMT STMT DATA "59");

    object[n++] = (u_char) (len >> 8);
    object[n++] = (u_char) len;
    memcpy(object + n, auth, len);

    return n + len;
}


static size_t
expand(char *to, const char *text, const char *client, const char *object,
    const char *auth)
{
    char        *p;
    const char  *piece;

    for (p = to; *text; text++) {

        piece = strncmp(text, "<C>", 3) == 0 ? client
                : strncmp(text, "<O>", 3) == 0 ? object
                : strncmp(text, "<A>", 3) == 0 ? auth : NULL;

        if (piece == NULL) {
            *p++ = *text;
            continue;
        }

        p = stpcpy(p, piece);
        text += 2;
    }

    *p = '\0';

    return p - to;
}


static size_t
make(char *body, const parts_t *parts)
{
    char         client[MAX], object[MAX], auth[MAX];
    size_t       len, auth_len;
    u_char       raw[MAX], auth_raw[MAX];
    const char  *text;

    auth_len = unhex(auth_raw, parts->auth ? parts->auth : PLAIN);
    encode(auth, auth_raw, auth_len);

    len = parts->object ? unhex(raw, parts->object)
                        : wrap(raw, auth_raw, auth_len);
    encode(object, raw, len);

    text = parts->client ? parts->client : CLIENT_OK;
    encode(client, (const u_char *) text, strlen(text));

    return expand(body, parts->body ? parts->body : BODY(""), client, object,
                  auth);
}


static ngx_int_t
read_text(ngx_enroll_authenticator_t *authenticator, const void *text,
    size_t len, const char *place, const char **wrong)
{
    ngx_int_t  rc;
    ngx_str_t  copy, at;

    *wrong = NULL;
    memset(authenticator, 0xa5, sizeof(ngx_enroll_authenticator_t));

    copy = fixture_copy(text, len);
    at = fixture_copy(place, strlen(place));

    rc = ngx_enroll_authenticator_read(authenticator, &copy, &at, wrong);

    free(copy.data);
    free(at.data);

    return rc;
}


static int
is_zero(const ngx_enroll_authenticator_t *authenticator)
{
    static const ngx_enroll_authenticator_t  zero;

    return memcmp(authenticator, &zero, sizeof(zero)) == 0;
}


static int
is_same(const ngx_enroll_authenticator_t *a,
    const ngx_enroll_authenticator_t *b)
{
    return strcmp(a->credential, b->credential) == 0
           && strcmp(a->aaguid, b->aaguid) == 0
           && strcmp(a->attestation, b->attestation) == 0
           && strcmp(a->transports, b->transports) == 0
           && strcmp(a->origin, b->origin) == 0
           && a->user_present == b->user_present
           && a->user_verified == b->user_verified
           && a->backup_eligible == b->backup_eligible
           && a->backed_up == b->backed_up;
}


static void
check(const parts_t *parts, const char *wrong, const char *name)
{
    char                        body[4 * MAX];
    size_t                      len;
    ngx_int_t                   rc;
    const char                 *said;
    ngx_enroll_authenticator_t  authenticator;

    len = make(body, parts);
    rc = read_text(&authenticator, body, len, parts->place ? parts->place : "",
                   &said);

    if (wrong == NULL) {
        tap_ok(rc == NGX_OK && said == NULL
               && strcmp(authenticator.credential, ID_SHA256) == 0,
               "%s: is read%s%s", name, said ? ", not: " : "",
               said ? said : "");

    } else {
        tap_ok(rc == NGX_DECLINED && said && strcmp(said, wrong) == 0
               && is_zero(&authenticator),
               "%s: %s%s%s", name, wrong,
               said && strcmp(said, wrong) == 0 ? "" : ", not: ",
               said && strcmp(said, wrong) == 0 ? "" : said ? said : "read");
    }
}


/* what a real browser made, and another library read in it */

static void
real(void)
{
    size_t                      i;
    ngx_int_t                   rc;
    const char                 *wrong;
    ngx_enroll_authenticator_t  authenticator;

    static const struct {
        const char                  *body;
        const char                  *name;
        ngx_enroll_authenticator_t   facts;
    } responses[] = {
        { PLATFORM, "a platform authenticator", { PLATFORM_FACTS } },
        { SYNCED, "a synced passkey", { SYNCED_FACTS } },
        { ELIGIBLE, "a passkey that may be synced", { ELIGIBLE_FACTS } },
        { SECURITY_KEY, "a security key, attested", { SECURITY_KEY_FACTS } },
        { U2F, "a key of U2F", { U2F_FACTS } },
        { EXTENSIONS, "one with extensions", { EXTENSIONS_FACTS } },
    };

    for (i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
        rc = read_text(&authenticator, responses[i].body,
                       strlen(responses[i].body), "", &wrong);

        tap_ok(rc == NGX_OK && is_same(&authenticator, &responses[i].facts),
               "Chromium, %s: read as the IdP's library reads it",
               responses[i].name);
    }
}


static void
by_hand(void)
{
    char                        body[4 * MAX];
    size_t                      len;
    ngx_int_t                   rc;
    const char                 *wrong;
    ngx_enroll_authenticator_t  authenticator;

    static const parts_t  parts = { .object = OBJECT };

    static const ngx_enroll_authenticator_t  facts = {
        .credential = ID_SHA256,
        .aaguid = "00112233-4455-6677-8899-aabbccddeeff",
        .attestation = "none",
        .transports = "",
        .origin = ORIGIN,
        .user_present = 1,
        .user_verified = 1
    };

    len = make(body, &parts);
    rc = read_text(&authenticator, body, len, "", &wrong);

    tap_ok(rc == NGX_OK && is_same(&authenticator, &facts),
           "a response made by hand is read");
}


static void
flags(void)
{
    char                        auth[MAX], body[4 * MAX];
    int                         failed, bs_alone;
    size_t                      len;
    parts_t                     parts = { .auth = auth };
    ngx_int_t                   rc;
    ngx_uint_t                  f;
    const char                 *wrong;
    ngx_enroll_authenticator_t  a;

    failed = 0;

    for (f = 0; f < 256; f++) {
        snprintf(auth, sizeof(auth), RP "%02x" COUNTER AAGUID CREDENTIAL KEY
                 "%s", (int) f, f & 0x80 ? "a0" : "");

        len = make(body, &parts);
        rc = read_text(&a, body, len, "", &wrong);

        bs_alone = (f & 0x18) == 0x10;

        if (bs_alone || !(f & 0x40)) {
            failed += rc != NGX_DECLINED
                      || strcmp(wrong, bs_alone ? AUTH_BS : AUTH_AT) != 0;

        } else {
            failed += rc != NGX_OK
                      || a.user_present != (f & 1)
                      || a.user_verified != ((f >> 2) & 1)
                      || a.backup_eligible != ((f >> 3) & 1)
                      || a.backed_up != ((f >> 4) & 1);
        }
    }

    tap_ok(failed == 0, "all 256 flags are read as they are meant");
}


static const case_t  auths[] = {
    { PLAIN, NULL, "a key and no extensions" },
    { AUTH("c5") "a0", NULL, "no extension in the extensions" },
    { AUTH("c5") "a16b6372656450726f7465637403", NULL, "an extension" },
    { AUTH("c5"), NO_EXT, "extensions are told, and not there" },
    { AUTH("c5") "80", NO_EXT, "extensions that are an array" },
    { AUTH("c5") "a1", NO_EXT, "extensions cut short" },
    { AUTH("c5") "bfff", NO_EXT, "extensions of indefinite length" },
    { AUTH("c5") "ba10000000", NO_EXT, "2^28 extensions" },
    { AUTH("c5") "a0a0", AUTH_END, "extensions twice" },
    { AUTH("c5") "a000", AUTH_END, "a byte behind the extensions" },
    { PLAIN "00", AUTH_END, "a byte behind the key" },
    { PLAIN "a0", AUTH_END, "extensions that are not told" },
    { AUTH("55"), AUTH_BS, "backed up, not backup-eligible" },
    { AUTH("05"), AUTH_AT, "a credential that is not told" },
    { RP "05" COUNTER, AUTH_AT, "an assertion's authenticator data" },
    { RP "45" COUNTER, CRED_SHORT, "no credential at all" },
    { RP "45" COUNTER AAGUID, CRED_SHORT, "an AAGUID and no credential" },
    { RP "45" COUNTER AAGUID "00", CRED_SHORT, "half a length" },
    { RP "45" COUNTER AAGUID "0000", CRED_LEN, "an empty credential id" },
    { RP "45" COUNTER AAGUID "0000" KEY, CRED_LEN, "the same, with a key" },
    { RP "45" COUNTER AAGUID "0004c0ffee", CRED_LEN, "three bytes of four" },
    { RP "45" COUNTER AAGUID "0400c0ffee01" KEY, CRED_LEN, "1024 bytes" },
    { RP "45" COUNTER AAGUID "ffffc0ffee01" KEY, CRED_LEN, "65535 bytes" },
    { RP "45" COUNTER AAGUID CREDENTIAL, NO_KEY, "no key" },
    { RP "45" COUNTER AAGUID CREDENTIAL "80", NO_KEY, "an array for a key" },
    { RP "45" COUNTER AAGUID CREDENTIAL "a1", NO_KEY, "a key cut short" },
    { RP "45" COUNTER AAGUID CREDENTIAL "a101", NO_KEY, "half a pair" },
    { RP "45" COUNTER AAGUID CREDENTIAL "ba10000000", NO_KEY,
      "a key of 2^28 members" },
    { RP "45" COUNTER AAGUID CREDENTIAL "bf0102ff", NO_KEY,
      "a key of indefinite length" },
    { RP "45" COUNTER AAGUID CREDENTIAL "c1" KEY, NO_KEY, "a key with a tag" },
    { RP "45" COUNTER AAGUID "0004c0ffee02" KEY, OTHER_ID,
      "another credential id" },
    { RP "45" COUNTER AAGUID "0005c0ffee01a2" "01020326", OTHER_ID,
      "a longer credential id" },
    { RP "45" COUNTER AAGUID "0003c0ffee" "01", OTHER_ID,
      "a shorter credential id" },
    { RP "45" "000000", AUTH_SHORT, "36 bytes" },
    { "00", AUTH_SHORT, "one byte" },
};


static const case_t  objects[] = {
    { OBJECT, NULL, "fmt, attStmt, authData" },
    { "a3" DATA "5840" PLAIN STMT FMT, NULL, "in another order" },
    { "a3" FMT "6761747453746d74" "80" DATA "5840" PLAIN, NULL,
      "a statement that is an array" },
    { "a3" FMT "6761747453746d74" "a363616c67266373696743010203637835638142"
      "3000" DATA "5840" PLAIN, NULL, "a statement with a chain" },
    { "a3" FMT STMT DATA "5a00000040" PLAIN, NULL, "a longer length" },
    { "a2" FMT DATA "5840" PLAIN, NO_MAP, "no statement" },
    { "a2" STMT DATA "5840" PLAIN, NO_MAP, "no format" },
    { "a2" FMT STMT, NO_MAP, "no authenticator data" },
    { "a0", NO_MAP, "an empty map" },
    { "80", NO_MAP, "an array" },
    { "83" FMT STMT DATA "5840" PLAIN, NO_MAP, "an array of three" },
    { "00", NO_MAP, "a number" },
    { "bf" FMT STMT DATA "5840" PLAIN "ff", NO_MAP, "of indefinite length" },
    { "d9d9f7" OBJECT, NO_MAP, "with a tag" },
    { "a4" FMT STMT "617800" DATA "5840" PLAIN, NO_MAP, "a fourth member" },
    { "a3" FMT FMT DATA "5840" PLAIN, NO_OBJECT, "the format twice" },
    { "a3" STMT STMT DATA "5840" PLAIN, NO_OBJECT, "the statement twice" },
    { "a3" FMT DATA "5840" PLAIN DATA "5840" PLAIN, NO_OBJECT,
      "the authenticator data twice" },
    { "a3" FMT "617800" DATA "5840" PLAIN, NO_OBJECT, "another member" },
    { "a3" FMT "0100" DATA "5840" PLAIN, NO_OBJECT, "a number as a name" },
    { "a3" "43666d74" "646e6f6e65" STMT DATA "5840" PLAIN, NO_OBJECT,
      "bytes as a name" },
    { "a3" "63666d74" "446e6f6e65" STMT DATA "5840" PLAIN, NO_OBJECT,
      "bytes as the format" },
    { "a3" "63666d74" "60" STMT DATA "5840" PLAIN, NO_OBJECT,
      "an empty format" },
    { "a3" "63666d74" "7820" X16 X16 STMT DATA "5840" PLAIN, NULL,
      "a format of 32 bytes" },
    { "a3" "63666d74" "7821" X16 X16 "78" STMT DATA "5840" PLAIN, NO_OBJECT,
      "a format of 33 bytes" },
    { "a3" "63666d74" "646e6f0065" STMT DATA "5840" PLAIN, NO_OBJECT,
      "a NUL in the format" },
    { "a3" "63666d74" "646e6f2065" STMT DATA "5840" PLAIN, NO_OBJECT,
      "a space in the format" },
    { "a3" "63666d74" "646e6fc3bc" STMT DATA "5840" PLAIN, NO_OBJECT,
      "an umlaut in the format" },
    { "a3" FMT "6761747453746d74" "f6" DATA "5840" PLAIN, NO_OBJECT,
      "null as the statement" },
    { "a3" FMT "6761747453746d74" "40" DATA "5840" PLAIN, NO_OBJECT,
      "bytes as the statement" },
    { "a3" FMT "6761747453746d74" "a1616181818181818181818100"
      DATA "5840" PLAIN, NO_OBJECT, "a statement that is nested too deeply" },
    { "a3" FMT "6761747453746d74" "9a10000000" DATA "5840" PLAIN, NO_OBJECT,
      "a statement of 2^28 items" },
    { "a3" FMT STMT DATA "7840" PLAIN, NO_OBJECT, "text as the data" },
    { "a3" FMT STMT DATA "40", NO_OBJECT, "no authenticator data in it" },
    { "a3" FMT STMT DATA "5841" PLAIN, NO_OBJECT, "the data cut short" },
    { "a3" FMT STMT DATA "5bffffffffffffffff" PLAIN, NO_OBJECT,
      "data of 2^64 - 1 bytes" },
    { "a3" FMT STMT DATA "583f" PLAIN, NO_END, "a byte too many" },
    { OBJECT "00", NO_END, "a byte behind it" },
    { OBJECT OBJECT, NO_END, "another one behind it" },
};


static const case_t  clients[] = {
    { CLIENT_OK, NULL, "as browsers write it" },
    { "{\"origin\":\"" ORIGIN "\",\"type\":" CREATE ",\"x\":[{\"y\":1}]}",
      NULL, "with more in it" },
    { "{\"type\":" CREATE ",\"origin\":\"" ORIGIN "\",\"crossOrigin\":true,"
      "\"topOrigin\":\"https://example.org\"}", NULL, "of another origin's" },
    { CLIENT("\"webauthn.get\"", "\"" ORIGIN "\""), NO_CREATE,
      "of an assertion" },
    { CLIENT("\"webauthn.creat\"", "\"" ORIGIN "\""), NO_CREATE,
      "another type" },
    { CLIENT("\"WebAuthn.create\"", "\"" ORIGIN "\""), NO_CREATE,
      "its type in capitals" },
    { CLIENT("[\"webauthn.create\"]", "\"" ORIGIN "\""), NO_CREATE,
      "its type in an array" },
    { CLIENT("1", "\"" ORIGIN "\""), NO_CREATE, "a number for a type" },
    { "{\"origin\":\"" ORIGIN "\"}", NO_CREATE, "no type" },
    { "{}", NO_CREATE, "empty" },
    { "{\"type\":" CREATE "}", NO_ORIGIN, "no origin" },
    { CLIENT(CREATE, "null"), NO_ORIGIN, "null for an origin" },
    { CLIENT(CREATE, "\"\""), NO_ORIGIN, "an empty origin" },
    { CLIENT(CREATE, "[\"" ORIGIN "\"]"), NO_ORIGIN, "an array of origins" },
    { CLIENT(CREATE, "\"https://a b\""), NO_ORIGIN, "a space in it" },
    { CLIENT(CREATE, "\"https://a\\nb\""), NO_ORIGIN, "a line's end in it" },
    { CLIENT(CREATE, "\"https://\303\274\""), NO_ORIGIN, "an umlaut in it" },
    { CLIENT(CREATE, "\"a\\u0000b\""), NO_CLIENT, "a NUL in it" },
    { CLIENT(CREATE, "\"a\",\"origin\":\"" ORIGIN "\""), NO_CLIENT,
      "the origin twice" },
    { "{\"Type\":\"\"," "\"type\":" CREATE ",\"origin\":\"" ORIGIN "\"}",
      TWICE, "a type with a capital, too" },
    { "{\"type\":" CREATE ",\"origin\":\"" ORIGIN "\",\"ORIGIN\":\"\"}",
      TWICE, "an origin in capitals, too" },
    { CLIENT_OK "x", NO_CLIENT, "something behind it" },
    { "\357\273\277" CLIENT_OK, NO_CLIENT, "a byte order mark" },
    { "[" CLIENT_OK "]", NO_CLIENT, "an array" },
    { "null", NO_CLIENT, "null" },
    { " ", NO_CLIENT, "a space" },
    { "", NO_CLIENT64, "nothing" },
};


static const case_t  bodies[] = {
    { BODY(""), NULL, "the least" },
    { BODY(",\"authenticatorData\":\"<A>\""), NULL, "with its data again" },
    { BODY(",\"publicKey\":\"!\",\"publicKeyAlgorithm\":-7"), NULL,
      "with what is not read" },
    { "{" INNER("") ",\"clientExtensionResults\":{},"
      "\"authenticatorAttachment\":null}", NULL, "with more members" },
    { " \r\n" BODY("") "\t ", NULL, "white space around" },
    { "{" IDS("wP\\u005fuAQ", ID) "," TYPE "," RESPONSE("") "}", NULL,
      "an escape in it" },
    { "", NO_JSON, "nothing" },
    { "x", NO_JSON, "no JSON" },
    { "null", NO_JSON, "null" },
    { "[" BODY("") "]", NO_JSON, "an array of it" },
    { BODY("") BODY(""), NO_JSON, "two of it" },
    { "\357\273\277" BODY(""), NO_JSON, "a byte order mark" },
    { "{" TYPE "," INNER("") "}", NO_JSON, "a member twice" },
    { "{" INNER(",\"transports\":[],\"transports\":[\"usb\"]") "}", NO_JSON,
      "a member twice, further in" },
    { "{\"response\":{\"clientDataJSON\":\"<C>\",\"\\u0063lientDataJSON\":"
      "\"<C>\"}}", NO_JSON, "twice, and one disguised" },
    { "{\"x\":\"\303\"," INNER("") "}", NO_JSON, "no UTF-8" },
    { "{}", NO_RESPONSE, "an empty object" },
    { "{\"data\":" BODY("") "}", NO_RESPONSE, "it is further in" },
    { "{\"id\":\"x\"}", NO_RESPONSE, "an id only" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":[]}", NO_RESPONSE,
      "an array for a response" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":\"x\"}", NO_RESPONSE,
      "a string for a response" },
    { "{" IDS(ID, ID) "," RESPONSE("") "}", NO_TYPE, "no type" },
    { "{" IDS(ID, ID) ",\"type\":\"password\"," RESPONSE("") "}", NO_TYPE,
      "another type" },
    { "{" IDS(ID, ID) ",\"type\":[\"public-key\"]," RESPONSE("") "}", NO_TYPE,
      "an array of types" },
    { "{\"rawId\":\"" ID "\"," TYPE "," RESPONSE("") "}", NO_ID, "no id" },
    { "{\"id\":\"" ID "\"," TYPE "," RESPONSE("") "}", NO_ID, "no rawId" },
    { "{" IDS(ID, "wP_uAg") "," TYPE "," RESPONSE("") "}", NO_ID,
      "two ids that differ" },
    { "{" IDS(ID, ID "A") "," TYPE "," RESPONSE("") "}", NO_ID,
      "two of which one is longer" },
    { "{" IDS("", "") "," TYPE "," RESPONSE("") "}", NO_ID, "empty ids" },
    { "{\"id\":1,\"rawId\":1," TYPE "," RESPONSE("") "}", NO_ID,
      "numbers for ids" },
    { "{" IDS("wP_uAg", "wP_uAg") "," TYPE "," RESPONSE("") "}", OTHER_ID,
      "another id" },
    { "{" IDS("wP_uAR", "wP_uAR") "," TYPE "," RESPONSE("") "}", OTHER_ID,
      "the same id, not canonical" },
    { "{" IDS("wP_uAQ==", "wP_uAQ==") "," TYPE "," RESPONSE("") "}", OTHER_ID,
      "the same id, padded" },
    { "{" IDS("wP/uAQ", "wP/uAQ") "," TYPE "," RESPONSE("") "}", OTHER_ID,
      "the same id, in plain base64" },
    { "{" INNER("") ",\"x\":" "{}" "}", NULL, "an object more" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"attestationObject\":\"<O>\"}}",
      NO_CLIENT64, "no client data" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>=\","
      "\"attestationObject\":\"<O>\"}}", NO_CLIENT64, "client data, padded" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":{},"
      "\"attestationObject\":\"<O>\"}}", NO_CLIENT64, "client data as JSON" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>\"}}",
      NO_OBJECT64, "no attestation object" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>\","
      "\"attestationObject\":\"<O>\\n\"}}", NO_OBJECT64, "a line's end" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>\","
      "\"attestationObject\":\" <O>\"}}", NO_OBJECT64, "a space before it" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>\","
      "\"attestationObject\":\"<O>A\"}}", NO_END, "a byte more" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>\","
      "\"attestationObject\":\"<O>AA\"}}", NO_OBJECT64, "half a byte more" },
    { "{" IDS(ID, ID) "," TYPE ",\"response\":{\"clientDataJSON\":\"<C>\","
      "\"attestationObject\":\"\"}}", NO_OBJECT64, "an empty one" },
    { "{" INNER("") ",\"Response\":{}}", TWICE, "a response with a capital" },
    { "{" INNER("") ",\"re\305\277ponse\":{}}", TWICE,
      "a response with a long s" },
    { "{" INNER("") ",\"re\\u017fpon\\u017fe\":{}}", TWICE,
      "two long s, in an escape" },
    { "{" INNER("") ",\"ID\":\"x\"}", TWICE, "an id in capitals" },
    { "{" INNER("") ",\"\304\260d\":\"x\"}", TWICE, "an id with a dot" },
    { "{" INNER("") ",\"\304\261d\":\"x\"}", TWICE, "an id without one" },
    { "{" INNER("") ",\"\304\262d\":\"x\"}", NULL, "an i that is a j" },
    { "{" INNER("") ",\"rawid\":\"x\"}", TWICE, "a rawId in small letters" },
    { "{" INNER("") ",\"typE\":\"x\"}", TWICE, "another type" },
    { "{" INNER("") ",\"type2\":\"x\",\"typ\":1,\"\":2,\"re\305ponse\":3}",
      NO_JSON, "no UTF-8 in a name" },
    { "{" INNER("") ",\"type2\":\"x\",\"typ\":1,\"\":2,\"re\303\237\":3}",
      NULL, "names that resemble none" },
    { BODY(",\"ATTESTATIONOBJECT\":\"<O>\""), TWICE,
      "an object in capitals, the same even" },
    { BODY(",\"clientDataJson\":\"<C>\""), TWICE, "client data, less loud" },
    { BODY(",\"Transports\":[]"), TWICE, "only transports with a capital" },
    { BODY(",\"authenticatordata\":\"<A>\""), TWICE,
      "only data in small letters" },
    { BODY(",\"authenticatorData\":null"), NO_AGAIN, "null as its data" },
    { BODY(",\"authenticatorData\":\"\""), NO_AGAIN, "empty data" },
    { BODY(",\"authenticatorData\":\"<A>AAAA\""), NO_AGAIN, "longer data" },
    { BODY(",\"authenticatorData\":\"<O>\""), NO_AGAIN, "other data" },
    { BODY(",\"authenticatorData\":\"" ZEROS "\""), NO_AGAIN,
      "other data of the same length" },
};


static void
shapes(void)
{
    size_t   i;
    parts_t  parts;

    for (i = 0; i < sizeof(auths) / sizeof(auths[0]); i++) {
        memset(&parts, 0, sizeof(parts));
        parts.auth = auths[i].text;
        check(&parts, auths[i].wrong, auths[i].name);
    }

    for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        memset(&parts, 0, sizeof(parts));
        parts.object = objects[i].text;
        check(&parts, objects[i].wrong, objects[i].name);
    }

    for (i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        memset(&parts, 0, sizeof(parts));
        parts.client = clients[i].text;
        check(&parts, clients[i].wrong, clients[i].name);
    }

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        memset(&parts, 0, sizeof(parts));
        parts.body = bodies[i].text;
        check(&parts, bodies[i].wrong, bodies[i].name);
    }
}


static void
places(void)
{
    size_t   i;
    parts_t  parts;

    static const struct {
        const char  *place;
        const char  *body;
        const char  *wrong;
        const char  *name;
    } cases[] = {
        { "", BODY(""), NULL, "no place: the body" },
        { "data", "{\"data\":" BODY("") "}", NULL, "a member" },
        { "data.credential", "{\"data\":{\"credential\":" BODY("") "}}", NULL,
          "a member of a member" },
        { "a.b.c.d.e.f.g.h", "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":"
          "{\"g\":{\"h\":" BODY("") "}}}}}}}}", NULL, "eight members deep" },
        { "data", BODY(""), NO_RESPONSE, "the body, and not the member" },
        { "data", "{\"Data\":" BODY("") "}", NO_RESPONSE, "capitals" },
        { "data", "{\"Data\":{},\"data\":" BODY("") "}", NO_RESPONSE,
          "with capitals, too" },
        { "a.tok", "{\"a\":{\"to\342\204\252\":{},\"tok\":" BODY("") "}}",
          NO_RESPONSE, "the kelvin's K, too" },
        { "data", "{\"dat\":" BODY("") "}", NO_RESPONSE, "a shorter name" },
        { "data", "{\"data2\":" BODY("") "}", NO_RESPONSE, "a longer name" },
        { "data", "{\"data\":[" BODY("") "]}", NO_RESPONSE, "an array" },
        { "data", "{\"data\":\"x\"}", NO_RESPONSE, "a string" },
        { "data", "{\"data\":null," INNER("") "}", NO_RESPONSE, "null" },
        { "data.credential", "{\"data\":" BODY("") "}", NO_RESPONSE,
          "one member too early" },
        { "data.credential", "{\"data.credential\":" BODY("") "}", NO_RESPONSE,
          "a dot in the name" },
        { "data.credential", "{\"credential\":{\"data\":" BODY("") "}}",
          NO_RESPONSE, "the wrong way round" },
        { "data", "{\"data\":" BODY("") ",\"data\":{}}", NO_JSON, "twice" },
        { A64, "{\"" A64 "\":" BODY("") "}", NULL, "64 characters" },
        { A64 "A", "{\"" A64 "A\":" BODY("") "}", NO_RESPONSE,
          "65 characters" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&parts, 0, sizeof(parts));
        parts.place = cases[i].place;
        parts.body = cases[i].body;
        check(&parts, cases[i].wrong, cases[i].name);
    }
}


/* the last character has spare bits: of those that decode alike one is good */

static void
canonical(void)
{
    int                         failed;
    char                        body[4 * MAX], *last;
    size_t                      i, len;
    ngx_int_t                   rc;
    const char                 *wrong;
    ngx_enroll_authenticator_t  authenticator;

    static const parts_t  parts = { .body = BODY("") };

    len = make(body, &parts);
    last = strstr(body, "\"}}") - 1;
    failed = 0;

    for (i = 0; i < 64; i++) {
        *last = JOSE_B64_MAP[i];
        rc = read_text(&authenticator, body, len, "", &wrong);

        failed += (i % 4 != 0) != (rc == NGX_DECLINED
                                   && strcmp(wrong, NO_OBJECT64) == 0);
    }

    tap_ok(failed == 0, "base64url that is not canonical is refused");
}


#define SIXTEEN     "abcdefghijklmnop"
#define LONG        SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static void
transports(void)
{
    char                        body[4 * MAX], text[MAX];
    size_t                      i, len;
    parts_t                     parts = { .body = text };
    ngx_int_t                   rc;
    const char                 *wrong;
    ngx_enroll_authenticator_t  authenticator;

    static const struct {
        const char  *json;
        const char  *read;       /* NULL: refused */
    } cases[] = {
        { "[]", "" },
        { "[\"usb\"]", "usb" },
        { "[\"usb\",\"nfc\",\"ble\",\"smart-card\",\"hybrid\",\"internal\"]",
          "usb,nfc,ble,smart-card,hybrid,internal" },
        { "[\"cable\",\"u2f-9\"]", "cable,u2f-9" },
        { "[\"\",\"usb\",\"\"]", "usb" },
        { "[\"USB\",\"n fc\",\"a,b\",\"a\\nb\",\"\303\274\",\"usb\"]", "usb" },
        { "[\"" LONG "\"]", LONG },
        { "[\"" LONG "q\",\"usb\"]", "usb" },
        { "[\"usb\",\"" LONG "\",\"nfc\"]", "usb,nfc" },
        { "[\"" SIXTEEN "\",\"" SIXTEEN SIXTEEN "abcdefghijklm\",\"a\"]",
          SIXTEEN "," SIXTEEN SIXTEEN "abcdefghijklm,a" },
        { "[\"" SIXTEEN "\",\"" SIXTEEN SIXTEEN "abcdefghijklm\",\"ab\"]",
          SIXTEEN "," SIXTEEN SIXTEEN "abcdefghijklm" },
        { "\"usb\"", NULL },
        { "{\"0\":\"usb\"}", NULL },
        { "null", NULL },
        { "[\"usb\",1]", NULL },
        { "[null]", NULL },
        { "[[\"usb\"]]", NULL },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), BODY(",\"transports\":%s"),
                 cases[i].json);

        len = make(body, &parts);
        rc = read_text(&authenticator, body, len, "", &wrong);

        tap_ok(cases[i].read
               ? rc == NGX_OK
                 && strcmp(authenticator.transports, cases[i].read) == 0
               : rc == NGX_DECLINED && strcmp(wrong, NO_ARRAY) == 0,
               "transports %s: %s", cases[i].json,
               cases[i].read ? cases[i].read : "refused");
    }
}


/* the bounds that are told in the header, and one more than each */

static void
bounds(void)
{
    char                        body[2 * NGX_ENROLL_RESPONSE_MAX];
    char                        origin[NGX_ENROLL_ORIGIN_MAX + 2];
    char                        client[MAX], id[MAX], text[MAX];
    u_char                      credential[NGX_ENROLL_CREDENTIAL_MAX + 1];
    u_char                      auth[MAX], object[MAX];
    size_t                      n, len;
    parts_t                     parts = { .client = client };
    const char                 *wrong;
    ngx_int_t                   rc;
    ngx_enroll_authenticator_t  authenticator;

    for (n = NGX_ENROLL_ORIGIN_MAX; n <= NGX_ENROLL_ORIGIN_MAX + 1; n++) {
        memset(origin, 'o', n);
        origin[n] = '\0';

        snprintf(client, sizeof(client), CLIENT(CREATE, "\"%s\""), origin);
        len = make(body, &parts);
        rc = read_text(&authenticator, body, len, "", &wrong);

        tap_ok(n <= NGX_ENROLL_ORIGIN_MAX
               ? rc == NGX_OK && strcmp(authenticator.origin, origin) == 0
               : rc == NGX_DECLINED && strcmp(wrong, NO_ORIGIN) == 0,
               "an origin of %zu bytes", n);
    }

    for (n = NGX_ENROLL_CREDENTIAL_MAX;
         n <= NGX_ENROLL_CREDENTIAL_MAX + 1;
         n++)
    {
        memset(credential, 0xc5, n);
        encode(id, credential, n);

        len = unhex(auth, RP "45" COUNTER AAGUID);
        auth[len++] = (u_char) (n >> 8);
        auth[len++] = (u_char) n;
        memcpy(auth + len, credential, n);
        len += n;
        len += unhex(auth + len, KEY);
        len = wrap(object, auth, len);
        encode(text, object, len);
        encode(client, (const u_char *) CLIENT_OK, strlen(CLIENT_OK));

        len = snprintf(body, sizeof(body), "{" IDS("%s", "%s") "," TYPE
                       ",\"response\":{\"clientDataJSON\":\"%s\","
                       "\"attestationObject\":\"%s\"}}", id, id, client, text);
        rc = read_text(&authenticator, body, len, "", &wrong);

        tap_ok(n <= NGX_ENROLL_CREDENTIAL_MAX
               ? rc == NGX_OK
               : rc == NGX_DECLINED && strcmp(wrong, NO_ID) == 0,
               "a credential id of %zu bytes", n);
    }

    parts.client = CLIENT_OK;

    for (n = NGX_ENROLL_RESPONSE_MAX; n <= NGX_ENROLL_RESPONSE_MAX + 1; n++) {
        len = make(body, &parts);
        memset(body + len, ' ', n - len);
        rc = read_text(&authenticator, body, n, "", &wrong);

        tap_ok(n <= NGX_ENROLL_RESPONSE_MAX
               ? rc == NGX_OK
               : rc == NGX_DECLINED && strcmp(wrong, TOO_LARGE) == 0,
               "a body of %zu bytes", n);
    }
}


/* what is read of whatever it is holds to its bounds */

static int
is_sound(const ngx_enroll_authenticator_t *a)
{
    size_t       i, k;
    const char  *text[5];

    text[0] = a->credential;
    text[1] = a->aaguid;
    text[2] = a->attestation;
    text[3] = a->transports;
    text[4] = a->origin;

    for (i = 0; i < 5; i++) {
        for (k = 0; text[i][k]; k++) {
            if (text[i][k] <= ' ' || text[i][k] > '~') {
                return 0;
            }
        }
    }

    return strlen(a->credential) == sizeof(a->credential) - 1
           && strlen(a->aaguid) == sizeof(a->aaguid) - 1
           && strlen(a->attestation) < sizeof(a->attestation)
           && strlen(a->transports) < sizeof(a->transports)
           && strlen(a->origin) < sizeof(a->origin)
           && (a->backup_eligible || !a->backed_up);
}


static int
is_handled(const char *body, size_t len, ngx_int_t *rc)
{
    const char                 *wrong;
    ngx_enroll_authenticator_t  authenticator;

    *rc = read_text(&authenticator, body, len, "", &wrong);

    return *rc == NGX_OK ? wrong == NULL && is_sound(&authenticator)
           : *rc == NGX_DECLINED && wrong != NULL && is_zero(&authenticator);
}


static void
mangled_text(const char *name, const char *text)
{
    char       body[MAX];
    int        failed, passed;
    size_t     i, bit, len;
    ngx_int_t  rc;

    len = strlen(text);
    failed = passed = 0;

    for (i = 0; i < len; i++) {
        failed += !is_handled(text, i, &rc);
        passed += rc == NGX_OK;
    }

    tap_ok(failed == 0 && passed == 0, "%s, truncated anywhere: refused",
           name);

    failed = passed = 0;

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            memcpy(body, text, len);
            body[i] ^= (char) (1 << bit);
            failed += !is_handled(body, len, &rc);
            passed += rc == NGX_OK;
        }
    }

    tap_ok(failed == 0 && passed < (int) len * 8,
           "%s, any bit flipped: handled (%d of %zu can be read)", name,
           passed, len * 8);
}


/* the same within the attestation object, which is encoded again */

static void
mangled_object(const char *name, const char *hex)
{
    char       body[4 * MAX], client[MAX], encoded[MAX];
    int        failed, passed;
    size_t     i, value, len, n;
    u_char     object[MAX], changed[MAX];
    ngx_int_t  rc;

    len = unhex(object, hex);
    encode(client, (const u_char *) CLIENT_OK, strlen(CLIENT_OK));
    failed = passed = 0;

    for (i = 0; i < len; i++) {
        encode(encoded, object, i);
        n = expand(body, BODY(""), client, encoded, "");
        failed += !is_handled(body, n, &rc);
        passed += rc == NGX_OK;
    }

    tap_ok(failed == 0 && passed == 0,
           "%s, truncated anywhere within: refused", name);

    failed = passed = 0;

    for (i = 0; i < len; i++) {
        for (value = 0; value < 256; value++) {
            memcpy(changed, object, len);
            changed[i] = (u_char) value;
            encode(encoded, changed, len);
            n = expand(body, BODY(""), client, encoded, "");
            failed += !is_handled(body, n, &rc);
            passed += rc == NGX_OK;
        }
    }

    tap_ok(failed == 0 && passed < (int) len * 256,
           "%s, any byte replaced within: handled (%d of %zu can be read)",
           name, passed, len * 256);
}


static void
mangled(void)
{
    char  body[4 * MAX];

    static const parts_t  parts = { .auth = AUTH("c5") "a1617801" };

    make(body, &parts);

    mangled_text("the response made by hand", body);
    mangled_text("one of a real browser", EXTENSIONS);
    mangled_object("the attestation object", OBJECT);
    mangled_object("one with a statement",
                   "a3" "63666d74" "667061636b6564" "6761747453746d74"
                   "a363616c672663736967430102036378356381423000"
                   DATA "5840" PLAIN);
}


/* ten bytes that make cbor_load() ask for gigabytes */

static void
bombs(void)
{
    char                        body[4 * MAX];
    size_t                      i, len, plain;
    ngx_int_t                   rc;
    const char                 *wrong;
    ngx_enroll_authenticator_t  authenticator;

    static const parts_t  least = { .object = "a0" };

    static const parts_t  parts[] = {
        { .object = "9a100000000101010101" },
        { .object = "ba100000000101010101" },
        { .object = "bbffffffffffffffff01" },
        { .object = "5bffffffffffffffff01" },
        { .object = "a39b0000000100000001" },
        { .object = "81818181818181818101" },
        { .object = "a3" FMT "6761747453746d74" "ba10000000" },
        { .auth = RP "45" COUNTER AAGUID CREDENTIAL "ba10000000" },
    };

    len = make(body, &least);
    allocated_begin();
    (void) read_text(&authenticator, body, len, "", &wrong);
    plain = allocated_bytes;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        len = make(body, &parts[i]);

        allocated_begin();
        rc = read_text(&authenticator, body, len, "", &wrong);

        tap_ok(rc == NGX_DECLINED && allocated_bytes <= plain + 2048,
               "a bomb: refused for %zu bytes, %zu more than without",
               allocated_bytes, allocated_bytes - plain);
    }
}


/* policies, one by one */

#define A1  "00112233-4455-6677-8899-aabbccddeeff"
#define A2  "ffffffff-4455-6677-8899-aabbccddeeff"
#define O1  "https://login.example.com"
#define O2  "https://login.example.com.evil.example"

#define UNREAD  NGX_ENROLL_AUTHENTICATORS_UNREAD
#define ANY     NGX_ENROLL_AUTHENTICATORS_ANY
#define BOUND   NGX_ENROLL_AUTHENTICATORS_DEVICE_BOUND
#define HARD    NGX_ENROLL_AUTHENTICATORS_HARDWARE


typedef struct {
    ngx_enroll_authenticators_e  authenticators;
    ngx_uint_t                   uv;
    ngx_uint_t                   naaguids;
    ngx_uint_t                   norigins;
} policy_t;


static ngx_str_t  aaguids[] = { ngx_string(A2), ngx_string(A1) };
static ngx_str_t  origins[] = { ngx_string(O2), ngx_string(O1) };


static const char *
refused(const policy_t *policy, const ngx_enroll_authenticator_t *a)
{
    ngx_enroll_class_t  class;

    memset(&class, 0, sizeof(class));

    class.authenticators = policy->authenticators;
    class.user_verification = policy->uv;
    class.naaguids = policy->naaguids;
    class.aaguids = aaguids;
    class.norigins = policy->norigins;
    class.origins = origins;

    return ngx_enroll_authenticator_refused(&class, a);
}


static void
policies(void)
{
    size_t       i;
    const char  *why;

    static const ngx_enroll_authenticator_t
        hard = { .attestation = "packed", .aaguid = A1, .origin = O1,
                 .user_verified = 1 },
        none = { .attestation = "none", .aaguid = A1, .origin = O1,
                 .user_verified = 1 },
        synced = { .attestation = "packed", .aaguid = A1, .origin = O1,
                   .user_verified = 1, .backup_eligible = 1,
                   .backed_up = 1 },
        eligible = { .attestation = "none", .aaguid = A1, .origin = O1,
                     .backup_eligible = 1 },
        short_origin = { .attestation = "none", .aaguid = A1,
                         .origin = "https://login.example.co" },
        no_aaguid = { .attestation = "none", .origin = O1,
                      .aaguid = "00000000-0000-0000-0000-000000000000" };

    /* naaguids, norigins: 0 is any, 1 another, 2 this one, too */

    static const struct {
        policy_t                           policy;
        const ngx_enroll_authenticator_t  *authenticator;
        const char                        *why;
    } cases[] = {
        { { UNREAD, 0, 0, 0 }, NULL, NULL },
        { { ANY, 0, 0, 0 }, NULL, "unread" },
        { { BOUND, 0, 0, 0 }, NULL, "unread" },
        { { HARD, 0, 0, 0 }, NULL, "unread" },
        { { UNREAD, 1, 0, 0 }, NULL, "unread" },
        { { UNREAD, 0, 1, 0 }, NULL, "unread" },
        { { UNREAD, 0, 0, 1 }, NULL, "unread" },

        { { UNREAD, 0, 0, 0 }, &synced, NULL },
        { { ANY, 0, 0, 0 }, &synced, NULL },
        { { BOUND, 0, 0, 0 }, &synced, "backup_eligible" },
        { { BOUND, 0, 0, 0 }, &eligible, "backup_eligible" },
        { { HARD, 0, 0, 0 }, &synced, "backup_eligible" },
        { { HARD, 0, 0, 0 }, &eligible, "backup_eligible" },
        { { BOUND, 0, 0, 0 }, &none, NULL },
        { { HARD, 0, 0, 0 }, &none, "attestation" },
        { { HARD, 0, 0, 0 }, &hard, NULL },
        { { ANY, 0, 0, 0 }, &none, NULL },

        { { UNREAD, 0, 1, 0 }, &hard, "aaguid" },
        { { ANY, 0, 1, 0 }, &hard, "aaguid" },
        { { ANY, 0, 2, 0 }, &hard, NULL },
        { { ANY, 0, 2, 0 }, &no_aaguid, "aaguid" },
        { { HARD, 0, 1, 0 }, &hard, "aaguid" },
        { { HARD, 1, 2, 2 }, &hard, NULL },

        { { UNREAD, 1, 0, 0 }, &eligible, "user_verification" },
        { { ANY, 1, 0, 0 }, &eligible, "user_verification" },
        { { ANY, 1, 0, 0 }, &none, NULL },

        { { UNREAD, 0, 0, 1 }, &hard, "origin" },
        { { ANY, 0, 0, 1 }, &hard, "origin" },
        { { ANY, 0, 0, 2 }, &hard, NULL },
        { { ANY, 0, 0, 2 }, &short_origin, "origin" },
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        why = refused(&cases[i].policy, cases[i].authenticator);

        tap_ok((why == NULL) == (cases[i].why == NULL)
               && (why == NULL || strcmp(why, cases[i].why) == 0),
               "policy %zu: %s", i + 1,
               cases[i].why ? cases[i].why : "allowed");
    }
}


/* all of them with all authenticators: allowed is what meets each demand */

static void
combinations(void)
{
    int                         failed, allowed;
    policy_t                    policy;
    ngx_uint_t                  n;
    const char                 *why;
    ngx_enroll_authenticator_t  a;

    failed = allowed = 0;

    for (n = 0; n < 4 * 2 * 3 * 3 * 2 * 2 * 2; n++) {
        policy.authenticators = n % 4;
        policy.uv = n / 4 % 2;
        policy.naaguids = n / 8 % 3;
        policy.norigins = n / 24 % 3;

        memset(&a, 0, sizeof(a));
        strcpy(a.aaguid, A1);
        strcpy(a.origin, O1);
        strcpy(a.attestation, n / 72 % 2 ? "fido-u2f" : "none");
        a.backup_eligible = n / 144 % 2;
        a.user_verified = n / 288 % 2;

        why = refused(&policy, &a);
        allowed += why == NULL;

        failed += (why == NULL)
                  != ((policy.authenticators < 2 || !a.backup_eligible)
                      && (policy.authenticators < 3 || a.attestation[0] == 'f')
                      && (!policy.uv || a.user_verified)
                      && policy.naaguids != 1
                      && policy.norigins != 1);
    }

    tap_ok(failed == 0 && allowed > 0, "all combinations (%d allowed)",
           allowed);
}


int
main(void)
{
    real();
    by_hand();
    flags();
    shapes();
    places();
    canonical();
    transports();
    bounds();
    bombs();
    mangled();
    policies();
    combinations();

    return tap_done();
}
