
#include "ngx_enroll_keys.h"

#include "fixture.h"


#define SET(keys)  "{\"keys\":[" keys "]}"
#define A          OCT("a", K_A)
#define B          OCT("b", K_B)
#define S          SUBJECT_KEY

/* 31 and 32 bytes */
#define K_31       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"
#define K_16       "AAECAwQFBgcICQoLDA0ODw"

#define EC(crv)    "{\"kty\":\"EC\",\"kid\":\"sig\",\"crv\":\"" crv "\"}"
#define XY         "\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define P256(m)    "{\"kty\":\"EC\",\"crv\":\"P-256\"," XY m "}"
#define D          ",\"d\":\"" EC_D "\""
#define KID(kid)   ",\"kid\":\"" kid "\""

/* the key of RFC 7515, A.3 */
#define OTHER(m)                                                              \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                                       \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                  \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"" m "}"
#define OTHER_D    ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\""


static ngx_int_t
read_keys(ngx_enroll_keys_t *keys, const char *json, size_t len, char *err)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = fixture_copy(json, len);
    memset(err, 0, NGX_ENROLL_ERR_LEN);

    rc = ngx_enroll_keys_read(keys, copy.data, copy.len, err);

    free(copy.data);

    return rc;
}


static void
test_accepted(void)
{
    char               err[NGX_ENROLL_ERR_LEN];
    ngx_uint_t         i;
    ngx_enroll_keys_t  keys;

    static const struct {
        const char  *json;
        ngx_uint_t   n;
        u_char       first;
        const char  *name;
    } accepted[] = {
        { SET(A "," S), 1, NUMBER_A, "one key and the subject key" },
        { SET(S "," A), 1, NUMBER_A, "the subject key first" },
        { SET(B "," A "," S), 2, NUMBER_B, "two keys, the first one makes" },
        { SET(A "," S "," B), 2, NUMBER_A, "a key behind the subject key" },
        { SET(P256() "," A "," S), 1, NUMBER_A, "a P-256 key in front" },
        { SET(A "," S "," P256(D)), 1, NUMBER_A, "one behind, to sign with" },
        { SET("{\"kty\":\"oct\",\"k\":\"" K_A "\"}," S), 1, NUMBER_A,
          "a key without kid" },
        { SET("{\"kty\":\"oct\",\"alg\":\"HS256\",\"use\":\"sig\",\"key_ops\":"
              "[\"sign\"],\"k\":\"" K_A "\"}," S), 1, NUMBER_A,
          "other members of a key" },
        { "{\"keys\":[" A "," S "],\"note\":1}", 1, NUMBER_A,
          "other members of the set" },
        { " \n" SET(A "," S) "\n", 1, NUMBER_A, "white space around" }
    };

    for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        tap_ok(read_keys(&keys, accepted[i].json, strlen(accepted[i].json),
                         err)
               == NGX_OK
               && keys.nkeys == accepted[i].n
               && keys.keys[0].number == accepted[i].first
               && keys.subject != NULL,
               "%s", accepted[i].name);

        ngx_enroll_keys_free(&keys);
    }
}


/* by the numbers of vectors.py */

static ngx_uint_t
is_known(json_t *key, ngx_uint_t private, const char *kid)
{
    json_t      *known;
    ngx_uint_t   same;

    known = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "EC",
                      "crv", "P-256", "x", EC_X, "y", EC_Y, "alg", "ES256",
                      "use", "sig", "kid", kid);

    if (private) {
        json_object_set_new(known, "d", json_string(EC_D));
    }

    same = json_equal(key, known);
    json_decref(known);

    return same;
}


static ngx_uint_t
shown(ngx_enroll_keys_t *keys)
{
    return json_array_size(json_object_get(keys->jwks, "keys"));
}


static json_t *
shown_key(ngx_enroll_keys_t *keys, ngx_uint_t n)
{
    return json_array_get(json_object_get(keys->jwks, "keys"), n);
}


