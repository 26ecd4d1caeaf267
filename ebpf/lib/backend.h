#pragma once
/* Choosing a backend of a service. */
#include "ebpf/lib/drop.h"
#include "ebpf/lib/socket_maps.h"

/* Reads of a list that is replaced meanwhile are begun again; each finds a newer list. */
#define CHOICE_ATTEMPTS 4
#define SECOND_NS 1000000000ULL

struct choice {
	__be32 address;
	__be16 port;
	__u32 list;
};

struct search {
	__u32 list;
	__be32 address;
	__be16 port;
	__u8 worst; /* the last enum heddle_backend_use that will do */
	bool found;
};

static long match_backend(__u32 index, void *context)
{
	struct search *search = context;
	struct heddle_backend_key slot = {.list = search->list, .slot = index};
	struct heddle_backend *backend = bpf_map_lookup_elem(&heddle_backends_v1, &slot);

	search->found = backend && backend->address == search->address &&
			backend->port == search->port && backend->use <= search->worst;
	return search->found;
}

static __always_inline bool search_rows(struct search *search, __u32 rows)
{
	if (rows > HEDDLE_SERVICE_ROWS_MAX)
		rows = HEDDLE_SERVICE_ROWS_MAX;
	bpf_loop(rows, match_backend, search, 0);
	return search->found;
}

/*
 * Whether a backend chosen earlier is still the service's, for whatever is not worse than `worst`;
 * cheap while its list stands.
 */
static __always_inline bool still_backend(const struct heddle_service *service,
					  struct heddle_flow *flow, __u8 worst)
{
	struct search search = {
		.list = service->list,
		.address = flow->actual,
		.port = flow->actual_port,
		.worst = worst,
	};
	__u32 rows = service->count + service->kept;

	if (rows && flow->list == search.list)
		return true;
	if (!search_rows(&search, rows))
		return false;
	flow->list = search.list;
	return true;
}

/* Round robin over the service's own counter: n calls over k rows differ by at most one. */
static __always_inline bool next_backend(const struct heddle_service_key *key,
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

/* The backend that the client used last, while that is not too long ago and it is ready. */
static __always_inline bool last_backend(const struct heddle_service *service,
					 struct heddle_affinity *last, __u64 now,
					 struct choice *choice)
{
	struct search search = {
		.list = service->list,
		.address = last->address,
		.port = last->port,
		.worst = HEDDLE_BACKEND_READY,
	};

	if (now - last->used >= service->affinity * SECOND_NS || !service->count)
		return false;
	if (last->list != search.list && !search_rows(&search, service->count))
		return false;
	choice->address = search.address;
	choice->port = search.port;
	choice->list = search.list;
	last->list = search.list;
	last->used = now;
	return true;
}

static __always_inline bool choose_backend(__u64 cookie, const struct heddle_service_key *key,
					   const struct heddle_service *service,
					   struct choice *choice, enum heddle_drop_reason *why)
{
	struct heddle_affinity_key client = {.cookie = cookie, .service = *key};
	struct heddle_affinity fresh = {};
	struct heddle_affinity *last;
	bool sticks = service->affinity;

	if (sticks) {
		fresh.used = bpf_ktime_get_ns();
		last = bpf_map_lookup_elem(&heddle_affinity_v1, &client);
		if (last && last_backend(service, last, fresh.used, choice))
			return true;
	}
	if (!next_backend(key, choice, why))
		return false;
	if (!sticks)
		return true;
	fresh.address = choice->address;
	fresh.port = choice->port;
	fresh.list = choice->list;
	/* Should this fail, the next call chooses anew. */
	bpf_map_update_elem(&heddle_affinity_v1, &client, &fresh, BPF_ANY);
	return true;
}
