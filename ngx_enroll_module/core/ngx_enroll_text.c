
#include "ngx_enroll_text.h"
#include "ngx_enroll_joiner.h"


ngx_int_t
ngx_enroll_text_string(ngx_str_t *to, json_t *value, size_t min, size_t max)
{
    if (!json_is_string(value)
        || json_string_length(value) < min
        || json_string_length(value) > max)
    {
        return NGX_DECLINED;
    }

    to->data = (u_char *) json_string_value(value);
    to->len = json_string_length(value);

    return NGX_OK;
}


ngx_uint_t
ngx_enroll_text_is_plain(const ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c < ' ' || c == 0x7f) {
            return 0;
        }

        if (c == 0xc2 && i + 1 < text->len && text->data[i + 1] < 0xa0) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_word(const ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    if (text->len == 0 || text->len > NGX_ENROLL_WORD_MAX) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_printable(const ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] > '~') {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_id(const ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    if (text->len != NGX_ENROLL_TEXT_ID_LEN) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return 0;
        }
    }

    return 1;
}
