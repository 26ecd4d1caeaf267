#pragma once
/* What every header here needs, on both sides: kernel integer types and the size assert. C and C++.
 */

#ifdef __bpf__
#include "ebpf/vmlinux.h"
#else
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define HEDDLE_ABI_ASSERT(claim) static_assert(claim, #claim)
#else
#define HEDDLE_ABI_ASSERT(claim) _Static_assert(claim, #claim)
#endif

#define HEDDLE_MAC_BYTES 6
