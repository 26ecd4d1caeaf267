#pragma once
#include <cstddef>
#include <functional>
#include <string>

#include "common/base/result.h"
#include "topologies/engine/plan/paths.h"

// What a lab has at a container engine, on record in its state directory.
namespace heddle::container {

// Before the first container: where they are.
Result<> record_engine(const plan::LabPaths& paths, const std::string& socket);
// The recorded socket; empty: the lab has no containers.
std::string recorded_engine(const plan::LabPaths& paths);

// Before the engine is asked to make one, and after it has.
Result<> record_asked(const plan::LabPaths& paths, const std::string& container);
Result<> record_made(const plan::LabPaths& paths, const std::string& container);
void forget(const plan::LabPaths& paths, const std::string& container);

// Takes away every container of the lab, also one that the engine is still making for a daemon that
// was killed. How many. `on_removed` is told how far it is, one call at a time. Errors:
// `unavailable` when the engine does not answer, naming what may be left; call it again then.
using OnRemoved = std::function<void(std::size_t done, std::size_t total, const std::string& name)>;
Result<std::size_t> remove_all(const plan::LabPaths& paths, const OnRemoved& on_removed);

}  // namespace heddle::container
