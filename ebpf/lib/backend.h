#pragma once
/* Choosing a backend of a service. */
#include "ebpf/lib/drop.h"
#include "ebpf/lib/socket_maps.h"

/* Reads of a list that is replaced meanwhile are begun again; each finds a newer list. */
#define CHOICE_ATTEMPTS 4

struct choice {
	__be32 address;
	__be16 port;
	__u32 list;
};

/* Round robin over the service's own counter: n calls over k backends differ by at most one. */
static __always_inline bool choose_backend(const struct heddle_service_key *key,
					   struct choice *choice, enum heddle_drop_reason *why)
{
	struct heddle_backend_key slot = {};
	struct heddle_service *service;
	struct heddle_backend *backend;

	*why = HEDDLE_DROP_BACKEND_CHANGED;
	for (int attempt = 0; attempt < CHOICE_ATTEMPTS; attempt++) {
		service = bpf_map_lookup_elem(&heddle_services_v1, key);
		if (!service || !service->count) {
			*why = HEDDLE_DROP_NO_BACKEND;
			return false;
		}
		slot.list = service->list;
		slot.slot = __sync_fetch_and_add(&service->next, 1) % service->count;
		backend = bpf_map_lookup_elem(&heddle_backends_v1, &slot);
		if (!backend)
			continue;
		choice->address = backend->address;
		choice->port = backend->port;
		choice->list = slot.list;
		/* An element deleted under us may carry another list's backend by now. */
		barrier();
		if (*(volatile __u32 *)&backend->list == slot.list)
			return true;
	}
	return false;
}

struct search {
	__u32 list;
	__be32 address;
	__be16 port;
	bool found;
};

static long match_backend(__u32 index, void *context)
{
	struct search *search = context;
	struct heddle_backend_key slot = {.list = search->list, .slot = index};
	struct heddle_backend *backend = bpf_map_lookup_elem(&heddle_backends_v1, &slot);

	search->found =
		backend && backend->address == search->address && backend->port == search->port;
	return search->found;
}

/* Whether a backend chosen earlier is still the service's; cheap while its list stands. */
static __always_inline bool still_backend(const struct heddle_service *service,
					  struct heddle_flow *flow)
{
	struct search search = {
		.list = service->list,
		.address = flow->actual,
		.port = flow->actual_port,
	};
	__u32 count = service->count;

	if (count && flow->list == search.list)
		return true;
	if (count > HEDDLE_SERVICE_BACKENDS_MAX)
		count = HEDDLE_SERVICE_BACKENDS_MAX;
	bpf_loop(count, match_backend, &search, 0);
	if (search.found)
		flow->list = search.list;
	return search.found;
}
