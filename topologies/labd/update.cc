// How a lab that is deployed becomes what another file says, while the rest of it runs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "topologies/engine/process/cgroup.h"
#include "topologies/engine/process/mounts.h"
#include "topologies/labd/startup.h"

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;

constexpr auto kEndTime = 10s;

template <class T>
std::vector<const T*> pointers_to(const std::vector<T>& all) {
  std::vector<const T*> out;
  for (const T& one : all) out.push_back(&one);
  return out;
}

template <class T>
void erase_all(std::vector<T>& from, const std::vector<T>& parts) {
  std::erase_if(from, [&](const T& one) { return std::ranges::find(parts, one) != parts.end(); });
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// Whole or not at all: a reader finds the old text or the new one.
Result<> replace_file(const std::string& path, std::string_view text) {
  const std::string aside = path + ".new";
  UniqueFd fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno ? errno : ENOSPC, "write " + aside);
  if (::rename(aside.c_str(), path.c_str()) < 0) return fail_errno(errno, "rename " + aside);
  return {};
}

}  // namespace

Result<> Service::build(const OnProgress& on_progress) {
  std::lock_guard change(change_mutex_);
  TRY_DO(fabric_.create_base());
  TRY_DO(fabric_.add_bridges(pointers_to(plan_.bridges)));
  TRY_DO(prepare_containers(pointers_to(plan_.members), environment_, on_progress));
  Startup startup(*this,
                  {.members = pointers_to(plan_.members),
                   .links = pointers_to(plan_.veths),
                   .devices = pointers_to(plan_.devices)},
                  on_progress);
  TRY_DO(startup.run());
  const plan::Application wanted = std::exchange(plan_.application, {});
  if (wanted.networks.empty() && wanted.workloads.empty()) {
    record_deployed();
    return {};
  }
  const auto begin = std::chrono::steady_clock::now();
  TRY_DO(start_application(wanted));
  on_progress("created " + std::to_string(wanted.networks.size()) + " networks and started " +
                  std::to_string(wanted.workloads.size()) + " workloads",
              std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::steady_clock::now() - begin));
  record_deployed();
  return {};
}

// For all who read it.
void Service::change_plan(const std::function<void()>& change) {
  const auto links = links_.hold();
  std::lock_guard lock(mutex_);
  change();
}

Result<std::vector<std::string>> Service::update(const control::Request& request) {
  TRY(format::Lab lab, format::load_lab(format::LabSource{.text = request.text,
                                                          .file = request.target,
                                                          .directory = request.directory,
                                                          .environment = request.env}));
  std::lock_guard change(change_mutex_);
  TRY(plan::Plan wanted, plan::plan_lab(lab, plan_.paths));
  if (lab.name != lab_.name)
    return fail(Errc::invalid, "this is lab " + lab_.name + ", not " + lab.name);
  const plan::Diff diff = plan::diff(plan_, wanted);
  if (!diff.refused.empty()) {
    std::string text;
    for (const std::string& line : diff.refused) text += (text.empty() ? "" : "\n") + line;
    return fail(Errc::conflict, text);
  }
  if (request.dry_run) return plan::describe(diff);
  std::vector<const plan::Member*> added;
  for (const plan::Member& member : wanted.members) {
    if (has(diff.members_added, member.name)) added.push_back(&member);
  }
  TRY_DO(prepare_containers(added, request.env, [](const std::string&, auto) {}));
  TRY_DO(apply(diff, wanted).during("change lab " + lab_.name));
  TRY_DO(replace_file(plan_.paths.lab_file(), request.text));
  change_plan([&] {
    lab_ = std::move(lab);
    plan_ = std::move(wanted);
    environment_ = request.env;
  });
  links_.forget_gone();
  TRY_DO(links_.settle());
  return plan::describe(diff);
}

// plan_ says what is there after each part, so that one that failed can be gone on from.
Result<> Service::apply(const plan::Diff& diff, const plan::Plan& wanted) {
  stop_application(diff.application_removed);
  TRY_DO(take_away(diff));
  TRY_DO(refresh_hosts(diff, wanted));
  TRY_DO(add(diff, wanted));
  return start_application(diff.application_added);
}

