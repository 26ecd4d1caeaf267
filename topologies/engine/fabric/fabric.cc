#include "topologies/engine/fabric/fabric.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "dataplane/netlink/address.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"
#include "topologies/engine/fabric/devices.h"
#include "topologies/engine/fabric/links.h"
#include "topologies/engine/process/parallel.h"

namespace heddle::fabric {
namespace {

using netlink::Socket;

template <class T>
std::vector<const T*> pointers_to(const std::vector<T>& all) {
  std::vector<const T*> out;
  for (const T& one : all) out.push_back(&one);
  return out;
}

}  // namespace

// A mount of its own for the pins: `destroy` detaches them all with it, in one grace period. Made
// private, since a pin that spreads into others' mount namespaces would cost each of them.
Result<> Fabric::create_base() {
  const std::string pins = plan_.paths.netns_dir();
  if (::mount("heddle-lab", pins.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "size=1m,mode=755") < 0 ||
      ::mount(nullptr, pins.c_str(), nullptr, MS_PRIVATE, nullptr) < 0)
    return fail_errno(errno, "mount on " + pins);
  return netns::create(plan_.paths.switch_netns()).during("create the lab's switch");
}

Result<> Fabric::add_bridges(const std::vector<const plan::Bridge*>& bridges) {
  if (bridges.empty()) return {};
  TRY(const UniqueFd netns, netns::open(plan_.paths.switch_netns()));
  TRY(Socket socket, Socket::open_in(netns.get()));
  for (const plan::Bridge* bridge : bridges) {
    TRY_DO(netlink::create_bridge(socket,
                                  {.name = bridge->name, .mac = bridge->mac, .mtu = bridge->mtu}));
    TRY(const auto link, netlink::find_link(socket, bridge->name));
    if (!link) return fail(Errc::conflict, "bridge " + bridge->name + " vanished meanwhile");
    const netlink::FreshLink fresh{
        .link = link->index, .addresses = bridge->addresses, .routes = {}, .protocol = 0};
    TRY_DO(netlink::set_up_fresh(socket, fresh).during("bridge " + bridge->name));
  }
  return {};
}

Result<> Fabric::remove_bridge(const std::string& name) {
  TRY(const UniqueFd netns, netns::open(plan_.paths.switch_netns()));
  TRY(Socket socket, Socket::open_in(netns.get()));
  TRY(const auto link, netlink::find_link(socket, name));
  return link ? netlink::delete_link(socket, link->index) : Result<>{};
}

Result<> Fabric::add_members(const std::vector<const plan::Member*>& members) {
  return process::in_parallel(members.size(), [&](std::size_t i) -> Result<> {
    const plan::Member& member = *members[i];
    if (!member.owns_netns || !member.container.empty()) return {};
    TRY_DO(netns::create(member.netns).during(member.name));
    return set_sysctls(member).during(member.name);
  });
}

Result<> Fabric::add_links(const std::vector<const plan::Veth*>& links) {
  return create_links(links).during("make links");
}

Result<> Fabric::remove_links(const std::vector<const plan::Veth*>& links) {
  return delete_links(links).during("remove links");
}

Result<> Fabric::add_devices(const std::vector<const plan::Device*>& devices) {
  return create_devices(devices, plan_.paths.switch_netns()).during("make interfaces");
}

Result<> Fabric::remove_devices(const std::vector<const plan::Device*>& devices) {
  return delete_devices(devices).during("remove interfaces");
}

Result<> Fabric::set_sysctls(const plan::Member& member) {
  if (member.sysctls.empty()) return {};
  TRY(UniqueFd space, netns::open(member.netns));
  return netns::run_in(space.get(), [&]() -> Result<> {
    for (const auto& [key, value] : member.sysctls) {
      if (!key.starts_with("net.") || key.find('/') != std::string::npos ||
          key.find("..") != std::string::npos)
        return fail(Errc::invalid, "sysctl " + key + ": only net.* belongs to a node");
      std::string path = "/proc/sys/" + key;
      for (char& c : path) c = c == '.' ? '/' : c;
      UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
        return fail_errno(errno, "set sysctl " + key + " to " + value);
    }
    return {};
  });
}

Result<> Fabric::cut(const std::string& name) {
  for (const plan::Veth& veth : plan_.veths_of(name)) {
    // From the other side: nothing that the member still sends gets anywhere.
    TRY_DO(set_end(veth.a.member == name ? veth.b : veth.a, Carrier::off));
  }
  return {};
}

Result<> Fabric::remove_member(const std::string& name) {
  const std::vector<plan::Veth> veths = plan_.veths_of(name);
  TRY_DO(remove_links(pointers_to(veths)));
  const plan::Member* member = plan_.find(name);
  return member && member->owns_netns ? netns::remove(member->netns) : Result<>{};
}

Result<> Fabric::restore(const std::string& name) {
  const plan::Member* member = plan_.find(name);
  if (!member) return fail(Errc::not_found, "no member " + name);
  TRY_DO(add_members({member}));
  const std::vector<plan::Veth> veths = plan_.veths_of(name);
  std::vector<const plan::Veth*> whole;
  for (const plan::Veth& veth : veths) {
    const plan::End& far = veth.a.member == name ? veth.b : veth.a;
    // A link to a member that is down comes with that member's own start.
    if (far.machine || netns::open(far.netns)) whole.push_back(&veth);
  }
  TRY_DO(add_links(whole));
  std::vector<const plan::Device*> devices;
  for (const plan::Device& device : plan_.devices) {
    if (device.end.member == name) devices.push_back(&device);
  }
  return add_devices(devices);
}

}  // namespace heddle::fabric
