
#include "ngx_enroll_webhook.h"

#include <openssl/crypto.h>


#define NGX_ENROLL_WEBHOOK_PREFIX         "whsec_"
#define NGX_ENROLL_WEBHOOK_SECRET_MIN     24
#define NGX_ENROLL_WEBHOOK_SECRET_MAX     64
#define NGX_ENROLL_WEBHOOK_TIMESTAMP_MAX  12         /* digits */

#define NGX_ENROLL_WEBHOOK_V1             "v1,"
#define NGX_ENROLL_WEBHOOK_V1_LEN         3

/* the length of n bytes in base64, with its padding */
#define ngx_enroll_base64_len(n)          (((n) + 2) / 3 * 4)

#define NGX_ENROLL_WEBHOOK_SIG_LEN        ngx_enroll_base64_len(32)


/* The v1 signatures of a header; each points to NGX_ENROLL_WEBHOOK_SIG_LEN. */
typedef struct {
    ngx_uint_t     n;
    const u_char  *sigs[NGX_ENROLL_WEBHOOK_SIGS_MAX];
} ngx_enroll_webhook_sigs_t;


static ngx_int_t ngx_enroll_base64_decode(u_char *dst, size_t *dst_len,
    const u_char *src, size_t len);
static ngx_uint_t ngx_enroll_webhook_is_space(u_char c);
static const char *ngx_enroll_webhook_id(const ngx_str_t *id);
static const char *ngx_enroll_webhook_timestamp(const ngx_str_t *timestamp,
    time_t now);
static const char *ngx_enroll_webhook_signatures(const ngx_str_t *header,
    ngx_enroll_webhook_sigs_t *sigs);
static ngx_int_t ngx_enroll_webhook_sign(EVP_MAC_CTX *secret,
    const ngx_enroll_webhook_t *webhook, const ngx_str_t *body,
    u_char sig[NGX_ENROLL_WEBHOOK_SIG_LEN + 1]);


EVP_MAC_CTX *
ngx_enroll_webhook_secret(const u_char *text, size_t len,
    char err[NGX_ENROLL_ERR_LEN])
{
    size_t        n, skip;
    u_char        secret[NGX_ENROLL_WEBHOOK_SECRET_MAX + 2];
    ngx_int_t     rc;
    EVP_MAC_CTX  *mac;

    while (len && ngx_enroll_webhook_is_space(text[0])) {
        text++;
        len--;
    }

    while (len && ngx_enroll_webhook_is_space(text[len - 1])) {
        len--;
    }

    skip = sizeof(NGX_ENROLL_WEBHOOK_PREFIX) - 1;

    if (len < skip
        || ngx_memcmp(text, NGX_ENROLL_WEBHOOK_PREFIX, skip) != 0)
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "secret does not begin with \""
                 NGX_ENROLL_WEBHOOK_PREFIX "\"");
        return NULL;
    }

    text += skip;
    len -= skip;

    if (len > ngx_enroll_base64_len(NGX_ENROLL_WEBHOOK_SECRET_MAX)) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "secret has more than %d bytes",
                 NGX_ENROLL_WEBHOOK_SECRET_MAX);
        return NULL;
    }

    mac = NULL;
    rc = ngx_enroll_base64_decode(secret, &n, text, len);

    if (rc != NGX_OK) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "secret is not \""
                 NGX_ENROLL_WEBHOOK_PREFIX "\" and base64");

    } else if (n < NGX_ENROLL_WEBHOOK_SECRET_MIN
               || n > NGX_ENROLL_WEBHOOK_SECRET_MAX)
    {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "secret has %lu bytes, %d to %d are needed",
                 (unsigned long) n, NGX_ENROLL_WEBHOOK_SECRET_MIN,
                 NGX_ENROLL_WEBHOOK_SECRET_MAX);

    } else {
        mac = ngx_enroll_hmac_context(secret, n);

        if (mac == NULL) {
            snprintf(err, NGX_ENROLL_ERR_LEN, "OpenSSL cannot use the secret");
        }
    }

    OPENSSL_cleanse(secret, sizeof(secret));

    return mac;
}


const char *
ngx_enroll_webhook_verify(EVP_MAC_CTX *const *secrets, ngx_uint_t n,
    const ngx_enroll_webhook_t *webhook, const ngx_str_t *body, time_t now)
{
    u_char                      sig[NGX_ENROLL_WEBHOOK_SIG_LEN + 1];
    const char                 *wrong;
    ngx_uint_t                  i, k, same;
    ngx_enroll_webhook_sigs_t   sigs;

    if (webhook->id.len == 0) {
        return "no webhook-id";
    }

    if (webhook->timestamp.len == 0) {
        return "no webhook-timestamp";
    }

    if (webhook->signature.len == 0) {
        return "no webhook-signature";
    }

    wrong = ngx_enroll_webhook_id(&webhook->id);

    if (wrong == NULL) {
        wrong = ngx_enroll_webhook_timestamp(&webhook->timestamp, now);
    }

    if (wrong == NULL) {
        wrong = ngx_enroll_webhook_signatures(&webhook->signature, &sigs);
    }

    if (wrong != NULL) {
        return wrong;
    }

    /* to the end, whichever matches: the time taken tells nothing */

    same = 0;

    for (i = 0; i < n; i++) {

        if (ngx_enroll_webhook_sign(secrets[i], webhook, body, sig)
            != NGX_OK)
        {
            wrong = "webhook-signature cannot be computed";
            break;
        }

        for (k = 0; k < sigs.n; k++) {
            same |= CRYPTO_memcmp(sig, sigs.sigs[k],
                                  NGX_ENROLL_WEBHOOK_SIG_LEN) == 0;
        }
    }

    OPENSSL_cleanse(sig, sizeof(sig));

    if (wrong == NULL && !same) {
        wrong = "webhook-signature does not match";
    }

    return wrong;
}