static void
test_signer(void)
{
    char                err[NGX_ENROLL_ERR_LEN], *text;
    ngx_enroll_keys_t   keys;

    static const char  none[] = SET(A "," S);
    static const char  plain[] = SET(A "," S "," P256(D));
    static const char  named[] = SET(A "," S "," P256(D KID("sig")
        ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"sign\","
        "\"verify\"],\"note\":1"));
    static const char  public[] = SET(A "," S "," P256());
    static const char  second[] = SET(OTHER() "," A "," P256(D) "," S);
    static const char  both[] = SET(P256(D KID("new")) "," A "," S ","
        OTHER(OTHER_D KID("old")));

    read_keys(&keys, none, strlen(none), err);
    tap_ok(keys.signer == NULL && json_is_array(json_object_get(keys.jwks,
                                                                "keys"))
           && shown(&keys) == 0 && json_object_size(keys.jwks) == 1,
           "without an EC key there is a set, and it is empty");
    ngx_enroll_keys_free(&keys);

    read_keys(&keys, plain, strlen(plain), err);
    tap_ok(is_known(keys.signer, 1, EC_THUMBPRINT),
           "an EC key signs with ES256, its kid is its thumbprint");
    tap_ok(shown(&keys) == 1 && is_known(shown_key(&keys, 0), 0,
                                         EC_THUMBPRINT),
           "its public part is in the set, under the same kid");
    text = json_dumps(keys.jwks, 0);
    tap_ok(strstr(text, EC_D) == NULL, "and its private part is not");
    free(text);
    ngx_enroll_keys_free(&keys);

    read_keys(&keys, named, strlen(named), err);
    tap_ok(is_known(keys.signer, 1, "sig")
           && is_known(shown_key(&keys, 0), 0, "sig"),
           "a kid of its own stays, other members go");
    ngx_enroll_keys_free(&keys);

    read_keys(&keys, public, strlen(public), err);
    tap_ok(keys.signer == NULL && shown(&keys) == 1,
           "a key without its private part is shown, and signs nothing");
    ngx_enroll_keys_free(&keys);

    read_keys(&keys, second, strlen(second), err);
    tap_ok(is_known(keys.signer, 1, EC_THUMBPRINT) && shown(&keys) == 2,
           "the first one with a private part signs");
    ngx_enroll_keys_free(&keys);

    read_keys(&keys, both, strlen(both), err);
    tap_ok(is_known(keys.signer, 1, "new") && shown(&keys) == 2
           && is_known(shown_key(&keys, 0), 0, "new"),
           "of two that can the first one signs, and both are shown");
    ngx_enroll_keys_free(&keys);

    tap_ok(keys.signer == NULL && keys.jwks == NULL,
           "nothing of them is left");
}


/* the strings of the set as it was read are overwritten: not the signer's */

static void
test_cleansed(void)
{
    char                err[NGX_ENROLL_ERR_LEN];
    json_t             *d;
    ngx_enroll_keys_t   keys;

    static const char  json[] = SET(A "," S "," P256(D));

    read_keys(&keys, json, strlen(json), err);

    d = json_incref(json_object_get(keys.signer, "d"));
    tap_ok(strcmp(json_string_value(d), EC_D) == 0, "the private part is kept");

    ngx_enroll_keys_free(&keys);

    tap_ok(json_string_value(d)[0] == '\0'
           && json_string_value(d)[json_string_length(d) - 1] == '\0',
           "it is overwritten when the keys are freed");
    json_decref(d);
}


