#include "topologies/labd/service.h"

#include <signal.h>

#include <utility>

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;
using control::Op;
using control::Reply;
using process::Child;

constexpr auto kLook = 100ms;    // how often a waiting request looks whether anybody still waits
constexpr auto kStopGrace = 5s;  // between SIGTERM and SIGKILL

control::ExecResult result_of(const Child& child, const process::Ending& ending) {
  process::Output out = child.output();
  process::Output err = child.error();
  return {.exit = ending.exit,
          .signal = ending.signal,
          .timed_out = false,
          .time = ending.time,
          .out = std::move(out.text),
          .err = std::move(err.text),
          .dropped_bytes = out.dropped_bytes + err.dropped_bytes};
}

// Waits for a child; ends it at the deadline, or when its client has gone.
Result<control::ExecResult> finish(Child& child, Deadline deadline, const Service::Gone& gone) {
  for (;;) {
    auto ended = child.wait(std::min(deadline, after(kLook)));
    if (ended) return result_of(child, *ended);
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (!late && !gone()) continue;
    child.signal(SIGKILL, Child::Reach::group);
    TRY(const process::Ending killed, child.wait(after(kStopGrace)));
    control::ExecResult result = result_of(child, killed);
    result.timed_out = late;
    return result;
  }
}

Reply reply_of(Result<> done) {
  Reply reply;
  if (!done) reply.error = std::move(done).error();
  return reply;
}

}  // namespace

Reply Service::handle(const control::Request& request, const Gone& gone) {
  Reply reply = answer(request, gone);
  if (!reply.error) record(request, reply);
  return reply;
}

Reply Service::answer(const control::Request& request, const Gone& gone) {
  Reply reply;
  switch (request.op) {
    case Op::inspect:
      reply.status = status();
      return reply;
    case Op::kill:
      return reply_of(kill_member(request.target));
    case Op::start:
      return reply_of(start_member(request.target));
    case Op::kill_daemon:
      return reply_of(kill_daemon(request.target));
    case Op::restart_daemon:
      return reply_of(restart_daemon(request.target));
    case Op::signal:
      return reply_of(signal(request));
    case Op::respawn:
      return reply_of(respawn(request.target));
    case Op::freeze:
      return reply_of(set_frozen(request.target, true));
    case Op::thaw:
      return reply_of(set_frozen(request.target, false));
    case Op::clock:
      return reply_of(set_clock(request.target, request.value));
    case Op::fill_disk:
      return reply_of(set_disk_full(request.target, true));
    case Op::free_disk:
      return reply_of(set_disk_full(request.target, false));
    case Op::update: {
      auto did = update(request);
      if (!did) return reply_of(std::unexpected(std::move(did).error()));
      reply.did = *std::move(did);
      return reply;
    }
    case Op::enter: {
      auto entry = enter(request.target);
      if (!entry) return reply_of(std::unexpected(std::move(entry).error()));
      reply.entry = *std::move(entry);
      return reply;
    }
    case Op::cut:
      return reply_of(links_.cut(request.target));
    case Op::mend:
      return reply_of(links_.mend(request.target));
    case Op::impair:
      return reply_of(links_.impair(request.target, request.forward, request.backward));
    case Op::partition:
      return reply_of(links_.partition(request.severed));
    case Op::events:
      reply.events = events_.after(request.after, after(request.timeout), gone);
      return reply;
    case Op::note:
      return reply_of(note(request));
    case Op::save: {
      auto text = save();
      if (!text) return reply_of(std::unexpected(std::move(text).error()));
      reply.text = *std::move(text);
      return reply;
    }
    case Op::exec:
    case Op::stop:
    case Op::await:
    case Op::peek:
      break;
  }
  auto result = request.op == Op::exec   ? exec(request, gone)
                : request.op == Op::peek ? peek(request)
                                         : end_background(request, gone);
  if (!result) return reply_of(std::unexpected(std::move(result).error()));
  reply.result = *std::move(result);
  return reply;
}

Result<control::ExecResult> Service::exec(const control::Request& request, const Gone& gone) {
  TRY(const plan::Member member, copy_member(request.target));
  if (!request.background.empty()) {
    std::lock_guard lock(mutex_);
    const auto found = background_.find(request.background);
    if (found != background_.end() && !found->second.child->ending())
      return fail(Errc::exists, "a background process \"" + request.background + "\" runs already");
  }
  process::Supervisor::OnEnded on_ended;
  // A look of a check is no event of the lab.
  if (!request.background.empty() && !request.background.starts_with("check."))
    on_ended = record_end(request.target, request.background);
  const Where where = request.network_only ? Where::network : Where::node;
  TRY(const std::shared_ptr<Child> child,
      start_in(member, request.command, std::move(on_ended), where));
  if (request.background.empty()) return finish(*child, after(request.timeout), gone);
  std::lock_guard lock(mutex_);
  background_[request.background] = {
      .on = member.name, .command = request.command, .child = child, .where = where};
  return control::ExecResult{};
}

