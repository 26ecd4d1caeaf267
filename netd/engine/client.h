#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/engine/api.h"
#include "netd/engine/answer.h"
#include "netd/engine/container.h"
#include "netd/model/objects.h"

namespace heddle::engine {

// Docker or Podman, and how its users call things.
struct Engine {
  model::WorkloadKind kind = model::WorkloadKind::docker;  // docker or podman
  std::string socket;

  std::string name() const { return kind == model::WorkloadKind::podman ? "Podman" : "Docker"; }
  std::string command() const { return kind == model::WorkloadKind::podman ? "podman" : "docker"; }
  std::string reference(std::string_view container) const {
    return command() + ":" + std::string(container);
  }
};

// Asks one engine, in the newest version of the API that both sides have: 1.24 to 1.52.
// Threads: any, each call on a connection of its own; `interrupt` (an eventfd, borrowed) ends them.
// Errors: `not_found` without the container, `conflict` when an id's start fits several, `invalid`
// for what is no reference; `unavailable`, `denied` and `timeout` name the socket and what to do;
// `unsupported` when no version fits; `internal` for answers that make no sense.
class Client final {
 public:
  Client(Engine engine, int interrupt);

  const Engine& engine() const { return engine_; }

  // By name, id, or the start of an id.
  Result<Container> inspect(std::string_view container, Deadline deadline);
  // All, those that do not run too.
  Result<std::vector<Listed>> list(Deadline deadline);
  // What happens to containers from now on, and `since` (an Event's time; "": nothing before).
  Result<std::unique_ptr<LineStream>> events(const std::string& since, Deadline deadline);

  // What went wrong on the way, in the words of somebody who can help.
  Error complain(Error error) const { return api_.complain(std::move(error)); }

 private:
  Result<Container> explain_refusal(std::string_view container, const Answer& answer,
                                    Deadline deadline);

  const Engine engine_;
  Api api_;
};

}  // namespace heddle::engine