/*
 * EVP_DecodeBlock() passes over white space and takes padding for zeroes, so
 * its result counts only if it is encoded to the same text again.
 */

static ngx_int_t
ngx_enroll_base64_decode(u_char *dst, size_t *dst_len, const u_char *src,
    size_t len)
{
    int        n;
    u_char     again[ngx_enroll_base64_len(NGX_ENROLL_WEBHOOK_SECRET_MAX) + 1];
    ngx_int_t  rc;

    if (len == 0 || len % 4 != 0 || len >= sizeof(again)) {
        return NGX_DECLINED;
    }

    n = EVP_DecodeBlock(dst, src, (int) len);

    if (n != (int) (len / 4 * 3)) {
        return NGX_DECLINED;
    }

    n -= (src[len - 1] == '=') + (src[len - 2] == '=');

    (void) EVP_EncodeBlock(again, dst, n);

    rc = CRYPTO_memcmp(again, src, len) ? NGX_DECLINED : NGX_OK;

    OPENSSL_cleanse(again, sizeof(again));

    *dst_len = (size_t) n;

    return rc;
}


static ngx_uint_t
ngx_enroll_webhook_is_space(u_char c)
{
    return c == ' ' || c == '\t' || c == CR || c == LF;
}


static const char *
ngx_enroll_webhook_id(const ngx_str_t *id)
{
    size_t  i;

    if (id->len > NGX_ENROLL_WEBHOOK_ID_MAX) {
        return "webhook-id is too long";
    }

    for (i = 0; i < id->len; i++) {
        if (id->data[i] <= ' ' || id->data[i] > '~' || id->data[i] == '.') {
            return "webhook-id has an invalid character";
        }
    }

    return NULL;
}


static const char *
ngx_enroll_webhook_timestamp(const ngx_str_t *timestamp, time_t now)
{
    u_char   c;
    size_t   i;
    int64_t  sec;

    if (timestamp->len > NGX_ENROLL_WEBHOOK_TIMESTAMP_MAX) {
        return "webhook-timestamp is invalid";
    }

    sec = 0;

    for (i = 0; i < timestamp->len; i++) {
        c = timestamp->data[i];

        if (c < '0' || c > '9') {
            return "webhook-timestamp is invalid";
        }

        sec = sec * 10 + (c - '0');
    }

    if (sec < (int64_t) now - NGX_ENROLL_WEBHOOK_TOLERANCE) {
        return "webhook-timestamp is too old";
    }

    if (sec > (int64_t) now + NGX_ENROLL_WEBHOOK_TOLERANCE) {
        return "webhook-timestamp is in the future";
    }

    return NULL;
}


static const char *
ngx_enroll_webhook_signatures(const ngx_str_t *header,
    ngx_enroll_webhook_sigs_t *sigs)
{
    size_t         len;
    ngx_uint_t     n;
    const u_char  *p, *end, *word;

    n = 0;
    sigs->n = 0;

    p = header->data;
    end = p + header->len;

    while (p < end) {

        if (*p == ' ') {
            p++;
            continue;
        }

        for (word = p; p < end && *p != ' '; p++) { /* void */ }

        if (n++ == NGX_ENROLL_WEBHOOK_SIGS_MAX) {
            return "webhook-signature has too many signatures";
        }

        len = p - word;

        if (len == NGX_ENROLL_WEBHOOK_V1_LEN + NGX_ENROLL_WEBHOOK_SIG_LEN
            && ngx_memcmp(word, NGX_ENROLL_WEBHOOK_V1,
                          NGX_ENROLL_WEBHOOK_V1_LEN)
               == 0)
        {
            sigs->sigs[sigs->n++] = word + NGX_ENROLL_WEBHOOK_V1_LEN;
        }
    }

    return sigs->n ? NULL : "webhook-signature has no v1 signature";
}


/*
 * The signature as it has to stand in the header: comparing the encoded forms
 * leaves nothing of the sender's to decode.
 */

static ngx_int_t
ngx_enroll_webhook_sign(EVP_MAC_CTX *secret,
    const ngx_enroll_webhook_t *webhook, const ngx_str_t *body,
    u_char sig[NGX_ENROLL_WEBHOOK_SIG_LEN + 1])
{
    u_char     mac[NGX_ENROLL_MAC_LEN];
    ngx_str_t  parts[5];

    parts[0] = webhook->id;
    ngx_str_set(&parts[1], ".");
    parts[2] = webhook->timestamp;
    parts[3] = parts[1];
    parts[4] = *body;

    if (ngx_enroll_hmac(secret, parts, 5, mac) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) EVP_EncodeBlock(sig, mac, NGX_ENROLL_MAC_LEN);

    OPENSSL_cleanse(mac, sizeof(mac));

    return NGX_OK;
}