static void
test_refused(void)
{
    char               err[NGX_ENROLL_ERR_LEN];
    ngx_uint_t         i;
    ngx_enroll_keys_t  keys, blank;

    static const struct {
        const char  *json;
        const char  *err;
    } refused[] = {
        { "", "not JSON in line 1" },
        { "{", "not JSON in line 1" },
        { SET(A "," S) "x", "not JSON in line 1" },
        { "{\n\"keys\":[" K_A, "not JSON in line 2" },
        { "{\"keys\":[],\n\"keys\":[]}", "duplicate member in line 2" },
        { SET(A ",{\"kty\":\"oct\",\n\"k\":\"" K_A "\",\"k\":\"" K_B "\"}"),
          "duplicate member in line 2" },
        { "[" A "," S "]", "not a JWK Set, {\"keys\":[...]} is needed" },
        { A, "not a JWK Set, {\"keys\":[...]} is needed" },
        { "{}", "not a JWK Set, {\"keys\":[...]} is needed" },
        { "{\"keys\":{}}", "not a JWK Set, {\"keys\":[...]} is needed" },
        { SET(""), "no \"oct\" key to make tokens with" },
        { SET(S), "no \"oct\" key to make tokens with" },
        { SET(P256(D) "," S), "no \"oct\" key to make tokens with" },
        { SET(A), "no \"oct\" key with the kid \"subject\"" },
        { SET(A "," OCT("Subject", K_SUBJECT)),
          "no \"oct\" key with the kid \"subject\"" },
        { SET(A "," P256(KID("subject") D)),
          "no \"oct\" key with the kid \"subject\"" },
        { SET(A "," S "," S),
          "key 3 (\"subject\") is the second one of that kid" },
        { SET(A "," OCT("kid", K_16) "," S),
          "key 2 (\"kid\") has 16 bytes, at least 32 are needed" },
        { SET(A "," OCT("kid", K_31) "," S),
          "key 2 (\"kid\") has 31 bytes, at least 32 are needed" },
        { SET(A "," OCT("subject", K_16)),
          "key 2 (\"subject\") has 16 bytes, at least 32 are needed" },
        { SET("{\"kty\":\"oct\",\"k\":\"" K_16 "\"}"),
          "key 1 has 16 bytes, at least 32 are needed" },
        { SET(OCT("a", "") "," S), "key 1 (\"a\") has no k" },
        { SET("{\"kty\":\"oct\",\"k\":7}"), "key 1 has no k" },
        { SET("{\"kty\":\"oct\"}"), "key 1 has no k" },
        { SET(OCT("a", K_A "=") "," S),
          "key 1 (\"a\") has a k that is not base64url" },
        { SET(OCT("a", K_A " ") "," S),
          "key 1 (\"a\") has a k that is not base64url" },
        { SET(OCT("a", "A") "," S),
          "key 1 (\"a\") has a k that is not base64url" },
        { SET(OCT("a", "+" K_A) "," S),
          "key 1 (\"a\") has a k that is not base64url" },
        { SET(A "," OCT("again", K_A) "," S),
          "key 2 (\"again\") has the same number (51) as another key, "
          "generate a new one" },
        { SET(A "," OCT("b", K_SAME_AS_A) "," S),
          "key 2 (\"b\") has the same number (51) as another key, "
          "generate a new one" },
        { SET(A "," EC("P-384")),
          "key 2 (\"sig\") is not on the curve \"P-256\"" },
        { SET("{\"kty\":\"EC\"}"), "key 1 is not on the curve \"P-256\"" },
        { SET(EC("P-256")), "key 1 (\"sig\") has no x of the right length" },
        { SET(A ",{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\",\"y\":"
          "\"" EC_X "\"}"), "key 2 has an x and y that are not a point on its "
          "curve in base64url" },
        { SET(A "," S ",{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\","
          "\"y\":\"" EC_NEGATIVE_Y "\"" D "}"),
          "key 3 has a private part that is not its own, generate a new key" },
        { SET(A "," S "," OTHER(D)),
          "key 3 has a private part that is not its own, generate a new key" },
        { SET(A "," S "," P256(OTHER_D KID("x"))),
          "key 3 (\"x\") has a private part that is not its own, generate a "
          "new key" },
        { SET(P256(D) "," A "," S "," OTHER(D)),
          "key 4 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":\"" EC_N "\"")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":\"AA" EC_D "\"")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":\"" EC_D "=\"")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":\"\"")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":7")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(",\"d\":null")),
          "key 1 has a private part that is not its own, generate a new key" },
        { SET(P256(D ",\"alg\":\"ECDH-ES\"")), "key 1 has an alg that does "
          "not fit, \"ES256\" is needed" },
        { SET(P256(D ",\"use\":\"enc\"")), "key 1 is not for signatures, the "
          "use \"sig\" is needed" },
        { SET(P256(D ",\"key_ops\":[\"deriveKey\"]")), "key 1 is not for "
          "signatures, key_ops lacks \"verify\"" },
        { SET(P256(KID("a")) "," OTHER(OTHER_D KID("a"))),
          "key 2 (\"a\") is the second \"EC\" key of that kid" },
        { SET(P256(D) "," A "," P256()),
          "key 3 is the second \"EC\" key of that kid" },
        { SET(OTHER(KID(EC_THUMBPRINT)) "," P256(D)),
          "key 2 is the second \"EC\" key of that kid" },
        { SET("{\"kty\":\"RSA\",\"kid\":\"r\"}"),
          "key 1 (\"r\") has the kty \"RSA\", \"oct\" or \"EC\" is needed" },
        { SET("{\"kty\":\"OCT\",\"k\":\"" K_A "\"}"),
          "key 1 has the kty \"OCT\", \"oct\" or \"EC\" is needed" },
        { SET("{\"kid\":\"a\",\"k\":\"" K_A "\"}"),
          "key 1 (\"a\") has no kty" },
        { SET("{\"kty\":1}"), "key 1 has no kty" },
        { SET(A ",7"), "key 2 is not an object" },
        { SET(A ",[]"), "key 2 is not an object" },
        { SET("{\"kty\":\"oct\",\"kid\":7,\"k\":\"" K_A "\"}"),
          "key 1 has a kid that is not a string" },
        { SET("{\"kid\":\"a\\n\\u001b[1m\\u00e9\"}"),
          "key 1 (\"a??[1m??\") has no kty" }
    };

    memset(&blank, 0, sizeof(blank));

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (!tap_ok(read_keys(&keys, refused[i].json, strlen(refused[i].json),
                              err)
                    == NGX_ERROR
                    && strcmp(err, refused[i].err) == 0
                    && memcmp(&keys, &blank, sizeof(keys)) == 0,
                    "%s", refused[i].err))
        {
            printf("# %s\n", err);
        }
    }

    tap_ok(read_keys(&keys, "{\"keys\":[]}\0", 12, err) == NGX_ERROR,
           "a NUL behind the set");
}


