#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
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

// Docker's options: flags, and the rest for the file system.
Result<> mount_tmpfs(const std::string& path, const std::string& options) {
  constexpr std::pair<std::string_view, unsigned long> kFlags[] = {{"ro", MS_RDONLY},
                                                                   {"nosuid", MS_NOSUID},
                                                                   {"nodev", MS_NODEV},
                                                                   {"noexec", MS_NOEXEC},
                                                                   {"noatime", MS_NOATIME}};
  unsigned long flags = 0;
  std::string rest;
  for (std::size_t at = 0; at < options.size();) {
    const std::size_t end = std::min(options.find(',', at), options.size());
    const std::string word = options.substr(at, end - at);
    at = end + 1;
    const auto* flag =
        std::ranges::find(kFlags, word, &std::pair<std::string_view, unsigned long>::first);
    if (flag != std::end(kFlags)) {
      flags |= flag->second;
    } else if (word != "rw" && word != "exec" && word != "suid" && word != "dev") {
      rest += (rest.empty() ? "" : ",") + word;
    }
  }
  if (::mount("heddle-lab", path.c_str(), "tmpfs", flags, rest.c_str()) < 0)
    return fail_errno(errno, "tmpfs on " + path + (rest.empty() ? "" : " with " + rest));
  return {};
}

Result<> mount_resolv_conf(const format::Dns& dns, const std::string& file) {
  std::string text;
  for (const std::string& server : dns.servers) text += "nameserver " + server + "\n";
  for (const auto& [key, words] : {std::pair("search", &dns.search), {"options", &dns.options}}) {
    if (words->empty()) continue;
    text += key;
    for (const std::string& word : *words) text += " " + word;
    text += "\n";
  }
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, "write " + file);
  if (::mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) < 0)
    return fail_errno(errno, "mount on /etc/resolv.conf");
  return {};
}

Result<UniqueFd> own_namespace(const char* kind) {
  UniqueFd fd(::open((std::string("/proc/thread-self/ns/") + kind).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, std::string("open its namespace ") + kind);
  return fd;
}

Result<> on_thread(const std::function<Result<>()>& work) {
  Result<> done;
  try {
    std::thread([&] { done = work(); }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a helper thread");
  }
  return done;
}

Result<> enter_and_build(const plan::Member& member, int node_mounts, int netns_fd,
                         const NodePlaces& places, NodeNamespaces& out) {
  const std::string beside = places.scratch + "/" + member.name;
  if (::setns(netns_fd, CLONE_NEWNET) < 0) return fail_errno(errno, "enter its network namespace");
  if (::unshare(CLONE_FS) < 0 || ::setns(node_mounts, CLONE_NEWNS) < 0)
    return fail_errno(errno, "enter the nodes' mounts");
  if (::unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0) return fail_errno(errno, "unshare");
  if (::sethostname(member.hostname.data(), member.hostname.size()) < 0)
    return fail_errno(errno, "set its host name");
  TRY_DO(mount_sysfs(beside + ".sys"));
  ::rmdir((beside + ".sys").c_str());
  if (member.node) {
    for (const auto& [path, options] : member.node->tmpfs) TRY_DO(mount_tmpfs(path, options));
    if (!member.node->dns.empty()) TRY_DO(mount_resolv_conf(member.node->dns, beside + ".resolv"));
  }
  for (const std::string& bind : member.binds) TRY_DO(mount_bind(bind, places.directory));
  TRY(out.mounts, own_namespace("mnt"));
  TRY(out.uts, own_namespace("uts"));
  return {};
}

}  // namespace

Result<UniqueFd> create_node_mounts(const plan::LabPaths& paths) {
  UniqueFd out;
  TRY_DO(on_thread([&]() -> Result<> {
           if (::unshare(CLONE_FS | CLONE_NEWNS) < 0) return fail_errno(errno, "unshare");
           if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
             return fail_errno(errno, "make them private");
           ::umount2(paths.netns_dir().c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
           drop_foreign_pins();
           TRY(out, own_namespace("mnt"));
           return {};
         }).during("copy this machine's mounts"));
  return out;
}

Result<NodeNamespaces> create_node_namespaces(const plan::Member& member, int node_mounts,
                                              const NodePlaces& places) {
  TRY(UniqueFd space, netns::open(member.netns));
  NodeNamespaces out;
  TRY_DO(on_thread([&] {
           return enter_and_build(member, node_mounts, space.get(), places, out);
         }).during("node " + member.name));
  return out;
}

}  // namespace heddle::fabric
