#include "topologies/labd/startup.h"

#include <signal.h>

#include <algorithm>
#include <thread>

#include "topologies/engine/process/cgroup.h"
#include "topologies/engine/process/parallel.h"

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;
using process::Child;

constexpr auto kTick = 2ms;
constexpr auto kAdvanceEvery = 40ms;
constexpr auto kCommandTime = 60s;
constexpr auto kAnswerTime = 20s;
constexpr std::size_t kMostCommands = 32;  // at a time

// Enough of a command to tell which it is: those that programs write are pages long.
std::string shown(const std::string& line) {
  constexpr std::size_t kMost = 200;
  if (line.size() <= kMost) return line;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;  // whole UTF-8
  return line.substr(0, end) + "...";
}

}  // namespace

Service::Startup::Startup(Service& service, Part part, const OnProgress& on_progress)
    : service_(service),
      part_(std::move(part)),
      on_progress_(on_progress),
      open_links_(part_.links),
      open_devices_(part_.devices) {
  for (const plan::Member* member : part_.members) ours_.insert(member->name);
}

Result<> Service::Startup::run() {
  std::vector<stages::Node> order;
  for (const plan::Member* member : part_.members) {
    stages::Node node{.name = member->name};
    if (member->node) {
      for (std::size_t s = 0; s < stages::kStages; ++s) {
        node.waits[s] = member->node->stages[s].wait_for;
        node.acts[s] = !member->node->stages[s].exec.empty();
      }
      if (!member->node->shares.empty())
        node.waits[0].push_back({.node = member->node->shares, .stage = Stage::create});
    }
    order.push_back(std::move(node));
  }
  TRY(auto scheduler, stages::Scheduler::make(order));
  stages_ = scheduler.open();
  // Links between members that are there already.
  TRY_DO(link_all());
  while (!scheduler.finished()) {
    for (const Task& task : scheduler.take()) active_.push_back(begin(task));
    bool moved = false;
    for (Activity& activity : active_) {
      TRY(const bool some, step(activity).during(activity.member->name));
      moved |= some;
    }
    moved |= !to_create_.empty() || !to_link_.empty();
    TRY_DO(create_all());
    TRY_DO(link_all());
    std::erase_if(active_, [&](const Activity& activity) {
      if (activity.phase != Activity::Phase::done) return false;
      scheduler.done(activity.task);
      advance(scheduler.open(), activity.member->name);
      return true;
    });
    report();
    if (!moved) std::this_thread::sleep_for(kTick);
  }
  return {};
}

Service::Startup::Activity Service::Startup::begin(Task task) const {
  Activity activity{.task = task, .member = part_.members[task.node]};
  activity.commands = stage_commands(activity, false);
  return activity;
}

std::deque<Service::Startup::Command> Service::Startup::stage_commands(const Activity& activity,
                                                                       bool at_exit) const {
  std::deque<Command> out;
  if (!activity.member->node) return out;
  const auto stage = static_cast<std::size_t>(activity.task.stage);
  for (const format::StageCommand& command : activity.member->node->stages[stage].exec) {
    if (command.at_exit == at_exit)
      out.push_back({.line = command.command, .on_machine = command.on_machine});
  }
  return out;
}

void Service::Startup::next_phase(Activity& activity) {
  using Phase = Activity::Phase;
  if (activity.phase == Phase::entering) {
    activity.phase = Phase::work;
    if (activity.task.stage == Stage::configure && activity.member->node) {
      for (const std::string& line : activity.member->node->exec)
        activity.commands.push_back({.line = line});
    }
  } else if (activity.phase == Phase::work) {
    activity.phase = Phase::leaving;
    activity.commands = stage_commands(activity, true);
  } else {
    activity.phase = Phase::done;
  }
}

Result<bool> Service::Startup::step(Activity& activity) {
  using Phase = Activity::Phase;
  if (activity.phase == Phase::done) return false;
  if (activity.phase == Phase::work) return work(activity);
  TRY(const Progressed progressed, run_commands(activity));
  if (progressed == Progressed::finished) next_phase(activity);
  return progressed != Progressed::no;
}

