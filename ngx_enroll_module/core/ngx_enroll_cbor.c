
/*
 * cbor_load() allocates, and fills, as much as a header declares: ten bytes
 * can ask for gigabytes. So libcbor's decoder is asked for one head at a
 * time, what it declares is compared with what is there, and the nesting is
 * walked here, without recursion.
 */

#include "ngx_enroll_cbor.h"

#include <cbor.h>


/* the callbacks' lengths, as libcbor has them since 0.9, and before */
#if (CBOR_MAJOR_VERSION > 0 || CBOR_MINOR_VERSION > 8)
typedef uint64_t  ngx_enroll_cbor_len_t;
#else
typedef size_t    ngx_enroll_cbor_len_t;
#endif


typedef struct {
    ngx_enroll_cbor_t  *item;
    size_t              left;            /* bytes of the input */
    ngx_uint_t          accepted;
} ngx_enroll_cbor_ctx_t;


static void ngx_enroll_cbor_uint8(void *data, uint8_t n);
static void ngx_enroll_cbor_uint16(void *data, uint16_t n);
static void ngx_enroll_cbor_uint32(void *data, uint32_t n);
static void ngx_enroll_cbor_uint64(void *data, uint64_t n);
static void ngx_enroll_cbor_bytes(void *data, cbor_data bytes,
    ngx_enroll_cbor_len_t len);
static void ngx_enroll_cbor_text(void *data, cbor_data text,
    ngx_enroll_cbor_len_t len);
static void ngx_enroll_cbor_array(void *data, ngx_enroll_cbor_len_t n);
static void ngx_enroll_cbor_map(void *data, ngx_enroll_cbor_len_t n);
static void ngx_enroll_cbor_float(void *data, float value);
static void ngx_enroll_cbor_double(void *data, double value);
static void ngx_enroll_cbor_simple(void *data);
static void ngx_enroll_cbor_bool(void *data, bool value);
static void ngx_enroll_cbor_tag(void *data, uint64_t tag);
static void ngx_enroll_cbor_indefinite(void *data);
static void ngx_enroll_cbor_accept(void *data, ngx_enroll_cbor_e type);
static void ngx_enroll_cbor_accept_data(void *data, ngx_enroll_cbor_e type,
    cbor_data text, uint64_t len);
static void ngx_enroll_cbor_accept_items(void *data, ngx_enroll_cbor_e type,
    uint64_t n);


static const struct cbor_callbacks  ngx_enroll_cbor_callbacks = {
    .uint8 = ngx_enroll_cbor_uint8,
    .uint16 = ngx_enroll_cbor_uint16,
    .uint32 = ngx_enroll_cbor_uint32,
    .uint64 = ngx_enroll_cbor_uint64,
    .negint8 = ngx_enroll_cbor_uint8,
    .negint16 = ngx_enroll_cbor_uint16,
    .negint32 = ngx_enroll_cbor_uint32,
    .negint64 = ngx_enroll_cbor_uint64,
    .byte_string = ngx_enroll_cbor_bytes,
    .string = ngx_enroll_cbor_text,
    .array_start = ngx_enroll_cbor_array,
    .map_start = ngx_enroll_cbor_map,
    .float2 = ngx_enroll_cbor_float,
    .float4 = ngx_enroll_cbor_float,
    .float8 = ngx_enroll_cbor_double,
    .undefined = ngx_enroll_cbor_simple,
    .null = ngx_enroll_cbor_simple,
    .boolean = ngx_enroll_cbor_bool,
    .tag = ngx_enroll_cbor_tag,
    .byte_string_start = ngx_enroll_cbor_indefinite,
    .string_start = ngx_enroll_cbor_indefinite,
    .indef_array_start = ngx_enroll_cbor_indefinite,
    .indef_map_start = ngx_enroll_cbor_indefinite,
    .indef_break = ngx_enroll_cbor_indefinite
};


