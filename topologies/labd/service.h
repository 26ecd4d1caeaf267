#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/result.h"
#include "topologies/engine/control/message.h"
#include "topologies/engine/fabric/fabric.h"
#include "topologies/engine/plan/plan.h"
#include "topologies/engine/process/supervisor.h"
#include "topologies/labd/heartbeat.h"
#include "topologies/labd/links.h"

namespace heddle::labd {

// One deployed lab: builds it, is the parent of its processes, and answers `heddle lab`.
// Threads: any; changes of a member run one at a time, commands beside each other.
// It never takes the lab away: `lab::destroy` does, from outside, whether this program lives or
// not.
class Service final {
 public:
  using OnProgress = std::function<void(std::string did, std::chrono::milliseconds time)>;
  using Gone = std::function<bool()>;

  // `program_dir`: where heddled and heddle are; it leads the PATH of every command.
  Service(format::Lab lab, plan::Plan plan, std::string program_dir);

  // Errors: what could not be built, with the member's name; for a heddled, the end of its log.
  Result<> build(const OnProgress& on_progress);

  control::Reply handle(const control::Request& request, const Gone& gone);

 private:
  struct Running {  // a member's mutable part
    std::shared_ptr<process::Child> daemon;
    fabric::NodeNamespaces namespaces;  // of linux nodes
    bool down = false;                  // its power was cut
  };
  struct Background {
    std::string on;
    std::shared_ptr<process::Child> child;
  };

  Result<> prepare_member(const plan::Member& member);
  Result<> start_daemons(const std::vector<const plan::Member*>& members);
  Result<> spawn_daemon(const plan::Member& member);
  Result<> wait_daemon(const plan::Member& member);
  Result<> start_node(const plan::Member& member);

  Result<control::ExecResult> exec(const control::Request& request, const Gone& gone);
  Result<control::ExecResult> end_background(const control::Request& request, const Gone& gone);
  Result<> kill_host(const std::string& name);
  Result<> start_host(const std::string& name);
  Result<> kill_daemon(const std::string& name);
  Result<> restart_daemon(const std::string& name);
  Result<control::Entry> enter(const std::string& name);
  control::LabStatus status();

  Result<const plan::Member*> need_member(const std::string& name);
  Result<const plan::Member*> need_host(const std::string& name);
  Result<process::SpawnRequest> spawn_request(const plan::Member& member, UniqueFd& netns);
  Result<std::shared_ptr<process::Child>> start_in(const plan::Member& member,
                                                   const std::vector<std::string>& command);
  std::map<std::string, std::string> environment(const plan::Member& member) const;

  const format::Lab lab_;
  const plan::Plan plan_;
  const std::string program_dir_;
  fabric::Fabric fabric_;
  Links links_;
  Heartbeat heartbeat_;
  process::Supervisor supervisor_;

  std::mutex change_mutex_;  // kill, start and daemon changes
  std::mutex mutex_;         // the two maps
  std::map<std::string, Running> running_;
  std::map<std::string, Background> background_;
};

}  // namespace heddle::labd
