
/* The least of the Test Anything Protocol. */

#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>


static int  tap_count;
static int  tap_failures;


__attribute__((format(printf, 2, 3)))
static inline int
tap_ok(int passed, const char *format, ...)
{
    va_list  args;

    tap_count++;
    tap_failures += !passed;

    printf("%sok %d - ", passed ? "" : "not ", tap_count);

    va_start(args, format);
    vprintf(format, args);
    va_end(args);

    printf("\n");

    return passed;
}


static inline int
tap_done(void)
{
    printf("1..%d\n", tap_count);

    return tap_failures != 0;
}


#endif /* _TAP_H_INCLUDED_ */
