#pragma once
#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "common/base/result.h"
#include "topologies/engine/control/message.h"
#include "topologies/engine/fabric/fabric.h"
#include "topologies/engine/plan/diff.h"
#include "topologies/engine/plan/plan.h"
#include "topologies/engine/process/supervisor.h"
#include "topologies/labd/containers.h"
#include "topologies/labd/event_log.h"
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

  struct Options {
    std::string program_dir;  // where heddled and heddle are; it leads the PATH of every command
    rlim_t open_files = 0;    // soft limit of what is started; 0: as this program has it
    // Told how far a build is: so many stages of members out of all, and whose was the last.
    std::function<void(std::size_t done, std::size_t total, const std::string& member)>
        on_advance{};
  };
  Service(format::Lab lab, plan::Plan plan, Options options);

  // Errors: what could not be built, with the member's name; for a heddled, the end of its log.
  Result<> build(const OnProgress& on_progress);

  control::Reply handle(const control::Request& request, const Gone& gone);

 private:
  control::Reply answer(const control::Request& request, const Gone& gone);
  // events.cc
  void record(const control::Request& request, const control::Reply& reply);  // what was done
  void record_deployed();
  process::Supervisor::OnEnded record_end(std::string subject, std::string what);
  Result<> note(const control::Request& request);
  Result<std::string> save();

  // Of a command: as the node has it, or this machine's, in the node's network.
  enum class Where { node, network };

  struct Running {  // a member's mutable part
    std::shared_ptr<process::Child> daemon;
    fabric::NodeNamespaces namespaces;  // of linux nodes
    bool ready = false;                 // processes can run on it
    bool down = false;                  // its power was cut
    bool frozen = false;
    bool disk_full = false;
  };
  struct Background {
    std::string on;
    std::vector<std::string> command;
    std::shared_ptr<process::Child> child;
    Where where = Where::node;
  };

  class Startup;  // brings members up through their stages; startup.cc

  // What processes on it need: directories, cgroups and, for a node, mounts. Made when first
  // needed.
  Result<> ensure_ready(const plan::Member& member);
  Result<> prepare_member(const plan::Member& member);
  Result<> prepare_containers(const std::vector<const plan::Member*>& members,
                              const format::Environment& environment,
                              const OnProgress& on_progress);
  Result<> create_container(const plan::Member& member, const OnProgress& on_progress);
  Result<> set_limits(const plan::Member& member);  // Errors: see process::limit_cgroup
  Result<> start_daemons(const std::vector<const plan::Member*>& members);
  Result<> spawn_daemon(const plan::Member& member);
  Result<bool> daemon_answers(const plan::Member& member, Deadline deadline);
  Result<> wait_daemon(const plan::Member& member);
  Result<> start_command(const plan::Member& member);

  // Overlays and services; application.cc. Errors name their key.
  Result<std::string> run_on(const std::string& host, const std::vector<std::string>& words);
  Result<> join_swarm(const plan::SwarmPlan& swarm);
  Result<> create_network(const plan::NetworkPlan& network);
  Result<> wait_healthy(const plan::WorkloadPlan& workload);
  Result<> start_application(const plan::Application& added);
  void stop_application(const plan::Application& removed);

  // The rest of what changes a lab that is there; update.cc.
  void change_plan(const std::function<void()>& change);
  Result<std::vector<std::string>> update(const control::Request& request);
  Result<> apply(const plan::Diff& diff, const plan::Plan& wanted);
  Result<> take_away(const plan::Diff& diff);
  Result<> add(const plan::Diff& diff, const plan::Plan& wanted);
  Result<> remove_member(const std::string& name);
  Result<> refresh_hosts(const plan::Diff& diff, const plan::Plan& wanted);

  Result<control::ExecResult> exec(const control::Request& request, const Gone& gone);
  Result<control::ExecResult> end_background(const control::Request& request, const Gone& gone);
  Result<> kill_member(const std::string& name);
  Result<> start_member(const std::string& name);
  Result<> configure_again(const plan::Member& member);
  Result<> kill_daemon(const std::string& name);
  Result<> restart_daemon(const std::string& name);
  // faults.cc
  Result<control::ExecResult> peek(const control::Request& request);
  Result<> signal(const control::Request& request);
  Result<> respawn(const std::string& name);
  Result<> set_frozen(const std::string& name, bool frozen);
  Result<> set_clock(const std::string& name, std::int64_t offset_ms);
  Result<> set_disk_full(const std::string& name, bool full);
  Result<> prepare_disk(const plan::Member& member);
  Result<> need_moving(const std::string& name);  // Errors: `conflict` when it stands still
  Result<control::Entry> enter(const std::string& name);
  Result<control::Entry> enter_container(const plan::Member& member);
  control::LabStatus status();

  // Holds until the next change; what runs beside changes takes a copy.
  Result<const plan::Member*> need_member(const std::string& name);
  Result<plan::Member> copy_member(const std::string& name);
  Result<const plan::Member*> find_member(const std::string& name);  // with mutex_ held
  Result<const plan::Member*> need_host(const std::string& name);
  Result<const plan::Member*> need_powered(const std::string& name);  // a host or linux node
  struct Held {                                                       // what a request borrows
    UniqueFd netns;
    UniqueFd process;
  };
  Result<process::SpawnRequest> spawn_request(const plan::Member& member, Where where, Held& held);
  Result<process::SpawnRequest> inside_container(const plan::Member& member, Held& held);
  Result<std::shared_ptr<process::Child>> start_in(const plan::Member& member,
                                                   const std::vector<std::string>& command,
                                                   process::Supervisor::OnEnded on_ended = {},
                                                   Where where = Where::node);
  std::map<std::string, std::string> environment(const plan::Member& member) const;

  // Written by one that holds both mutexes, so read by one that holds either.
  format::Lab lab_;
  plan::Plan plan_;
  const Options options_;
  fabric::Fabric fabric_;
  Links links_;
  Heartbeat heartbeat_;
  EventLog events_;
  format::Environment environment_ = format::own_environment();  // of the file's `${NAME}`
  Containers containers_;
  process::Supervisor supervisor_;

  std::mutex change_mutex_;  // kill, start and daemon changes
  std::mutex ready_mutex_;   // held while a member is made ready
  UniqueFd node_mounts_;     // made with the first node; see fabric::create_node_mounts
  std::mutex mutex_;         // the two maps; locked last
  // Shared while a process starts, so that none is frozen between fork and exec: who started it
  // would wait for it, and others for that one.
  std::shared_mutex spawn_gate_;
  std::map<std::string, Running> running_;
  std::map<std::string, Background> background_;
};

}  // namespace heddle::labd
