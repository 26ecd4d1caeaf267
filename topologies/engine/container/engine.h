#pragma once
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/engine/api.h"
#include "topologies/engine/container/answer.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::container {

// Where DOCKER_HOST says (unix://PATH), else Docker's own socket, else Podman's where only that is.
// Errors: `unsupported` for an engine that is not on this machine.
Result<std::string> find_socket(const format::Environment& environment);

// The container engine of this machine, Docker or Podman, as far as labs need it. Containers go by
// their names. Threads: any, each call on a connection of its own.
// Errors: what is common/engine's; a refusal is `internal` with the engine's sentence.
class Engine final {
 public:
  explicit Engine(std::string socket);

  const std::string& socket() const { return socket_; }

  // Errors: `unsupported` when nobody answers: a capability that is missing, and what to do.
  Result<> need();

  // By its policy. True: it was pulled. Errors: `not_found`, naming the image.
  Result<bool> ensure_image(const format::Container& container);

  // One of the lab's own that is there already is made again. The engine's warnings.
  // Errors: `exists` when another has this name.
  Result<std::vector<std::string>> create(const plan::Member& member, const plan::LabPaths& paths,
                                          const std::string& directory);
  Result<State> inspect(const std::string& name);
  // Starts it, unless it runs. Errors: `unavailable` when it ended at once, with what it printed.
  Result<State> start(const std::string& name);
  // That error, of one that does not run any more.
  Error ended_at_once(const std::string& name, const State& state);
  // Ends it, and returns when it has; what does not run is left as it is.
  Result<> kill(const std::string& name);
  Result<> pause(const std::string& name);
  Result<> unpause(const std::string& name);
  // With its anonymous volumes. Absence is success.
  Result<> remove(const std::string& name);
  // Those of the lab whose run directory this is.
  Result<std::vector<Listed>> list(const std::string& run_dir);

 private:
  Result<> change(const std::string& name, const std::string& verb);
  Result<> wait_ended(const std::string& name, Deadline deadline);
  Result<> remove_foreign_state(const std::string& name, const plan::LabPaths& paths);
  std::string last_words(const std::string& name);

  const std::string socket_;
  engine::Api api_;
};

}  // namespace heddle::container
