#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "netd/engine/container.h"

// What engines answer, read. Pure; the bytes are anybody's.
// Source: Docker Engine API v1.24 to v1.52, https://docs.docker.com/reference/api/engine/; Podman
// answers the same questions alike.
// Errors: `internal`, naming the field that is not as it should be.
namespace heddle::engine {

// GET /containers/{id}/json
Result<Container> parse_container(std::string_view json);

// GET /containers/json
Result<std::vector<Listed>> parse_list(std::string_view json);

// One line of GET /events; nothing when it is not about a container.
Result<std::optional<Event>> parse_event(std::string_view json);

// `15`, `SIGTERM`, `TERM`, `SIGRTMIN+3`; nothing for what is no signal of Linux.
std::optional<int> parse_signal(std::string_view text);

// Whether it may stand in a request's path: a container's name or id, or the start of an id.
bool is_reference(std::string_view text);

}  // namespace heddle::engine
