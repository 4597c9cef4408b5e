
/* What a text of others has to be like before it goes any further. */

#ifndef _NGX_ENROLL_TEXT_H_INCLUDED_
#define _NGX_ENROLL_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_ENROLL_TEXT_ID_LEN  32       /* hex digits of a token's id */


/* A JSON string of min to max bytes; NGX_DECLINED: it is none. */
ngx_int_t ngx_enroll_text_string(ngx_str_t *to, json_t *value, size_t min,
    size_t max);

/* UTF-8, which the parser has checked, without C0, DEL and C1. */
ngx_uint_t ngx_enroll_text_is_plain(const ngx_str_t *text);

/*
 * The same, and no blank at its ends, visible or not: HTTP and most who read
 * a name drop those, and take two names for one.
 */
ngx_uint_t ngx_enroll_text_is_name(const ngx_str_t *text);

/* 1 to NGX_ENROLL_WORD_MAX characters of [a-z0-9_-]. */
ngx_uint_t ngx_enroll_text_is_word(const ngx_str_t *text);

/* Printable ASCII without space. */
ngx_uint_t ngx_enroll_text_is_printable(const ngx_str_t *text);

/* NGX_ENROLL_TEXT_ID_LEN lower-case hex digits. */
ngx_uint_t ngx_enroll_text_is_id(const ngx_str_t *text);


#endif /* _NGX_ENROLL_TEXT_H_INCLUDED_ */
