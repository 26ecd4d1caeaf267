#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "dataplane/netns/netns.h"
#include "topologies/engine/fabric/fabric.h"
#include "topologies/engine/process/mounts.h"

namespace heddle::fabric {
namespace {

// A copied mount of a namespace or of a bpffs keeps it alive after its owner unmounted it. The
// copies of /sys/fs/bpf and of anything else stay.
void drop_foreign_pins() {
  const auto all = process::mounts();
  for (auto mount = all.rbegin(); mount != all.rend(); ++mount) {
    const bool pin =
        mount->type == "nsfs" || (mount->type == "bpf" && mount->target != "/sys/fs/bpf");
    if (pin) ::umount2(mount->target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}

// /sys/class/net shows the namespace that the sysfs was mounted in. The machine's cgroup and BPF
// file systems below /sys are brought along.
Result<> mount_sysfs(const std::string& scratch) {
  if (::mkdir(scratch.c_str(), 0700) < 0 && errno != EEXIST)
    return fail_errno(errno, "make " + scratch);
  if (::mount("/sys", scratch.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0)
    return fail_errno(errno, "keep /sys");
  if (::mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0)
    return fail_errno(errno, "mount sysfs");
  for (const char* part : {"/fs/cgroup", "/fs/bpf"})
    ::mount((scratch + part).c_str(), (std::string("/sys") + part).c_str(), nullptr,
            MS_BIND | MS_REC, nullptr);  // absent on some machines
  ::umount2(scratch.c_str(), MNT_DETACH);
  return {};
}

Result<> make_target(const std::string& source, const std::string& target) {
  struct stat info{};
  if (::stat(source.c_str(), &info) < 0) return fail_errno(errno, "bind " + source);
  struct stat there{};
  if (::stat(target.c_str(), &there) == 0) return {};
  // Creating it would change this machine's own file system.
  return fail(Errc::not_found,
              "bind " + source + ": " + target +
                  " does not exist on this machine; nodes share its root file system");
}

Result<> mount_bind(const std::string& bind, const std::string& directory) {
  const std::size_t first = bind.find(':');
  const std::size_t second = bind.find(':', first + 1);
  std::string source = bind.substr(0, first);
  const std::string target = bind.substr(first + 1, second - first - 1);
  const std::string options = second == std::string::npos ? "" : bind.substr(second + 1);
  if (!source.starts_with("/")) source = directory + "/" + source;
  TRY_DO(make_target(source, target));
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) < 0)
    return fail_errno(errno, "bind " + source + " to " + target);
  if (options == "ro" &&
      ::mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) < 0)
    return fail_errno(errno, "make " + target + " read-only");
  return {};
}

Result<> enter_and_build(const plan::Member& member, const std::string& directory, int netns_fd,
                         NodeNamespaces& out) {
  if (::setns(netns_fd, CLONE_NEWNET) < 0) return fail_errno(errno, "enter its network namespace");
  if (::unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWUTS) < 0) return fail_errno(errno, "unshare");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
    return fail_errno(errno, "make its mounts private");
  if (::sethostname(member.name.data(), member.name.size()) < 0)
    return fail_errno(errno, "set its host name");
  TRY_DO(mount_sysfs(member.netns + ".sys"));
  ::rmdir((member.netns + ".sys").c_str());
  drop_foreign_pins();
  for (const std::string& bind : member.binds) TRY_DO(mount_bind(bind, directory));
  out.mounts.reset(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  out.uts.reset(::open("/proc/thread-self/ns/uts", O_RDONLY | O_CLOEXEC));
  if (!out.mounts || !out.uts) return fail_errno(errno, "open its namespaces");
  return {};
}

}  // namespace

Result<NodeNamespaces> create_node_namespaces(const plan::Member& member,
                                              const std::string& directory) {
  TRY(UniqueFd space, netns::open(member.netns));
  NodeNamespaces out;
  Result<> built;
  try {
    std::thread([&] { built = enter_and_build(member, directory, space.get(), out); }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a helper thread");
  }
  TRY_DO(std::move(built).during("node " + member.name));
  return out;
}

}  // namespace heddle::fabric
