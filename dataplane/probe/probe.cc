#include "dataplane/probe/probe.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include "dataplane/probe/trials.h"

namespace heddle::probe {
namespace {

struct Entry {
  const char* name;
  Need need;
  const char* lost;
  Result<std::string> (*trial)();
};

constexpr std::array kEntries{
    Entry{"kernel", Need::everything, "Linux 6.1 is the oldest kernel that Heddle is tested on",
          trials::kernel_version},
    Entry{"net_admin", Need::everything, "nothing in the kernel can be set up", trials::net_admin},
    Entry{"sys_admin", Need::everything, "no namespace can be entered", trials::sys_admin},
    Entry{"jit", Need::speed, "eBPF programs are interpreted, several times slower", trials::jit},
    Entry{"netns", Need::everything, "workloads cannot be told apart", trials::private_netns},
    Entry{"veth", Need::everything, "no workload can be attached", trials::veth},
    Entry{"bridge", Need::feature, "bridge networks", trials::bridge},
    Entry{"tbf", Need::feature, "limits of endpoints' rates", trials::token_bucket},
    Entry{"macvlan", Need::feature, "macvlan networks", trials::macvlan},
    Entry{"ipvlan", Need::feature, "ipvlan networks", trials::ipvlan},
    Entry{"vlan", Need::feature, "VLAN devices as parents of networks", trials::vlan},
    Entry{"nft_nat", Need::feature, "networks do not reach what lies outside of them",
          trials::nft_masquerade},
    Entry{"bpf", Need::feature, "overlay networks, services and sidecars", trials::bpf_syscall},
    Entry{"btf", Need::feature, "overlay networks, services and sidecars (no CO-RE)", trials::btf},
    Entry{"bpffs", Need::feature, "overlay networks, services and sidecars", trials::bpffs},
    Entry{"vxlan", Need::feature, "overlay networks", trials::vxlan},
    Entry{"clsact", Need::feature, "overlay networks", trials::clsact},
    Entry{"tunnel_key", Need::feature, "overlay networks", trials::tunnel_key},
    Entry{"redirect_peer", Need::feature, "overlay networks", trials::redirect_peer},
    Entry{"cgroup2", Need::feature, "services and sidecars", trials::cgroup2},
    Entry{"connect_hook", Need::feature, "services and sidecars", trials::connect_hook},
    Entry{"netns_cookie", Need::feature, "services and sidecars", trials::netns_cookie},
    Entry{"sockopt_hook", Need::feature, "sidecars (outbound)", trials::sockopt_hook},
    Entry{"sk_lookup", Need::feature, "sidecars (inbound)", trials::sk_lookup},
    Entry{"ringbuf", Need::feature, "flow events", trials::ringbuf},
    Entry{"sock_destroy", Need::feature,
          "clients of a backend that died wait for their own time-outs", trials::sock_destroy},
};

const char* word(const Result<std::string>& tried) {
  return tried ? tried->c_str() : tried.error().text().c_str();
}

// In a namespace that no other thread is in; it goes with the thread.
void try_everything(std::vector<Probe>& found) {
  for (const Entry& entry : kEntries) {
    const auto tried = entry.trial();
    found.push_back({.name = entry.name,
                     .need = entry.need,
                     .present = tried.has_value(),
                     .detail = word(tried),
                     .lost = entry.lost});
  }
}

}  // namespace

const Probe* Probes::find(std::string_view name) const {
  const auto found = std::ranges::find(all, name, &Probe::name);
  return found == all.end() ? nullptr : &*found;
}

bool Probes::has(std::string_view name) const {
  const Probe* found = find(name);
  return found && found->present;
}

Result<> Probes::usable() const {
  std::string missing;
  bool privileges = false;
  for (const Probe& one : all) {
    if (one.present || one.need != Need::everything) continue;
    missing += (missing.empty() ? "" : "; ") + one.name + ": " + one.detail;
    privileges |= one.name == "net_admin" || one.name == "sys_admin";
  }
  if (missing.empty()) return {};
  if (privileges)
    return fail(Errc::denied, "privileges are missing, run as root (" + missing + ")");
  return fail(Errc::unsupported, "this kernel lacks what Heddle needs (" + missing + ")");
}

Result<Probes> probe() {
  Probes probes;
  utsname names{};
  if (::uname(&names) == 0) probes.kernel = names.release;
  try {
    std::thread([&] { try_everything(probes.all); }).join();
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread for probing");
  }
  if (const Probe* mounted = probes.find("cgroup2"); mounted && mounted->present)
    probes.cgroup2 = mounted->detail;
  return probes;
}

}  // namespace heddle::probe