ngx_int_t
ngx_enroll_cbor_next(ngx_str_t *from, ngx_enroll_cbor_t *item)
{
    ngx_enroll_cbor_ctx_t       ctx;
    struct cbor_decoder_result  result;

    ngx_memzero(item, sizeof(ngx_enroll_cbor_t));

    ctx.item = item;
    ctx.left = from->len;
    ctx.accepted = 0;

    result = cbor_stream_decode(from->data, from->len,
                                &ngx_enroll_cbor_callbacks, &ctx);

    if (result.status != CBOR_DECODER_FINISHED
        || !ctx.accepted
        || result.read == 0
        || result.read > from->len)
    {
        return NGX_DECLINED;
    }

    from->data += result.read;
    from->len -= result.read;

    /* an item has a byte at least, a pair two */

    if ((item->type == NGX_ENROLL_CBOR_ARRAY && item->n > from->len)
        || (item->type == NGX_ENROLL_CBOR_MAP && item->n > from->len / 2))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_cbor_skip(ngx_str_t *from)
{
    size_t             n, left[NGX_ENROLL_CBOR_DEPTH];
    ngx_uint_t         depth;
    ngx_enroll_cbor_t  item;

    depth = 0;
    left[0] = 1;

    for ( ;; ) {

        while (left[depth] == 0) {

            if (depth == 0) {
                return NGX_OK;
            }

            depth--;
        }

        left[depth]--;

        if (ngx_enroll_cbor_next(from, &item) != NGX_OK) {
            return NGX_DECLINED;
        }

        n = item.type == NGX_ENROLL_CBOR_MAP ? 2 * item.n : item.n;

        if (n == 0) {
            continue;
        }

        if (++depth == NGX_ENROLL_CBOR_DEPTH) {
            return NGX_DECLINED;
        }

        left[depth] = n;
    }
}


static void
ngx_enroll_cbor_uint8(void *data, uint8_t n)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_NUMBER);
}


static void
ngx_enroll_cbor_uint16(void *data, uint16_t n)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_NUMBER);
}


static void
ngx_enroll_cbor_uint32(void *data, uint32_t n)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_NUMBER);
}


static void
ngx_enroll_cbor_uint64(void *data, uint64_t n)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_NUMBER);
}


static void
ngx_enroll_cbor_bytes(void *data, cbor_data bytes, ngx_enroll_cbor_len_t len)
{
    ngx_enroll_cbor_accept_data(data, NGX_ENROLL_CBOR_BYTES, bytes, len);
}


static void
ngx_enroll_cbor_text(void *data, cbor_data text, ngx_enroll_cbor_len_t len)
{
    ngx_enroll_cbor_accept_data(data, NGX_ENROLL_CBOR_TEXT, text, len);
}


static void
ngx_enroll_cbor_array(void *data, ngx_enroll_cbor_len_t n)
{
    ngx_enroll_cbor_accept_items(data, NGX_ENROLL_CBOR_ARRAY, n);
}


static void
ngx_enroll_cbor_map(void *data, ngx_enroll_cbor_len_t n)
{
    ngx_enroll_cbor_accept_items(data, NGX_ENROLL_CBOR_MAP, n);
}


static void
ngx_enroll_cbor_float(void *data, float value)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_OTHER);
}


static void
ngx_enroll_cbor_double(void *data, double value)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_OTHER);
}


static void
ngx_enroll_cbor_simple(void *data)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_OTHER);
}


static void
ngx_enroll_cbor_bool(void *data, bool value)
{
    ngx_enroll_cbor_accept(data, NGX_ENROLL_CBOR_OTHER);
}


static void
ngx_enroll_cbor_tag(void *data, uint64_t tag)
{
    /* not accepted */
}


static void
ngx_enroll_cbor_indefinite(void *data)
{
    /* not accepted */
}


static void
ngx_enroll_cbor_accept(void *data, ngx_enroll_cbor_e type)
{
    ngx_enroll_cbor_ctx_t *ctx = data;

    ctx->item->type = type;
    ctx->accepted = 1;
}


/* before 0.15 a 32-bit libcbor does not see that a length is too large */

static void
ngx_enroll_cbor_accept_data(void *data, ngx_enroll_cbor_e type,
    cbor_data text, uint64_t len)
{
    ngx_enroll_cbor_ctx_t *ctx = data;

    if (len < ctx->left) {
        ctx->item->data.data = (u_char *) text;
        ctx->item->data.len = (size_t) len;

        ngx_enroll_cbor_accept(data, type);
    }
}


static void
ngx_enroll_cbor_accept_items(void *data, ngx_enroll_cbor_e type, uint64_t n)
{
    ngx_enroll_cbor_ctx_t *ctx = data;

    if (n < ctx->left) {
        ctx->item->n = (size_t) n;

        ngx_enroll_cbor_accept(data, type);
    }
}