Result<control::ExecResult> Service::end_background(const control::Request& request,
                                                    const Gone& gone) {
  std::shared_ptr<Child> child;
  {
    std::lock_guard lock(mutex_);
    const auto found = background_.find(request.target);
    if (found == background_.end())
      return fail(Errc::not_found, "no background process \"" + request.target + "\"");
    child = found->second.child;
  }
  if (request.op == Op::stop) child->signal(SIGTERM, Child::Reach::group);
  TRY(control::ExecResult result, finish(*child, after(request.timeout), gone));
  std::lock_guard lock(mutex_);
  background_.erase(request.target);
  return result;
}

control::LabStatus Service::status() {
  control::LabStatus out{.name = "",
                         .file = "",
                         .daemon_pid = ::getpid(),
                         .members = {},
                         .background = {},
                         .links = links_.status()};
  links_.add_to(out.fidelity);
  heartbeat_.add_to(out.fidelity);
  std::lock_guard lock(mutex_);
  out.name = lab_.name;
  out.file = lab_.file;
  for (const plan::Member& member : plan_.members) {
    const Running& running = running_[member.name];
    control::MemberStatus status;
    status.name = member.name;
    status.kind = member.kind == plan::Member::Kind::host    ? "host"
                  : member.kind == plan::Member::Kind::linux ? "linux"
                                                             : "machine";
    status.state = "running";
    if (member.daemon && running.daemon) {
      status.daemon_pid = running.daemon->ending() ? 0 : running.daemon->pid();
      if (!status.daemon_pid) status.state = "daemon dead";
    }
    if (!member.container.empty() && containers_.has_ended(member.name)) status.state = "ended";
    if (running.frozen) status.state = "stands still";
    if (running.down) status.state = "down";
    if (member.address) status.address = member.address->format();
    status.socket = member.socket;
    status.netns = member.netns;
    status.cgroup = member.cgroup;
    status.log = member.daemon ? member.log : "";
    status.container = member.container;
    out.members.push_back(std::move(status));
  }
  for (const auto& [name, process] : background_)
    out.background.push_back({.name = name,
                              .on = process.on,
                              .pid = process.child->pid(),
                              .running = !process.child->ending().has_value()});
  return out;
}

Result<control::Entry> Service::enter(const std::string& name) {
  TRY(const plan::Member member, copy_member(name));
  TRY_DO(need_moving(name));
  TRY_DO(ensure_ready(member).during(name));
  if (!member.container.empty()) return enter_container(member);
  std::lock_guard lock(mutex_);
  const Running& running = running_[name];
  const std::string fds = "/proc/" + std::to_string(::getpid()) + "/fd/";
  control::Entry entry;
  entry.netns = member.netns;
  entry.cgroup = member.cgroup + "/commands";
  entry.directory = lab_.directory;
  entry.env = environment(member);
  if (member.own_mounts) {
    entry.mounts = fds + std::to_string(running.namespaces.mounts.get());
    entry.uts = fds + std::to_string(running.namespaces.uts.get());
  } else if (member.kind == plan::Member::Kind::host) {
    entry.hostname = member.name;
  }
  if (member.node) entry.user = member.node->user;
  return entry;
}

Result<control::Entry> Service::enter_container(const plan::Member& member) {
  TRY(auto inside, containers_.enter(member));
  return control::Entry{.netns = member.netns,
                        .cgroup = member.cgroup + "/commands",
                        .directory = std::move(inside.directory),
                        .user = member.node->user,
                        .env = std::move(inside.env),
                        .process = inside.pid,
                        .capabilities = inside.capabilities};
}

Result<plan::Member> Service::copy_member(const std::string& name) {
  std::lock_guard lock(mutex_);
  TRY(const plan::Member* member, find_member(name));
  return *member;
}

Result<const plan::Member*> Service::need_member(const std::string& name) {
  std::lock_guard lock(mutex_);
  return find_member(name);
}

Result<const plan::Member*> Service::find_member(const std::string& name) {
  const plan::Member* member = plan_.find(name);
  if (!member) return fail(Errc::not_found, "lab " + lab_.name + " has no host or node " + name);
  if (running_[name].down)
    return fail(Errc::unavailable, name + " is down (its power was cut); start it first");
  return member;
}

Result<const plan::Member*> Service::need_host(const std::string& name) {
  const plan::Member* member = plan_.find(name);
  if (!member || member->kind != plan::Member::Kind::host)
    return fail(Errc::not_found, "lab " + lab_.name + " has no host " + name);
  return member;
}

Result<const plan::Member*> Service::need_powered(const std::string& name) {
  const plan::Member* member = plan_.find(name);
  if (!member || member->kind == plan::Member::Kind::machine)
    return fail(Errc::not_found, "lab " + lab_.name + " has no host or linux node " + name);
  return member;
}

}  // namespace heddle::labd
