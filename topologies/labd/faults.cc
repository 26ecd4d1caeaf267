// What a fault does to members and processes beside taking their power.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "topologies/engine/format/targets.h"
#include "topologies/labd/service.h"

namespace heddle::labd {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using process::Child;

constexpr auto kFreezeTime = 5s;
constexpr auto kEndTime = 5s;
// Of the file systems that can become full. Memory is taken for what is written; etcd alone keeps
// 64 MiB ahead of its log.
constexpr const char* kDiskSize = "size=1g,mode=0755";
constexpr const char* kDiskSource = "heddle-lab-disk";
constexpr const char* kFiller = "/.disk-full";

Result<> write_text(const std::string& path, const std::string& text, int flags) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644));
  if (!fd) return fail_errno(errno, "open " + path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno ? errno : ENOSPC, "write " + path);
  return {};
}

bool says_frozen(const std::string& cgroup) {
  std::ifstream events(cgroup + "/cgroup.events");
  std::string key;
  int value = 0;
  while (events >> key >> value) {
    if (key == "frozen") return value != 0;
  }
  return false;
}

bool is_mount(const std::string& path) {
  struct stat own{};
  struct stat above{};
  return ::stat(path.c_str(), &own) == 0 && ::stat((path + "/..").c_str(), &above) == 0 &&
         own.st_dev != above.st_dev;
}

Result<> resize(const std::string& path, const std::string& options) {
  if (::mount(kDiskSource, path.c_str(), "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV,
              options.c_str()) < 0)
    return fail_errno(errno, "resize the file system of " + path);
  return {};
}

// A tmpfs may be made as small as what is in it: then it takes no byte more, at no cost.
Result<> fill(const std::string& path) {
  // Size 0 would mean without bound.
  TRY_DO(write_text(path + kFiller, "the disk is full", O_CREAT | O_TRUNC));
  for (int tries = 0;; ++tries) {
    struct statfs info{};
    if (::statfs(path.c_str(), &info) < 0) return fail_errno(errno, "look at " + path);
    const auto used = (info.f_blocks - info.f_bfree) * static_cast<std::uint64_t>(info.f_bsize);
    auto done = resize(path, "size=" + std::to_string(used));
    if (done || tries == 100) return done;  // somebody wrote in between
  }
}

Result<> free_up(const std::string& path) {
  TRY_DO(resize(path, kDiskSize));
  ::unlink((path + kFiller).c_str());
  return {};
}

}  // namespace

Result<> Service::need_moving(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (running_[name].frozen)
    return fail(Errc::conflict, name + " stands still (it was frozen); thaw it first");
  return {};
}

Result<> Service::set_frozen(const std::string& name, bool frozen) {
  std::lock_guard change(change_mutex_);
  TRY(const plan::Member* member, need_powered(name));
  TRY_DO(need_member(name));
  TRY_DO(ensure_ready(*member));
  std::unique_lock gate(spawn_gate_);
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(running_[name].frozen, frozen) == frozen)
      return fail(Errc::conflict,
                  name + (frozen ? " stands still already" : " does not stand still"));
  }
  TRY_DO(write_text(member->cgroup + "/cgroup.freeze", frozen ? "1" : "0", 0)
             .during((frozen ? "freeze " : "thaw ") + name));
  if (!member->container.empty()) {
    using Stand = Containers::Stand;
    auto done = containers_.set(*member, frozen ? Stand::still : Stand::not_still);
    if (!done) {
      std::lock_guard lock(mutex_);
      running_[name].frozen = !frozen;
      (void)write_text(member->cgroup + "/cgroup.freeze", frozen ? "0" : "1", 0);
      return std::move(done).during((frozen ? "freeze " : "thaw ") + name);
    }
  }
  const Deadline deadline = after(kFreezeTime);
  while (says_frozen(member->cgroup) != frozen) {
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Errc::timeout,
                  "the processes of " + name + " do not all " + (frozen ? "stand still" : "go on"));
    std::this_thread::sleep_for(1ms);
  }
  return {};
}

Result<> Service::set_clock(const std::string& name, std::int64_t offset_ms) {
  std::lock_guard change(change_mutex_);
  TRY_DO(need_host(name));
  const std::string path = plan_.paths.clock(name);
  std::error_code ec;
  fs::create_directories(fs::path(path).parent_path(), ec);
  if (ec) return fail_errno(ec.value(), "make the directory of " + path);
  TRY_DO(write_text(path + ".new", std::to_string(offset_ms) + "\n", O_CREAT | O_TRUNC));
  if (::rename((path + ".new").c_str(), path.c_str()) < 0)
    return fail_errno(errno, "write " + path);
  return {};
}

