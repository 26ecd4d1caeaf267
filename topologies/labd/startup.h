#pragma once
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "topologies/engine/stages/stages.h"
#include "topologies/labd/service.h"

namespace heddle::labd {

// Brings a part of a lab from nothing to running, each member through its stages as soon as they
// allow, what can be done together in one go: all namespaces, all links, commands beside each
// other. Threads: the caller's; it looks at all that is under way every other millisecond, so that
// nothing here has a thread for each node.
class Service::Startup final {
 public:
  struct Part {
    std::vector<const plan::Member*> members;
    std::vector<const plan::Veth*> links;
    std::vector<const plan::Device*> devices;
  };
  Startup(Service& service, Part part, const OnProgress& on_progress);

  // Errors: the first member's, with its name and stage; what was begun is left as it is.
  Result<> run();

 private:
  using Task = stages::Scheduler::Task;
  using Stage = stages::Stage;
  using Clock = std::chrono::steady_clock;
  struct Command {
    std::string line;
    bool on_machine = false;
  };
  // One member in one stage.
  struct Activity {
    enum class Phase { entering, work, leaving, done };
    Task task;
    const plan::Member* member = nullptr;
    Phase phase = Phase::entering;
    Clock::time_point since = Clock::now();
    std::deque<Command> commands{};  // of the phase, in order
    std::shared_ptr<process::Child> child{};
    Clock::time_point child_since{};
    bool began = false;  // the work of the stage
  };

  Activity begin(Task task) const;
  Result<bool> step(Activity& activity);  // whether anything happened
  Result<bool> work(Activity& activity);
  void next_phase(Activity& activity);
  std::deque<Command> stage_commands(const Activity& activity, bool at_exit) const;
  enum class Progressed { no, yes, finished };
  Result<Progressed> run_commands(Activity& activity);
  Result<> start_child(Activity& activity, const Command& command);

  Result<bool> configure(Activity& activity);
  Result<bool> look_healthy(Activity& activity);
  Result<bool> look_exit(Activity& activity);
  Result<> create_all();
  Result<> create_containers(const std::vector<const plan::Member*>& members);
  Result<> link_all();
  Result<> set_limits(const plan::Member& member);
  bool is_there(const plan::End& end) const;
  void report();
  void advance(std::size_t open, const std::string& member);

  Service& service_;
  const Part part_;
  const OnProgress& on_progress_;
  Clock::time_point lap_ = Clock::now();
  std::set<std::string, std::less<>> ours_;
  std::set<std::string, std::less<>> linked_;  // have entered create-links
  std::vector<const plan::Veth*> open_links_;
  std::vector<const plan::Device*> open_devices_;
  std::list<Activity> active_;
  std::vector<Activity*> to_create_;  // those that are at it in this round
  std::vector<Activity*> to_link_;
  std::size_t created_ = 0;
  std::size_t daemons_ = 0;  // that answer
  std::size_t children_ = 0;
  bool reported_ = false;
  std::size_t stages_ = 0;  // of all members
  Clock::time_point advanced_{};
};

}  // namespace heddle::labd