static void
test_many(void)
{
    char               json[2048], err[NGX_ENROLL_ERR_LEN], *p;
    ngx_uint_t         n, i;
    ngx_enroll_keys_t  keys;

    static const char  *many[] = K_MANY;

    for (n = 16; n <= 17; n++) {
        p = json + sprintf(json, "{\"keys\":[" SUBJECT_KEY);

        for (i = 0; i < n; i++) {
            p += sprintf(p, ",{\"kty\":\"oct\",\"k\":\"%s\"}", many[i]);
        }

        p += sprintf(p, "]}");

        if (n == 16) {
            tap_ok(read_keys(&keys, json, p - json, err) == NGX_OK
                   && keys.nkeys == 16,
                   "16 keys beside the subject key");
            ngx_enroll_keys_free(&keys);

        } else {
            tap_ok(read_keys(&keys, json, p - json, err) == NGX_ERROR
                   && strcmp(err, "key 18 is one too many, at most 16 \"oct\" "
                             "keys beside \"subject\" are allowed")
                      == 0,
                   "17 are too many");
        }
    }
}


static void
test_long_names(void)
{
    char               json[1024], err[NGX_ENROLL_ERR_LEN], x[301];
    ngx_enroll_keys_t  keys;

    memset(x, 'x', 300);
    x[300] = '\0';

    sprintf(json, "{\"keys\":[{\"kty\":\"%s\",\"kid\":\"%s\"}]}", x, x);

    tap_ok(read_keys(&keys, json, strlen(json), err) == NGX_ERROR
           && strstr(err, "\"oct\" or \"EC\" is needed") != NULL,
           "an endless kid and kty leave room for the reason");

    sprintf(json, "{\"keys\":[\"" K_A "\" \"" K_A "\"]}");

    tap_ok(read_keys(&keys, json, strlen(json), err) == NGX_ERROR
           && strstr(err, "AAEC") == NULL,
           "I5 no error quotes what is near, which may be a key");
}