Result<> Service::take_away(const plan::Diff& diff) {
  TRY_DO(fabric_.remove_links(pointers_to(diff.links_removed)));
  TRY_DO(fabric_.remove_devices(pointers_to(diff.devices_removed)));
  change_plan([&] {
    erase_all(plan_.veths, diff.links_removed);
    erase_all(plan_.devices, diff.devices_removed);
  });
  for (const std::string& name : diff.members_removed)
    TRY_DO(remove_member(name).during("remove " + name));
  for (const std::string& name : diff.bridges_removed) {
    TRY_DO(fabric_.remove_bridge(name).during("remove bridge " + name));
    change_plan([&] {
      std::erase_if(plan_.bridges, [&](const plan::Bridge& bridge) { return bridge.name == name; });
    });
  }
  return {};
}

Result<> Service::remove_member(const std::string& name) {
  const plan::Member* found = plan_.find(name);
  if (!found) return {};
  const plan::Member member = *found;
  TRY_DO(process::kill_cgroup(member.cgroup, after(kEndTime)));
  if (!member.container.empty()) TRY_DO(containers_.remove(member));
  {
    std::lock_guard lock(mutex_);
    running_.erase(name);  // its mounts go with the last of it
    std::erase_if(background_, [&](const auto& entry) { return entry.second.on == name; });
  }
  for (const std::string& directory : {member.run_dir, member.state_dir, member.files_dir}) {
    if (directory.empty()) continue;
    TRY_DO(process::unmount_below(directory));
    TRY_DO(process::remove_tree(directory));
  }
  for (const std::string& directory : member.directories) TRY_DO(process::remove_tree(directory));
  TRY_DO(fabric_.remove_member(name));
  TRY_DO(process::remove_cgroup(member.cgroup));
  change_plan([&] {
    std::erase_if(plan_.members, [&](const plan::Member& one) { return one.name == name; });
  });
  return {};
}

Result<> Service::add(const plan::Diff& diff, const plan::Plan& wanted) {
  std::vector<const plan::Bridge*> bridges;
  for (const plan::Bridge& bridge : wanted.bridges) {
    if (has(diff.bridges_added, bridge.name)) bridges.push_back(&bridge);
  }
  TRY_DO(fabric_.add_bridges(bridges));
  Startup::Part part{.members = {},
                     .links = pointers_to(diff.links_added),
                     .devices = pointers_to(diff.devices_added)};
  for (const plan::Member& member : wanted.members) {
    if (has(diff.members_added, member.name)) part.members.push_back(&member);
  }
  change_plan([&] {
    for (const plan::Bridge* bridge : bridges) plan_.bridges.push_back(*bridge);
    for (const plan::Member* member : part.members) {
      plan_.members.push_back(*member);
      running_[member->name];
    }
    plan_.veths.insert(plan_.veths.end(), diff.links_added.begin(), diff.links_added.end());
    plan_.devices.insert(plan_.devices.end(), diff.devices_added.begin(), diff.devices_added.end());
    plan_.wires = wanted.wires;
  });
  const OnProgress silent = [](const std::string&, std::chrono::milliseconds) {};
  Startup startup(*this, std::move(part), silent);
  auto done = startup.run();
  if (done) return {};
  // What was begun is taken away again; what was there before stays.
  plan::Diff undo{.bridges_removed = diff.bridges_added,
                  .members_removed = diff.members_added,
                  .links_removed = diff.links_added,
                  .devices_removed = diff.devices_added};
  (void)take_away(undo);
  return done;
}

Result<> Service::refresh_hosts(const plan::Diff& diff, const plan::Plan& wanted) {
  for (const std::string& name : diff.hosts_refreshed) {
    const plan::Member* member = wanted.find(name);
    if (!member) continue;
    TRY_DO(process::remove_tree(member->files_dir));
    TRY_DO(prepare_member(*member).during(name));
    change_plan([&] {
      for (plan::Member& one : plan_.members) {
        if (one.name == name) one = *member;
      }
    });
  }
  return {};
}

}  // namespace heddle::labd
