
/* Whether a record that was granted keeps its class's rule, by its MACs. */

#ifndef _NGX_ENROLL_RULE_H_INCLUDED_
#define _NGX_ENROLL_RULE_H_INCLUDED_


#include "ngx_enroll_call.h"


/*
 * 1 if the rule that went along for the record's class is kept. The script
 * has looked at the same, but at words that anybody who writes Redis can
 * write: here the proof (I4) and each approval must bear the MAC of a holder
 * of the keys. Calls without rules keep them all.
 */
ngx_uint_t ngx_enroll_rule_kept(ngx_enroll_call_t *call,
    ngx_enroll_result_t *result);


#endif /* _NGX_ENROLL_RULE_H_INCLUDED_ */
