
#include "ngx_enroll_authenticator.h"
#include "ngx_enroll_cbor.h"
#include "ngx_enroll_text.h"

#include <openssl/evp.h>
#include <jose/b64.h>


#define NGX_ENROLL_PLACE_NAME_MAX    64
#define NGX_ENROLL_FORMAT_MAX        32

/* authenticator data */
#define NGX_ENROLL_AUTH_RP_LEN       32       /* SHA-256 of the RP's id */
#define NGX_ENROLL_AUTH_HEAD_LEN     (NGX_ENROLL_AUTH_RP_LEN + 1 + 4)
#define NGX_ENROLL_AUTH_AAGUID_LEN   16
#define NGX_ENROLL_AUTH_CRED_LEN     (NGX_ENROLL_AUTH_AAGUID_LEN + 2)

#define NGX_ENROLL_AUTH_UP           0x01     /* user present */
#define NGX_ENROLL_AUTH_UV           0x04     /* user verified */
#define NGX_ENROLL_AUTH_BE           0x08     /* backup-eligible */
#define NGX_ENROLL_AUTH_BS           0x10     /* backed up */
#define NGX_ENROLL_AUTH_AT           0x40     /* attested credential data */
#define NGX_ENROLL_AUTH_ED           0x80     /* extensions */

/* the length of n bytes in base64url */
#define ngx_enroll_b64url_len(n)     (((n) * 4 + 2) / 3)


/* The parts of a response, as they are read. */
typedef struct {
    ngx_enroll_authenticator_t  *authenticator;
    ngx_str_t                    credential;   /* its id, base64url */
    ngx_str_t                    format;
    ngx_str_t                    auth;         /* authenticator data */
    ngx_uint_t                   stated;       /* there was an attStmt */
    u_char                      *room;         /* for what is decoded */
} ngx_enroll_response_t;


static const char *ngx_enroll_response(ngx_enroll_response_t *r,
    json_t *json);
static json_t *ngx_enroll_response_place(json_t *json,
    const ngx_str_t *place);
static ngx_uint_t ngx_enroll_response_doubled(json_t *json,
    const char *const *names);
static ngx_uint_t ngx_enroll_response_resembles(const char *text,
    const char *name);
static const char *ngx_enroll_response_client(ngx_enroll_response_t *r,
    json_t *json);
static const char *ngx_enroll_response_attestation(ngx_enroll_response_t *r,
    json_t *json);
static ngx_int_t ngx_enroll_response_member(ngx_enroll_response_t *r,
    ngx_str_t *cbor);
static ngx_uint_t ngx_enroll_response_named(const ngx_enroll_cbor_t *item,
    const char *name);
static const char *ngx_enroll_response_auth(ngx_enroll_response_t *r);
static const char *ngx_enroll_response_attested(ngx_enroll_response_t *r,
    ngx_str_t *auth);
static const char *ngx_enroll_response_credential(ngx_enroll_response_t *r,
    const u_char *id, size_t len);
static void ngx_enroll_response_aaguid(ngx_enroll_response_t *r,
    const u_char *aaguid);
static const char *ngx_enroll_response_again(ngx_enroll_response_t *r,
    json_t *json);
static const char *ngx_enroll_response_transports(ngx_enroll_response_t *r,
    json_t *json);
static ngx_uint_t ngx_enroll_response_is_transport(const ngx_str_t *name);
static json_t *ngx_enroll_response_load(const ngx_str_t *text,
    ngx_uint_t *no_memory);
static ngx_int_t ngx_enroll_response_decode(ngx_enroll_response_t *r,
    ngx_str_t *to, json_t *json);
static ngx_int_t ngx_enroll_response_map(ngx_str_t *from);
static ngx_uint_t ngx_enroll_response_is(json_t *json, const char *text);
static u_char *ngx_enroll_response_hex(u_char *dst, const u_char *src,
    size_t len);
static ngx_uint_t ngx_enroll_authenticator_listed(const ngx_str_t *list,
    ngx_uint_t n, const char *text);


