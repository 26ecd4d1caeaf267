#include "dataplane/probe/trials.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/base/unique_fd.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/parent.h"
#include "dataplane/netlink/rate.h"
#include "dataplane/netlink/sock_destroy.h"
#include "dataplane/netns/netns.h"
#include "dataplane/nft/table.h"

namespace heddle::probe::trials {
namespace {

// Whether private_netns() succeeded on this thread: without it nothing may be created.
thread_local bool is_private = false;

Result<> need_private_netns() {
  if (is_private) return {};
  return fail(Errc::denied, "no private network namespace to try it in");
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<std::string> capability(int number, const char* name) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, data) < 0) return fail_errno(errno, "capget");
  if (data[number / 32].effective & (1U << (number % 32))) return std::string(name);
  return fail(Errc::denied, std::string(name) + " is missing");
}

Result<netlink::Socket> private_socket() {
  TRY_DO(need_private_netns());
  return netlink::Socket::open();
}

// An end of the pair that the trial of veth left.
Result<IfIndex> end_of_pair(netlink::Socket& socket, const std::string& name) {
  TRY(const auto link, netlink::find_link(socket, name));
  if (!link) return fail(Errc::unsupported, "no veth pair to try it on");
  return link->index;
}

// On an end of its own: the kinds exclude each other.
Result<std::string> on_parent(const std::string& parent, netlink::OnParent link) {
  TRY(auto socket, private_socket());
  TRY(link.parent, end_of_pair(socket, parent));
  TRY(const UniqueFd own, netns::open("/proc/thread-self/ns/net"));
  link.netns = own.get();
  TRY_DO(netlink::create_on_parent(socket, link));
  return std::string("created");
}

}  // namespace

bool at_least(const std::string& release, int major, int minor) {
  int found_major = 0;
  int found_minor = 0;
  const char* end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, found_major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, found_minor).ec != std::errc()) return false;
  return found_major > major || (found_major == major && found_minor >= minor);
}

std::string cgroup2_in(const std::string& mounts) {
  std::istringstream lines(mounts);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string device, path, type;
    if (fields >> device >> path >> type && type == "cgroup2") return path;
  }
  return {};
}

Result<std::string> kernel_version() {
  utsname names{};
  if (::uname(&names) < 0) return fail_errno(errno, "uname");
  const std::string release = names.release;
  if (at_least(release, 6, 1)) return release;
  return fail(Errc::unsupported, "Linux " + release + " is older than 6.1");
}

Result<std::string> net_admin() {
  return capability(CAP_NET_ADMIN, "CAP_NET_ADMIN");
}
Result<std::string> sys_admin() {
  return capability(CAP_SYS_ADMIN, "CAP_SYS_ADMIN");
}

Result<std::string> private_netns() {
  is_private = false;
  if (::unshare(CLONE_NEWNET) < 0) return fail_errno(errno, "unshare(CLONE_NEWNET)");
  is_private = true;
  return std::string("unshare");
}

Result<std::string> veth() {
  TRY(auto socket, private_socket());
  TRY_DO(netlink::create_veth(socket, {.name = "probe0",
                                       .mac = {{2, 0, 0, 0, 0, 1}},
                                       .master = {},
                                       .peer_name = "probe1",
                                       .peer_mac = {{2, 0, 0, 0, 0, 2}}}));
  return std::string("created");
}

Result<std::string> bridge() {
  TRY(auto socket, private_socket());
  TRY_DO(netlink::create_bridge(socket, {.name = "probe2", .mac = {{2, 0, 0, 0, 0, 3}}}));
  return std::string("created");
}

Result<std::string> vxlan() {
  TRY(auto socket, private_socket());
  TRY_DO(netlink::create_vxlan(socket, {.name = "probe3"}));
  return std::string("created, collecting metadata");
}

Result<std::string> token_bucket() {
  TRY(auto socket, private_socket());
  TRY(const IfIndex link, end_of_pair(socket, "probe0"));
  TRY_DO(netlink::put_rate(socket, link, {.bits = 1'000'000}));
  return std::string("set on a device");
}

Result<std::string> macvlan() {
  return on_parent("probe0", {.kind = dataplane::LinkKind::macvlan,
                              .mode = dataplane::ParentMode::bridge,
                              .name = "probe4"});
}

Result<std::string> ipvlan() {
  return on_parent(
      "probe1",
      {.kind = dataplane::LinkKind::ipvlan, .mode = dataplane::ParentMode::l2, .name = "probe5"});
}

Result<std::string> vlan() {
  TRY(auto socket, private_socket());
  TRY(const IfIndex parent, end_of_pair(socket, "probe0"));
  TRY_DO(netlink::create_vlan(socket, {.name = "probe6", .parent = parent, .id = 2}));
  return std::string("created");
}

// On a socket of our own.
Result<std::string> sock_destroy() {
  TRY(auto links, private_socket());
  TRY(const auto loopback, netlink::find_link(links, "lo"));
  if (!loopback) return fail(Errc::unsupported, "no loopback device to try it on");
  TRY_DO(netlink::change_link(links, loopback->index, {.up = true}));
  const SocketAddr nobody{IpAddr::v4(0x7f000001), 9};
  TRY(const UniqueFd socket, netns::bind_udp_here({nobody.address, 0}));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = nobody.address.v4_be();
  to.sin_port = htons(nobody.port);
  sockaddr_in own{};
  socklen_t size = sizeof own;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) < 0)
    return fail_errno(errno, "connect a socket");
  TRY(auto diag, netlink::Socket::open_diag());
  TRY(const bool ended, netlink::end_socket(diag, {.protocol = dataplane::Protocol::udp,
                                                   .family = AF_INET,
                                                   .own = {nobody.address, ntohs(own.sin_port)},
                                                   .peer = nobody}));
  if (!ended) return fail(Errc::unsupported, "the kernel does not find a socket of ours");
  return std::string("sock_diag");
}

Result<std::string> nft_masquerade() {
  TRY_DO(need_private_netns());
  TRY(const auto table, nft::Table::open("heddle_probe"));
  TRY(const auto subnet, Prefix::parse("192.0.2.0/24"));
  TRY_DO(table->set({.masquerades = {{subnet, ""}}}));
  return std::string("nftables");
}

Result<std::string> btf() {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) < 0)
    return fail_errno(errno, "/sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
  return std::string("/sys/kernel/btf/vmlinux");
}

// A context that is never mounted: nothing of the host changes.
Result<std::string> bpffs() {
  const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "bpf", FSOPEN_CLOEXEC)));
  if (!context) return fail_errno(errno, "fsopen(bpf)");
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    return fail_errno(errno, "create a bpf file system");
  return std::string("created");
}

Result<std::string> cgroup2() {
  const std::string path = cgroup2_in(read_file("/proc/self/mounts"));
  if (path.empty()) return fail(Errc::unsupported, "no cgroup2 file system is mounted");
  return path;
}

Result<std::string> jit() {
  const std::string setting = read_file("/proc/sys/net/core/bpf_jit_enable");
  if (setting.starts_with('0')) return fail(Errc::unsupported, "net.core.bpf_jit_enable is 0");
  // The setting shows in the initial network namespace only; elsewhere it is taken to be on.
  return std::string(setting.empty() ? "not shown in this namespace" : "on");
}

}  // namespace heddle::probe::trials