Result<bool> Service::Startup::work(Activity& activity) {
  switch (activity.task.stage) {
    case Stage::create: {
      const auto& node = activity.member->node;
      if (node && Clock::now() - activity.since < node->startup_delay) return false;
      to_create_.push_back(&activity);
      return true;
    }
    case Stage::create_links:
      to_link_.push_back(&activity);
      return true;
    case Stage::configure:
      return configure(activity);
    case Stage::healthy:
      return look_healthy(activity);
    case Stage::exit:
      return look_exit(activity);
  }
  return false;
}

// All that have come to it at once.
Result<> Service::Startup::create_all() {
  std::vector<Activity*> batch;
  std::swap(batch, to_create_);
  std::vector<const plan::Member*> members;
  for (const Activity* activity : batch) members.push_back(activity->member);
  TRY_DO(service_.fabric_.add_members(members));
  TRY_DO(create_containers(members));
  for (Activity* activity : batch) {
    const plan::Member& member = *activity->member;
    if (member.kind == plan::Member::Kind::host)
      TRY_DO(service_.ensure_ready(member).during(member.name));
    TRY_DO(set_limits(member).during(member.name));
    TRY_DO(service_.start_command(member).during(member.name));
    next_phase(*activity);
  }
  created_ += batch.size();
  return {};
}

// An engine takes some tenths of a second for each, most of which it waits.
Result<> Service::Startup::create_containers(const std::vector<const plan::Member*>& members) {
  std::vector<const plan::Member*> containers;
  for (const plan::Member* member : members) {
    if (!member->container.empty()) containers.push_back(member);
  }
  std::mutex telling;
  const OnProgress tell = [&](const std::string& did, std::chrono::milliseconds time) {
    const std::lock_guard lock(telling);
    on_progress_(did, time);
  };
  return process::in_parallel(containers.size(), [&](std::size_t i) {
    return service_.create_container(*containers[i], tell).during(containers[i]->name);
  });
}

Result<> Service::Startup::set_limits(const plan::Member& member) {
  auto set = service_.set_limits(member);
  if (set || set.error().code() != Errc::unsupported) return set;
  on_progress_("warning: " + member.name + ": " + set.error().text(), {});
  return {};
}

bool Service::Startup::is_there(const plan::End& end) const {
  return !ours_.contains(end.member) || linked_.contains(end.member);
}

// A link is made once both its ends' members have come to their links.
Result<> Service::Startup::link_all() {
  for (const Activity* activity : to_link_) linked_.insert(activity->member->name);
  std::vector<const plan::Veth*> links;
  std::erase_if(open_links_, [&](const plan::Veth* link) {
    const bool both = is_there(link->a) && is_there(link->b);
    if (both) links.push_back(link);
    return both;
  });
  std::vector<const plan::Device*> devices;
  std::erase_if(open_devices_, [&](const plan::Device* device) {
    const bool there = is_there(device->end);
    if (there) devices.push_back(device);
    return there;
  });
  TRY_DO(service_.fabric_.add_links(links));
  if (!links.empty()) TRY_DO(service_.links_.settle());
  TRY_DO(service_.fabric_.add_devices(devices));
  for (Activity* activity : to_link_) next_phase(*activity);
  to_link_.clear();
  return {};
}

// A host's heddled, a node's `exec`.
Result<bool> Service::Startup::configure(Activity& activity) {
  if (activity.member->daemon) {
    if (!activity.began) {
      TRY_DO(service_.spawn_daemon(*activity.member));
      activity.began = true;
      activity.since = Clock::now();
      return true;
    }
    TRY(const bool answers,
        service_.daemon_answers(*activity.member, activity.since + kAnswerTime));
    if (!answers) return false;
    ++daemons_;
  } else {
    TRY(const Progressed progressed, run_commands(activity));
    if (progressed != Progressed::finished) return progressed == Progressed::yes;
  }
  next_phase(activity);
  return true;
}