/* told apart by their addresses from what is wrong with the response */
static const char  ngx_enroll_no_memory[] = "no memory";
static const char  ngx_enroll_no_digest[] = "OpenSSL cannot digest";

static const char  ngx_enroll_response_twice[] =
    "a member is there again, under a name that resembles its own";


ngx_int_t
ngx_enroll_authenticator_read(ngx_enroll_authenticator_t *authenticator,
    const ngx_str_t *body, const ngx_str_t *place, const char **wrong)
{
    json_t                 *json;
    u_char                 *room;
    ngx_uint_t              no_memory;
    ngx_enroll_response_t   r;

    ngx_memzero(authenticator, sizeof(ngx_enroll_authenticator_t));
    ngx_memzero(&r, sizeof(ngx_enroll_response_t));

    if (body->len > NGX_ENROLL_RESPONSE_MAX) {
        *wrong = "the body is too large";
        return NGX_DECLINED;
    }

    json = ngx_enroll_response_load(body, &no_memory);

    if (json == NULL) {
        *wrong = no_memory ? ngx_enroll_no_memory
                           : "the body is not a JSON object";
        return no_memory ? NGX_ERROR : NGX_DECLINED;
    }

    /*
     * What is decoded takes three quarters of its text, and each piece is
     * encoded again, behind it, to be compared.
     */

    room = malloc(2 * body->len);

    r.authenticator = authenticator;
    r.room = room;

    *wrong = room ? ngx_enroll_response(&r,
                                   ngx_enroll_response_place(json, place))
                  : ngx_enroll_no_memory;

    free(room);
    json_decref(json);

    if (*wrong == NULL) {
        return NGX_OK;
    }

    ngx_memzero(authenticator, sizeof(ngx_enroll_authenticator_t));

    if (*wrong == ngx_enroll_no_memory || *wrong == ngx_enroll_no_digest) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


const char *
ngx_enroll_authenticator_refused(const ngx_enroll_class_t *class,
    const ngx_enroll_authenticator_t *authenticator)
{
    if (authenticator == NULL) {

        /* what is not read meets no demand: else it would be a way around */

        return class->authenticators != NGX_ENROLL_AUTHENTICATORS_UNREAD
               || class->user_verification
               || class->naaguids
               || class->norigins ? "unread" : NULL;
    }

    if (class->authenticators >= NGX_ENROLL_AUTHENTICATORS_DEVICE_BOUND
        && authenticator->backup_eligible)
    {
        return "backup_eligible";
    }

    if (class->authenticators >= NGX_ENROLL_AUTHENTICATORS_HARDWARE
        && ngx_strcmp(authenticator->attestation, "none") == 0)
    {
        return "attestation";
    }

    if (class->naaguids
        && !ngx_enroll_authenticator_listed(class->aaguids, class->naaguids,
                                            authenticator->aaguid))
    {
        return "aaguid";
    }

    if (class->user_verification && !authenticator->user_verified) {
        return "user_verification";
    }

    if (class->norigins
        && !ngx_enroll_authenticator_listed(class->origins, class->norigins,
                                            authenticator->origin))
    {
        return "origin";
    }

    return NULL;
}


static const char *
ngx_enroll_response(ngx_enroll_response_t *r, json_t *json)
{
    json_t      *response;
    ngx_str_t    raw;
    const char  *wrong;

    static const char *const  outer[] = {
        "id", "rawId", "type", "response", NULL
    };

    static const char *const  inner[] = {
        "clientDataJSON", "attestationObject", "authenticatorData",
        "transports", NULL
    };

    response = json_object_get(json, "response");

    if (!json_is_object(response)) {
        return "there is no registration response";
    }

    if (ngx_enroll_response_doubled(json, outer)
        || ngx_enroll_response_doubled(response, inner))
    {
        return ngx_enroll_response_twice;
    }

    if (!ngx_enroll_response_is(json_object_get(json, "type"), "public-key")) {
        return "\"type\" is not \"public-key\"";
    }

    if (ngx_enroll_text_string(&r->credential, json_object_get(json, "id"), 1,
                               ngx_enroll_b64url_len(NGX_ENROLL_CREDENTIAL_MAX))
        != NGX_OK
        || ngx_enroll_text_string(&raw, json_object_get(json, "rawId"),
                                  r->credential.len, r->credential.len)
           != NGX_OK
        || ngx_memcmp(raw.data, r->credential.data, raw.len) != 0)
    {
        return "\"id\" and \"rawId\" are not one credential id";
    }

    wrong = ngx_enroll_response_client(r, json_object_get(response,
                                                          "clientDataJSON"));
    if (wrong == NULL) {
        wrong = ngx_enroll_response_attestation(r,
                          json_object_get(response, "attestationObject"));
    }

    if (wrong == NULL) {
        wrong = ngx_enroll_response_again(r,
                          json_object_get(response, "authenticatorData"));
    }

    if (wrong == NULL) {
        wrong = ngx_enroll_response_transports(r,
                          json_object_get(response, "transports"));
    }

    return wrong;
}


static json_t *
ngx_enroll_response_place(json_t *json, const ngx_str_t *place)
{
    char           name[NGX_ENROLL_PLACE_NAME_MAX + 1];
    size_t         len;
    const char    *names[2];
    const u_char  *p, *end, *word;

    names[0] = name;
    names[1] = NULL;

    p = place->data;
    end = p + place->len;

    while (p < end) {

        for (word = p; p < end && *p != '.'; p++) { /* void */ }

        len = p - word;

        if (len > NGX_ENROLL_PLACE_NAME_MAX) {
            return NULL;
        }

        ngx_memcpy(name, word, len);
        name[len] = '\0';

        if (ngx_enroll_response_doubled(json, names)) {
            return NULL;
        }

        json = json_object_get(json, name);

        if (p < end) {
            p++;
        }
    }

    return json;
}


/*
 * Some IdPs' parsers do not tell capitals from small letters (Go's, .NET's):
 * what resembles a member that is read here would be read there.
 */

static ngx_uint_t
ngx_enroll_response_doubled(json_t *json, const char *const *names)
{
    json_t      *value;
    ngx_uint_t   i;
    const char  *name;

    json_object_foreach(json, name, value) {

        for (i = 0; names[i]; i++) {
            if (ngx_strcmp(name, names[i]) != 0
                && ngx_enroll_response_resembles(name, names[i]))
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_enroll_response_resembles(const char *text, const char *name)
{
    u_char      c;
    ngx_uint_t  i;

    /* what folds to ASCII in one Unicode or another */

    static const struct {
        const char  *text;
        size_t       len;
        u_char       c;
    } folds[] = {
        { "\304\260", 2, 'i' },          /* I with a dot */
        { "\304\261", 2, 'i' },          /* i without one */
        { "\305\277", 2, 's' },          /* the long s */
        { "\342\204\252", 3, 'k' },      /* the kelvin */
        { NULL, 1, 0 }
    };

    for ( /* void */ ; *name; name++) {

        for (i = 0; folds[i].text; i++) {
            if (ngx_strncmp(text, folds[i].text, folds[i].len) == 0) {
                break;
            }
        }

        c = folds[i].text ? folds[i].c : ngx_tolower((u_char) *text);

        if (c != ngx_tolower((u_char) *name)) {
            return 0;
        }

        text += folds[i].len;
    }

    return *text == '\0';
}


static const char *
ngx_enroll_response_client(ngx_enroll_response_t *r, json_t *json)
{
    json_t      *client;
    ngx_str_t    text, origin;
    ngx_uint_t   no_memory;
    const char  *wrong;

    static const char *const  names[] = { "type", "origin", NULL };

    if (ngx_enroll_response_decode(r, &text, json) != NGX_OK) {
        return "\"clientDataJSON\" is not base64url";
    }

    client = ngx_enroll_response_load(&text, &no_memory);

    if (client == NULL) {
        return no_memory ? ngx_enroll_no_memory
                         : "\"clientDataJSON\" is not a JSON object";
    }

    wrong = NULL;

    if (ngx_enroll_response_doubled(client, names)) {
        wrong = ngx_enroll_response_twice;

    } else if (!ngx_enroll_response_is(json_object_get(client, "type"),
                                       "webauthn.create"))
    {
        wrong = "the client data's type is not \"webauthn.create\"";

    } else if (ngx_enroll_text_string(&origin,
                                      json_object_get(client, "origin"),
                                      1, NGX_ENROLL_ORIGIN_MAX)
               != NGX_OK
               || !ngx_enroll_text_is_printable(&origin))
    {
        wrong = "the client data's origin is invalid";

    } else {
        ngx_memcpy(r->authenticator->origin, origin.data, origin.len);
    }

    json_decref(client);

    return wrong;
}


/* the three members once each, in any order, and nothing behind them */

static const char *
ngx_enroll_response_attestation(ngx_enroll_response_t *r, json_t *json)
{
    ngx_str_t          cbor;
    ngx_uint_t         i;
    ngx_enroll_cbor_t  map;

    if (ngx_enroll_response_decode(r, &cbor, json) != NGX_OK) {
        return "\"attestationObject\" is not base64url";
    }

    if (ngx_enroll_cbor_next(&cbor, &map) != NGX_OK
        || map.type != NGX_ENROLL_CBOR_MAP
        || map.n != 3)
    {
        return "the attestation object is not a map of three";
    }

    for (i = 0; i < 3; i++) {
        if (ngx_enroll_response_member(r, &cbor) != NGX_OK) {
            return "the attestation object is malformed";
        }
    }

    if (cbor.len) {
        return "bytes follow the attestation object";
    }

    ngx_memcpy(r->authenticator->attestation, r->format.data, r->format.len);

    return ngx_enroll_response_auth(r);
}


/* three of these, none of them twice, are all three of them */

static ngx_int_t
ngx_enroll_response_member(ngx_enroll_response_t *r, ngx_str_t *cbor)
{
    ngx_str_t          statement;
    ngx_enroll_cbor_t  name, value;

    if (ngx_enroll_cbor_next(cbor, &name) != NGX_OK
        || name.type != NGX_ENROLL_CBOR_TEXT)
    {
        return NGX_DECLINED;
    }

    statement = *cbor;

    if (ngx_enroll_cbor_next(cbor, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_enroll_response_named(&name, "fmt")
        && value.type == NGX_ENROLL_CBOR_TEXT
        && value.data.len > 0
        && value.data.len <= NGX_ENROLL_FORMAT_MAX
        && ngx_enroll_text_is_printable(&value.data)
        && r->format.len == 0)
    {
        r->format = value.data;
        return NGX_OK;
    }

    if (ngx_enroll_response_named(&name, "authData")
        && value.type == NGX_ENROLL_CBOR_BYTES
        && value.data.len > 0
        && r->auth.len == 0)
    {
        r->auth = value.data;
        return NGX_OK;
    }

    if (ngx_enroll_response_named(&name, "attStmt")
        && (value.type == NGX_ENROLL_CBOR_MAP
            || value.type == NGX_ENROLL_CBOR_ARRAY)
        && !r->stated)
    {
        r->stated = 1;
        *cbor = statement;

        return ngx_enroll_cbor_skip(cbor);
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_enroll_response_named(const ngx_enroll_cbor_t *item, const char *name)
{
    return item->data.len == ngx_strlen(name)
           && ngx_memcmp(item->data.data, name, item->data.len) == 0;
}


static const char *
ngx_enroll_response_auth(ngx_enroll_response_t *r)
{
    u_char                       flags;
    ngx_str_t                    auth;
    const char                  *wrong;
    ngx_enroll_authenticator_t  *authenticator;

    auth = r->auth;

    if (auth.len < NGX_ENROLL_AUTH_HEAD_LEN) {
        return "the authenticator data are too short";
    }

    flags = auth.data[NGX_ENROLL_AUTH_RP_LEN];
    auth.data += NGX_ENROLL_AUTH_HEAD_LEN;
    auth.len -= NGX_ENROLL_AUTH_HEAD_LEN;

    authenticator = r->authenticator;
    authenticator->user_present = (flags & NGX_ENROLL_AUTH_UP) != 0;
    authenticator->user_verified = (flags & NGX_ENROLL_AUTH_UV) != 0;
    authenticator->backup_eligible = (flags & NGX_ENROLL_AUTH_BE) != 0;
    authenticator->backed_up = (flags & NGX_ENROLL_AUTH_BS) != 0;

    if (authenticator->backed_up && !authenticator->backup_eligible) {
        return "it is backed up, but not backup-eligible";
    }

    if (!(flags & NGX_ENROLL_AUTH_AT)) {
        return "there is no attested credential";
    }

    wrong = ngx_enroll_response_attested(r, &auth);

    if (wrong != NULL) {
        return wrong;
    }

    if ((flags & NGX_ENROLL_AUTH_ED)
        && ngx_enroll_response_map(&auth) != NGX_OK)
    {
        return "the extensions are malformed";
    }

    return auth.len ? "bytes follow the authenticator data" : NULL;
}


/* attested credential data: AAGUID, length and id, the public key */

static const char *
ngx_enroll_response_attested(ngx_enroll_response_t *r, ngx_str_t *auth)
{
    size_t         len;
    const char    *wrong;
    const u_char  *p;

    p = auth->data;

    if (auth->len < NGX_ENROLL_AUTH_CRED_LEN) {
        return "the attested credential is too short";
    }

    len = ((size_t) p[NGX_ENROLL_AUTH_AAGUID_LEN] << 8)
          | p[NGX_ENROLL_AUTH_AAGUID_LEN + 1];

    if (len == 0
        || len > NGX_ENROLL_CREDENTIAL_MAX
        || len > auth->len - NGX_ENROLL_AUTH_CRED_LEN)
    {
        return "the credential id is too long, or empty";
    }

    ngx_enroll_response_aaguid(r, p);

    wrong = ngx_enroll_response_credential(r, p + NGX_ENROLL_AUTH_CRED_LEN,
                                           len);
    if (wrong != NULL) {
        return wrong;
    }

    auth->data += NGX_ENROLL_AUTH_CRED_LEN + len;
    auth->len -= NGX_ENROLL_AUTH_CRED_LEN + len;

    return ngx_enroll_response_map(auth) == NGX_OK
           ? NULL : "the public key is malformed";
}


/* its text in the JSON is the one that the encoder would have written */

static const char *
ngx_enroll_response_credential(ngx_enroll_response_t *r, const u_char *id,
    size_t len)
{
    u_char        digest[EVP_MAX_MD_SIZE];
    u_char        text[ngx_enroll_b64url_len(NGX_ENROLL_CREDENTIAL_MAX)];
    unsigned int  n;

    if (r->credential.len != ngx_enroll_b64url_len(len)
        || jose_b64_enc_buf(id, len, text, sizeof(text)) != r->credential.len
        || ngx_memcmp(text, r->credential.data, r->credential.len) != 0)
    {
        return "\"id\" is not that of the attested credential";
    }

    if (EVP_Digest(id, len, digest, &n, EVP_sha256(), NULL) != 1) {
        return ngx_enroll_no_digest;
    }

    (void) ngx_enroll_response_hex((u_char *) r->authenticator->credential,
                                   digest, n);

    return NULL;
}


static void
ngx_enroll_response_aaguid(ngx_enroll_response_t *r, const u_char *aaguid)
{
    u_char      *p;
    ngx_uint_t   i;

    static const size_t  groups[] = { 4, 2, 2, 2, 6 };

    p = (u_char *) r->authenticator->aaguid;

    for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {

        if (i) {
            *p++ = '-';
        }

        p = ngx_enroll_response_hex(p, aaguid, groups[i]);
        aaguid += groups[i];
    }
}


/*
 * Browsers repeat the authenticator data beside the attestation object: an
 * IdP that reads those must not read others.
 */

static const char *
ngx_enroll_response_again(ngx_enroll_response_t *r, json_t *json)
{
    ngx_str_t  auth;

    if (json == NULL) {
        return NULL;
    }

    if (ngx_enroll_response_decode(r, &auth, json) != NGX_OK
        || auth.len != r->auth.len
        || ngx_memcmp(auth.data, r->auth.data, auth.len) != 0)
    {
        return "\"authenticatorData\" are not those of the attestation object";
    }

    return NULL;
}


/* what no authenticator is reached by is passed over, as browsers do */

static const char *
ngx_enroll_response_transports(ngx_enroll_response_t *r, json_t *json)
{
    char       *p, *last;
    size_t      i, comma;
    ngx_str_t   name;

    if (json == NULL) {
        return NULL;
    }

    if (!json_is_array(json)) {
        return "\"transports\" is not an array of strings";
    }

    p = r->authenticator->transports;
    last = p + NGX_ENROLL_TRANSPORTS_MAX;

    for (i = 0; i < json_array_size(json); i++) {

        if (ngx_enroll_text_string(&name, json_array_get(json, i), 0,
                                   NGX_ENROLL_RESPONSE_MAX)
            != NGX_OK)
        {
            return "\"transports\" is not an array of strings";
        }

        comma = (p > r->authenticator->transports);

        if (!ngx_enroll_response_is_transport(&name)
            || comma + name.len > (size_t) (last - p))
        {
            continue;
        }

        if (comma) {
            *p++ = ',';
        }

        ngx_memcpy(p, name.data, name.len);
        p += name.len;
    }

    return NULL;
}


static ngx_uint_t
ngx_enroll_response_is_transport(const ngx_str_t *name)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
            return 0;
        }
    }

    return name->len > 0;
}


static json_t *
ngx_enroll_response_load(const ngx_str_t *text, ngx_uint_t *no_memory)
{
    json_t        *json;
    json_error_t   error;

    json = json_loadb((const char *) text->data, text->len,
                      JSON_REJECT_DUPLICATES, &error);

    *no_memory = (json == NULL
                  && json_error_code(&error) == json_error_out_of_memory);

    if (json != NULL && !json_is_object(json)) {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* one text for each value: only what the encoder would have written */

static ngx_int_t
ngx_enroll_response_decode(ngx_enroll_response_t *r, ngx_str_t *to,
    json_t *json)
{
    size_t     len;
    ngx_str_t  text;

    if (ngx_enroll_text_string(&text, json, 1, NGX_ENROLL_RESPONSE_MAX)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    len = jose_b64_dec_buf(text.data, text.len, r->room, text.len);

    if (len > text.len
        || ngx_enroll_b64url_len(len) != text.len
        || jose_b64_enc_buf(r->room, len, r->room + len, text.len) != text.len
        || ngx_memcmp(r->room + len, text.data, text.len) != 0)
    {
        return NGX_DECLINED;
    }

    to->data = r->room;
    to->len = len;

    r->room += len;

    return NGX_OK;
}


/* a map, whatever is in it */

static ngx_int_t
ngx_enroll_response_map(ngx_str_t *from)
{
    ngx_str_t          head;
    ngx_enroll_cbor_t  item;

    head = *from;

    if (ngx_enroll_cbor_next(&head, &item) != NGX_OK
        || item.type != NGX_ENROLL_CBOR_MAP)
    {
        return NGX_DECLINED;
    }

    return ngx_enroll_cbor_skip(from);
}


static ngx_uint_t
ngx_enroll_response_is(json_t *json, const char *text)
{
    return json_is_string(json)
           && ngx_strcmp(json_string_value(json), text) == 0;
}


static u_char *
ngx_enroll_response_hex(u_char *dst, const u_char *src, size_t len)
{
    size_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < len; i++) {
        *dst++ = hex[src[i] >> 4];
        *dst++ = hex[src[i] & 0xf];
    }

    return dst;
}


static ngx_uint_t
ngx_enroll_authenticator_listed(const ngx_str_t *list, ngx_uint_t n,
    const char *text)
{
    size_t      len;
    ngx_uint_t  i;

    len = ngx_strlen(text);

    for (i = 0; i < n; i++) {
        if (list[i].len == len && ngx_memcmp(list[i].data, text, len) == 0) {
            return 1;
        }
    }

    return 0;
}