Result<> Service::prepare_disk(const plan::Member& member) {
  if (!format::may_fill_disk(lab_, member.name)) return {};
  for (const std::string& path : {member.state_dir, member.run_dir}) {
    if (is_mount(path)) continue;
    if (::mount(kDiskSource, path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, kDiskSize) < 0)
      return fail_errno(errno, "mount a file system of its own on " + path);
  }
  std::unique_lock lock(mutex_);
  const bool full = running_[member.name].disk_full;
  lock.unlock();
  return full ? fill(member.run_dir) : Result<>{};  // its run directory is a new one
}

Result<> Service::set_disk_full(const std::string& name, bool full) {
  std::lock_guard change(change_mutex_);
  TRY(const plan::Member* member, need_host(name));
  if (need_member(name)) TRY_DO(ensure_ready(*member));
  if (!is_mount(member->state_dir))
    return fail(Errc::invalid, "the directories of " + name +
                                   " have no file system of their own; a lab whose file has "
                                   "such a fault gives them one");
  {
    std::lock_guard lock(mutex_);
    running_[name].disk_full = full;
  }
  for (const std::string& path : {member->state_dir, member->run_dir}) {
    if (!is_mount(path)) continue;  // it is down
    TRY_DO((full ? fill(path) : free_up(path)).during("the disk of " + name));
  }
  return {};
}

Result<control::ExecResult> Service::peek(const control::Request& request) {
  std::shared_ptr<Child> child;
  {
    std::lock_guard lock(mutex_);
    const auto found = background_.find(request.target);
    if (found == background_.end())
      return fail(Errc::not_found, "no background process \"" + request.target + "\"");
    child = found->second.child;
  }
  const auto ending = child->ending();  // before its output: that is whole then, or it goes on
  if (ending) TRY_DO(child->wait(after(kEndTime)));
  process::Output out =
      child->output_since(static_cast<std::uint64_t>(std::max<std::int64_t>(0, request.value)));
  control::ExecResult result;
  result.running = !ending;
  result.printed_bytes = out.dropped_bytes + out.text.size();
  result.dropped_bytes = out.dropped_bytes;
  result.out = std::move(out.text);
  if (ending) {
    result.exit = ending->exit;
    result.signal = ending->signal;
    result.time = ending->time;
    result.err = child->error().text;
  }
  return result;
}

Result<> Service::signal(const control::Request& request) {
  static constexpr std::array<std::pair<std::string_view, int>, 4> kSignals{
      {{"TERM", SIGTERM}, {"KILL", SIGKILL}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}}};
  const std::string name = request.command.empty() ? "" : request.command.front();
  for (const auto& [known, number] : kSignals) {
    if (known != name) continue;
    std::lock_guard lock(mutex_);
    const auto found = background_.find(request.target);
    if (found == background_.end())
      return fail(Errc::conflict, "no background process \"" + request.target + "\" runs");
    if (found->second.child->ending())
      return fail(Errc::conflict, request.target + " has ended already");
    found->second.child->signal(number, Child::Reach::group);
    return {};
  }
  return fail(Errc::invalid, "\"" + name + "\" is none of TERM, KILL, STOP and CONT");
}

Result<> Service::respawn(const std::string& name) {
  Background background;
  {
    std::lock_guard lock(mutex_);
    const auto found = background_.find(name);
    if (found == background_.end())
      return fail(Errc::conflict, "no background process \"" + name + "\" was started");
    background = found->second;
    if (running_[background.on].down)
      return fail(Errc::conflict, background.on + " is down, and " + name + " with it");
  }
  TRY(const plan::Member* member, need_member(background.on));
  background.child->signal(SIGTERM, Child::Reach::group);
  if (!background.child->wait(after(kEndTime))) {
    background.child->signal(SIGKILL, Child::Reach::group);
    TRY_DO(background.child->wait(after(kEndTime)));
  }
  TRY(auto child, start_in(*member, background.command, {}, background.where));
  std::lock_guard lock(mutex_);
  background_[name].child = std::move(child);
  return {};
}

}  // namespace heddle::labd
