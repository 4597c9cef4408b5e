
/* How much memory a call asks for, in sum: the allocator's own count. */

#ifndef _ALLOCATED_H_INCLUDED_
#define _ALLOCATED_H_INCLUDED_


#include <stddef.h>


/* of AddressSanitizer, whose headers do not come with every compiler */
int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void *, size_t),
    void (*free_hook)(const volatile void *));


/* volatile: compilers take for granted that malloc() changes nothing of ours */
static volatile size_t  allocated_bytes;


static void
allocated_count(const volatile void *p, size_t size)
{
    allocated_bytes += size;
}


static void
allocated_ignore(const volatile void *p)
{
    /* what is freed was asked for all the same */
}


static inline void
allocated_begin(void)
{
    static int  installed;

    if (!installed) {
        installed = __sanitizer_install_malloc_and_free_hooks(
                        allocated_count, allocated_ignore);
    }

    allocated_bytes = 0;
}


#endif /* _ALLOCATED_H_INCLUDED_ */