static void
test_hmac(void)
{
    u_char        out[NGX_ENROLL_MAC_LEN];
    ngx_str_t     parts[3];
    ngx_uint_t    i, wrong;
    EVP_MAC_CTX  *mac;

    /* RFC 4231, section 4.3 */

    static const char  right[] =
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    mac = ngx_enroll_hmac_context((u_char *) "Jefe", 4);

    parts[0] = fixture_str("what do ya want for nothing?");

    tap_ok(ngx_enroll_hmac(mac, parts, 1, out) == NGX_OK
           && fixture_is_hex(out, sizeof(out), right),
           "HMAC-SHA-256 of RFC 4231");

    parts[0] = fixture_str("what do ya want ");
    parts[1].data = NULL;
    parts[1].len = 0;
    parts[2] = fixture_str("for nothing?");

    wrong = 0;

    for (i = 0; i < 1000; i++) {
        wrong += ngx_enroll_hmac(mac, parts, 3, out) != NGX_OK;
        wrong += !fixture_is_hex(out, sizeof(out), right);
    }

    tap_ok(wrong == 0, "in parts, again and again with the kept context");

    /* python3: hmac.new(b"Jefe", b"", "sha256").hexdigest() */

    tap_ok(ngx_enroll_hmac(mac, NULL, 0, out) == NGX_OK
           && fixture_is_hex(out, sizeof(out), "923598ca6d64af2a5dba79dcd021a8"
                             "a0fe5c5f557519adaaf0ad532d4506dd30"),
           "of nothing");

    EVP_MAC_CTX_free(mac);
}


static void
test_subject(void)
{
    u_char             digest[NGX_ENROLL_DIGEST_LEN];
    char               name[32];
    ngx_str_t          subject;
    ngx_uint_t         i, partition, wrong, seen[7];
    ngx_enroll_keys_t  a, b;

    static const struct {
        ngx_uint_t  partitions;
        ngx_uint_t  partition;
    } known[] = {
        { 1, 0 },
        { 7, SUBJECT_OF_7 },
        { 64, SUBJECT_OF_64 },
        { 65536, SUBJECT_OF_65536 }
    };

    fixture_keys(&a, KEYS_A);
    fixture_keys(&b, KEYS_B);

    subject = fixture_str("u-1042");

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        tap_ok(ngx_enroll_subject_digest(&a, &subject, known[i].partitions,
                                         digest, &partition)
               == NGX_OK
               && partition == known[i].partition
               && fixture_is_hex(digest, sizeof(digest), SUBJECT_DIGEST),
               "the known subject in %lu partitions",
               (unsigned long) known[i].partitions);
    }

    tap_ok(ngx_enroll_subject_digest(&b, &subject, 64, digest, &partition)
           == NGX_OK
           && partition == SUBJECT_OF_64
           && fixture_is_hex(digest, sizeof(digest), SUBJECT_DIGEST),
           "I9 it is found again after the other keys were rotated");

    tap_ok(ngx_enroll_subject_digest(&a, &subject, 0, digest, &partition)
           == NGX_ERROR,
           "no partitions are an error");

    wrong = 0;
    memset(seen, 0, sizeof(seen));

    for (i = 0; i < 7000; i++) {
        subject.data = (u_char *) name;
        subject.len = sprintf(name, "u-%lu", (unsigned long) i);

        ngx_enroll_subject_digest(&a, &subject, 7, digest, &partition);

        if (partition < 7) {
            seen[partition]++;

        } else {
            wrong++;
        }
    }

    for (i = 0; i < 7; i++) {
        wrong += seen[i] < 850 || seen[i] > 1150;
    }

    tap_ok(wrong == 0, "subjects spread over the partitions");

    ngx_enroll_keys_free(&a);
    ngx_enroll_keys_free(&b);
}


static void
test_find(void)
{
    ngx_enroll_keys_t  keys;

    fixture_keys(&keys, KEYS_BA);

    tap_ok(ngx_enroll_key_find(&keys, NUMBER_A) == &keys.keys[1]
           && ngx_enroll_key_find(&keys, NUMBER_B) == &keys.keys[0],
           "keys are found by their number");
    tap_ok(ngx_enroll_key_find(&keys, 0) == NULL,
           "an empty place is not the key of number 0");

    ngx_enroll_keys_free(&keys);
    ngx_enroll_keys_free(&keys);

    tap_ok(keys.nkeys == 0 && keys.subject == NULL,
           "a set may be freed twice");
}


int
main(void)
{
    test_accepted();
    test_signer();
    test_cleansed();
    test_refused();
    test_many();
    test_long_names();
    test_hmac();
    test_subject();
    test_find();

    return tap_done();
}