Result<bool> Service::Startup::look_healthy(Activity& activity) {
  const format::Healthcheck& check = *activity.member->node->healthcheck;
  if (activity.child) {
    const auto ending = activity.child->ending();
    if (!ending && Clock::now() - activity.child_since < check.timeout) return false;
    if (!ending) activity.child->signal(SIGKILL, Child::Reach::group);
    const bool healthy = ending && ending->exit == 0;
    const process::Output printed = activity.child->error();
    activity.child.reset();
    --children_;
    if (healthy) {
      next_phase(activity);
      return true;
    }
    if (Clock::now() - activity.since > check.start_period + check.retries * check.interval)
      return fail(Errc::unavailable,
                  "stays unhealthy: its healthcheck has failed for longer than start-period and "
                  "retries times interval: " +
                      printed.text);
    return true;
  }
  const auto pause = std::min<Clock::duration>(check.interval, 1s);
  if (activity.began && Clock::now() - activity.child_since < pause) return false;
  if (children_ >= kMostCommands) return false;
  TRY(activity.child, service_.start_in(*activity.member, check.test));
  activity.began = true;
  activity.child_since = Clock::now();
  ++children_;
  return true;
}

Result<bool> Service::Startup::look_exit(Activity& activity) {
  if (!activity.member->container.empty()) {
    if (!service_.containers_.has_ended(activity.member->name)) return false;
  } else {
    std::lock_guard lock(service_.mutex_);
    const auto found = service_.background_.find("cmd." + activity.member->name);
    if (found != service_.background_.end() && !found->second.child->ending()) return false;
  }
  next_phase(activity);
  return true;
}

// One after the other; every one of them has to succeed.
Result<Service::Startup::Progressed> Service::Startup::run_commands(Activity& activity) {
  if (activity.child) {
    const std::string& line = activity.commands.front().line;
    const auto ending = activity.child->ending();
    if (!ending && Clock::now() - activity.child_since > kCommandTime) {
      activity.child->signal(SIGKILL, Child::Reach::group);
      return fail(Errc::timeout, "exec \"" + shown(line) + "\" runs longer than 60 s");
    }
    if (!ending) return Progressed::no;
    // Again, for what it printed before it ended.
    TRY(const process::Ending whole, activity.child->wait(after(kTick)));
    if (whole.exit != 0)
      return fail(Errc::invalid, "exec \"" + shown(line) + "\" ended with status " +
                                     std::to_string(whole.exit) + ": " +
                                     activity.child->error().text);
    activity.child.reset();
    activity.commands.pop_front();
    --children_;
  }
  if (activity.commands.empty()) return Progressed::finished;
  if (children_ >= kMostCommands) return Progressed::no;
  TRY_DO(start_child(activity, activity.commands.front()));
  return Progressed::yes;
}

Result<> Service::Startup::start_child(Activity& activity, const Command& command) {
  const plan::Member& member = *activity.member;
  const std::vector<std::string> words{"/bin/sh", "-c", command.line};
  if (command.on_machine) {
    TRY_DO(process::create_cgroup(member.cgroup + "/commands"));
    process::SpawnRequest request;
    request.command = words;
    request.env = service_.environment(member);
    request.directory = service_.lab_.directory;
    request.open_files = service_.options_.open_files;
    request.cgroup = member.cgroup + "/commands";
    TRY(activity.child, service_.supervisor_.start(request, process::Supervisor::Streams::capture));
  } else {
    TRY(activity.child, service_.start_in(member, words));
  }
  activity.child_since = Clock::now();
  ++children_;
  return {};
}

// Often enough for an eye.
void Service::Startup::advance(std::size_t open, const std::string& member) {
  const auto now = Clock::now();
  if (!service_.options_.on_advance || (open > 0 && now - advanced_ < kAdvanceEvery)) return;
  advanced_ = now;
  service_.options_.on_advance(stages_ - open, stages_, member);
}

void Service::Startup::report() {
  const auto lap = [&] {
    const auto now = Clock::now();
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(now - lap_);
    lap_ = now;
    return time;
  };
  const auto daemons = static_cast<std::size_t>(
      std::ranges::count_if(part_.members, [](const plan::Member* m) { return m->daemon; }));
  if (!reported_ && created_ == part_.members.size() && open_links_.empty()) {
    reported_ = true;
    on_progress_("built " + std::to_string(part_.members.size()) + " namespaces and " +
                     std::to_string(part_.links.size()) + " links",
                 lap());
    for (std::string& line : service_.links_.describe()) on_progress_(std::move(line), lap());
  }
  if (daemons > 0 && daemons_ == daemons) {
    daemons_ = 0;  // once
    on_progress_("started heddled on " + std::to_string(daemons) + " hosts", lap());
  }
}

}  // namespace heddle::labd
