#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "topologies/engine/control/channel.h"
#include "topologies/engine/format/lab.h"
#include "topologies/engine/plan/paths.h"

// Labs of this machine: made, found and taken away. All that a lab is lives on disk, in its cgroup
// and in namespaces below its run directory, so that nothing here needs its daemon, or its file.
namespace heddle::lab {

// Told of each thing that was done, with the time it took.
using OnProgress = std::function<void(const control::Progress&)>;

struct DeployRequest {
  std::string file;                        // the lab file
  std::string lab_dir;                     // empty: the machine's own directories
  std::string daemon;                      // heddle-labd; empty: beside this program, else in PATH
  std::vector<std::string> node_filter{};  // these hosts and nodes alone; empty: all
  // A lab of that name that is there: refused, changed to what the file says, or only compared.
  enum class IfThere { refuse, converge, compare };
  IfThere if_there = IfThere::refuse;
  std::optional<std::uint64_t> seed{};       // in place of the file's
  std::optional<std::string> text{};         // in place of the file's, for the same name
  std::optional<format::Runtime> runtime{};  // in place of the file's `runtime:`
};

struct Deployed {
  plan::LabPaths paths;
  bool was_there = false;
  std::vector<std::string> changes;  // what differed, or with `compare` differs; a line each
};

// Starts the lab's daemon and waits until it has built everything. On failure what was built is
// taken away again. A lab that is there is changed by its own daemon where it differs; the rest of
// it is left alone, also when that fails.
// Errors: `invalid` for the file; `exists` when a lab of that name is deployed, or is just being;
//         `conflict` for what cannot change; `unavailable` when its daemon is gone; `denied`
//         without root; `unsupported` without cgroup2, or without a container engine for nodes that
//         are containers.
Result<Deployed> deploy(const DeployRequest& request, const OnProgress& on_progress);

// Takes away everything that the lab has on this machine, whatever state it is in: processes (its
// daemon too), mounts, namespaces with their links, the cgroup, run and state directories.
// Goes on past failures and returns the first; call it again then.
// Errors: `not_found` when there is nothing of that name.
Result<> destroy(const plan::LabPaths& paths, const OnProgress& on_progress);

struct Entry {
  std::string name;
  std::string file;
  bool alive = false;  // its daemon answers
};
Result<std::vector<Entry>> list(const std::string& lab_dir);

// Where a lab is, deployed or not. Errors: `invalid` for a bad name, `unsupported` without cgroup2.
Result<plan::LabPaths> locate(const std::string& name, const std::string& lab_dir);

// Errors: `not_found` naming the labs that there are.
Result<> need_deployed(const plan::LabPaths& paths);

}  // namespace heddle::lab
