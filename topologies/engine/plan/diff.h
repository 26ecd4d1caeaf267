#pragma once
#include <string>
#include <vector>

#include "topologies/engine/plan/plan.h"

namespace heddle::plan {

// What turns a deployed lab into another of its name. Pure. A member or link that differs at all is
// taken away and made again, with the links of such a member; all else is left alone.
struct Diff {
  std::vector<std::string> bridges_removed{};
  std::vector<std::string> bridges_added{};
  std::vector<std::string> members_removed{};  // those that differ too
  std::vector<std::string> members_added{};    // those that differ too
  std::vector<std::string> hosts_refreshed{};  // only their `env` or `files` differ
  std::vector<Veth> links_removed{};
  std::vector<Veth> links_added{};
  std::vector<Device> devices_removed{};
  std::vector<Device> devices_added{};
  std::vector<std::string> link_changes{};  // in words, whole links; also what they do to packets
  Application application_removed{};
  Application application_added{};     // of a swarm that is there: whoever joins
  std::vector<std::string> refused{};  // what cannot change while it runs, and what to do

  bool empty() const { return *this == Diff{}; }
  friend bool operator==(const Diff&, const Diff&) = default;
};

Diff diff(const Plan& deployed, const Plan& wanted);

// A line for each change.
std::vector<std::string> describe(const Diff& diff);

}  // namespace heddle::plan
