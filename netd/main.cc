// heddled: builds every part of a node and connects them. Read top-down, this is its map:
//
//   API socket (server) ──> control ──> store (SQLite)          desired state of this node
//   cluster (managers)  ──> control ──> kernel (netlink, nft, eBPF)
//   Docker, Podman (engine) ─> control
//   prober, health, exits ─> control ──> mesh (proxies), resolvers (DNS), cluster (reports)
//
// All arrows into control are calls or posts to its one executor.
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "common/observe/log.h"
#include "dataplane/bpf/bpffs.h"
#include "dataplane/bpf/programs.h"
#include "dataplane/linux/kernel.h"
#include "dataplane/netns/visitor.h"
#include "dataplane/nft/forward_policy.h"
#include "dataplane/probe/probe.h"
#include "netd/cluster/cluster.h"
#include "netd/config/settings.h"
#include "netd/control/control.h"
#include "netd/control/resolvers.h"
#include "netd/dns/resolv_conf.h"
#include "netd/dns/server.h"
#include "netd/driver/bridge/bridge_driver.h"
#include "netd/driver/host/host_driver.h"
#include "netd/driver/ipvlan/ipvlan_driver.h"
#include "netd/driver/macvlan/macvlan_driver.h"
#include "netd/driver/none/none_driver.h"
#include "netd/driver/overlay/overlay_driver.h"
#include "netd/engine/engines.h"
#include "netd/flows/reader.h"
#include "netd/holder/keeper.h"
#include "netd/mesh/mesh.h"
#include "netd/runtime/runtime.h"
#include "netd/server/server.h"
#include "netd/store/store.h"

namespace heddle {
namespace {

const SystemClock kClock;

// IFLA_GROUP and the nft table's name mark what is ours; several daemons in one namespace differ by
// their state directory.
std::uint32_t instance_of(const std::string& state_dir) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const unsigned char c : state_dir) hash = (hash ^ c) * 16777619u;
  return hash & 0xffff;
}

Result<> make_directory(const std::string& path, mode_t mode) {
  std::error_code ec;
  std::filesystem::create_directories(path, ec);
  if (ec) return fail_errno(ec.value(), "make " + path);
  if (::chmod(path.c_str(), mode) != 0) return fail_errno(errno, "set the mode of " + path);
  return {};
}

std::string folder_of_this_program() {
  std::error_code ec;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ec);
  return self.parent_path().string();
}

// Our own resolvers are no upstreams of themselves.
std::vector<SocketAddr> host_resolvers(const config::Settings& settings) {
  if (!settings.dns_upstreams.empty()) return settings.dns_upstreams;
  std::ifstream file("/etc/resolv.conf");
  std::stringstream text;
  text << file.rdbuf();
  auto servers = dns::parse_resolv_conf(text.str()).servers;
  std::erase(servers, SocketAddr{dns::kWorkloadResolver, 53});
  if (settings.host_dns) std::erase(servers, *settings.host_dns);
  return servers;
}

control::HostDns host_dns(const config::Settings& settings) {
  const bool whole = settings.host_dns_others == config::Settings::Others::forward;
  return {.address = settings.host_dns,
          .audience = whole ? dns::Audience::whole_host : dns::Audience::host,
          .upstreams = [&settings] { return host_resolvers(settings); }};
}

control::DnsInfo dns_facts(const dns::DnsServer& server, const control::Resolvers& resolvers) {
  const dns::DnsServer::Stats stats = server.stats();
  control::DnsInfo info{.host_resolver = resolvers.host_state(),
                        .upstreams = {},
                        .counters = {{"queries", stats.queries},
                                     {"own_answers", stats.answered},
                                     {"forwarded", stats.forwarded},
                                     {"cache_hits", stats.cached},
                                     {"shared_questions", stats.joined},
                                     {"over_limit", stats.refused},
                                     {"failed", stats.failed},
                                     {"dropped", stats.dropped},
                                     {"tcp_connections", stats.connections},
                                     {"upstream_queries", stats.upstream_queries},
                                     {"upstream_tcp", stats.upstream_tcp},
                                     {"upstream_timeouts", stats.upstream_silent},
                                     {"upstream_failures", stats.upstream_useless},
                                     {"loops", stats.loops},
                                     {"cache_entries", stats.cache_entries},
                                     {"cache_bytes", stats.cache_bytes}}};
  for (const auto& [address, up] : server.upstreams()) info.upstreams.push_back({address, up});
  return info;
}

// The mesh is made after the kernel that asks it for listeners.
class MeshListeners final : public dataplane::ListenerSource {
 public:
  int listener(const dataplane::SandboxPath& sandbox, std::uint16_t port) override {
    return mesh == nullptr ? -1 : mesh->listener(sandbox, port);
  }
  mesh::Mesh* mesh = nullptr;
};

Result<std::unique_ptr<bpf::Programs>> load_programs(const config::Settings& settings,
                                                     std::uint32_t instance) {
  const std::string bpffs = settings.run_dir + "/bpf";
  TRY_DO(make_directory(bpffs, 0700));
  TRY_DO(bpf::mount_bpffs(bpffs));
  return bpf::Programs::load({.pin_dir = bpffs, .cgroup = settings.cgroup, .link_group = instance});
}

Result<control::SystemInfo> system_facts(const probe::Probes& probes, bpf::Programs* programs,
                                         control::DnsInfo dns) {
  control::SystemInfo info;
  info.dns = std::move(dns);
  info.kernel = probes.kernel;
  for (const auto& p : probes.all) info.capabilities.push_back({p.name, p.present, p.lost});
  if (programs != nullptr) {
    TRY(const auto drops, programs->drops());
    for (const auto& d : drops) info.drops.push_back({d.reason, d.packets, d.bytes});
  }
  return info;
}

// What is not probed is tried.
bool has(const probe::Probes& probes, std::string_view name) {
  const probe::Probe* found = probes.find(name);
  return found == nullptr || found->present;
}

// Waits for SIGTERM or SIGINT, which every thread has blocked.
void wait_for_end(const sigset_t& signals) {
  int signal = 0;
  while (::sigwait(&signals, &signal) == 0 && signal != SIGTERM && signal != SIGINT) {
  }
  log_info("node.stopping", {{"signal", signal}});
}

enum class Ended { stopped, reset };

Result<Ended> run(const config::Settings& settings, const sigset_t& signals) {
  // Before anything is changed.
  TRY(const probe::Probes probes, probe::probe());
  TRY_DO(probes.usable());
  TRY_DO(make_directory(settings.state_dir, 0700));
  TRY_DO(make_directory(settings.run_dir, 0711));
  TRY_DO(make_directory(settings.workload_cgroup, 0755));
  const std::string programs_folder = folder_of_this_program();
  const std::uint32_t instance = instance_of(settings.state_dir);

  TRY(const auto store, store::open_sqlite(settings.state_dir + "/heddle.db"));
  TRY(const auto keeper, holder::open_keeper({.socket = settings.run_dir + "/holder.sock",
                                              .binary = programs_folder + "/heddle-holder",
                                              .cgroup = settings.workload_cgroup + "/holder"}));
  TRY(auto kept, keeper->take_all());
  TRY(const auto processes, runtime::Processes::create());

  MeshListeners listeners;
  std::unique_ptr<bpf::FlowRing> ring;
  auto programs = load_programs(settings, instance);
  if (!programs) {
    log_warn("bpf.unavailable", {{"error", programs.error()},
                                 {"lost", "overlay networks, service addresses and sidecars"}});
  } else {
    TRY(ring, (*programs)->open_flows());
  }
  const std::string nft_table = "heddle_" + std::to_string(instance);
  TRY(const auto kernel, dataplane::LinuxKernel::open({.link_group = 0x48440000u | instance,
                                                       .nft_table = nft_table,
                                                       .cgroup = settings.workload_cgroup},
                                                      listeners, std::move(programs)));

  driver::DriverSet drivers;
  drivers.add(std::make_unique<bridge::BridgeDriver>());
  drivers.add(std::make_unique<overlay::OverlayDriver>());
  drivers.add(std::make_unique<macvlan::MacvlanDriver>());
  drivers.add(std::make_unique<ipvlan::IpvlanDriver>());
  drivers.add(std::make_unique<host::HostDriver>());
  drivers.add(std::make_unique<none::NoneDriver>());

  TRY(const auto dns, dns::DnsServer::start({.upstreams = host_resolvers(settings)}));
  TRY(const auto visitor, netns::Visitor::open());
  control::Resolvers resolvers({*dns, *keeper, visitor}, kept, host_dns(settings));
  kept.clear();  // the mesh takes its own

  std::atomic<bool> reset = false;
  control::Control control(
      {.state_dir = settings.state_dir,
       .run_dir = settings.run_dir,
       .cgroup = settings.workload_cgroup,
       .node_name = settings.node_name,
       .local_pools = settings.local_pools,
       .local_subnet_length = settings.local_subnet_length,
       .never_choose = settings.never_choose,
       .kernel_has = {.macvlan = has(probes, "macvlan"),
                      .ipvlan = has(probes, "ipvlan"),
                      .vlan = has(probes, "vlan")},
       .audit_interval = settings.audit_interval,
       .system_info =
           [&] { return system_facts(probes, kernel->programs(), dns_facts(*dns, resolvers)); },
       .ask_to_end =
           [&reset] {
             reset = true;
             ::kill(::getpid(), SIGTERM);
           }});

  TRY(const auto mesh,
      mesh::Mesh::start({.run_dir = settings.run_dir,
                         .log_dir = settings.run_dir + "/log",
                         .proxy_binary = programs_folder + "/heddle-proxy",
                         .cgroup_base = settings.workload_cgroup},
                        *keeper, *processes, [&control] { control.proxies_changed(); }));
  listeners.mesh = mesh.get();

  TRY(const auto cluster,
      cluster::Cluster::open(
          {.state_dir = settings.state_dir + "/swarm",
           .run_dir = settings.run_dir,
           .node_name = settings.node_name,
           .etcd_cgroup = settings.workload_cgroup + "/etcd"},
          {.on_state =
               [&control](cluster::SwarmState state) { control.swarm_changed(std::move(state)); },
           .on_session =
               [](bool connected) {
                 log_info("swarm.session", {{"connected", connected ? "yes" : "no"}});
               }}));

  TRY(const auto engines,
      engine::Engines::start(
          {{model::WorkloadKind::docker, settings.docker_socket},
           {model::WorkloadKind::podman, settings.podman_socket}},
          [&control](engine::Sighting seen) { control.container_changed(std::move(seen)); }));

  TRY_DO(control.start({.clock = &kClock,
                        .store = store.get(),
                        .kernel = kernel.get(),
                        .drivers = &drivers,
                        .keeper = keeper.get(),
                        .processes = processes.get(),
                        .mesh = mesh.get(),
                        .resolvers = &resolvers,
                        .cluster = cluster.get(),
                        .engines = engines.get()}));
  flows::Reader flows(ring.get(), [&control] { return control.view(); });
  auto server = server::Server::start({.socket = settings.socket}, control, flows);
  if (!server) {
    control.stop();
    return std::unexpected(std::move(server).error());
  }
  ::sd_notify(0, "READY=1");
  wait_for_end(signals);
  ::sd_notify(0, "STOPPING=1");
  server->reset();
  control.stop();
  return reset ? Ended::reset : Ended::stopped;
}

// What `heddle system reset` leaves for the very end, when nothing uses it any more.
Result<> remove_directories(const config::Settings& settings) {
  TRY_DO(bpf::unmount_bpffs(settings.run_dir + "/bpf"));
  std::error_code ec;
  for (const std::string& path : {settings.state_dir, settings.run_dir}) {
    std::filesystem::remove_all(path, ec);
    if (ec) return fail_errno(ec.value(), "remove " + path);
  }
  if (settings.workload_cgroup != settings.cgroup) {
    TRY_DO(runtime::remove_cgroup(settings.workload_cgroup));
  }
  return {};
}

}  // namespace
}  // namespace heddle

int main(int argc, char** argv) {
  using namespace heddle;
  // One arena: the API's threads come and go, and each would leave one of its own half empty
  // (mallopt(3)). What heddled does takes turns on the control executor anyway.
  ::mallopt(M_ARENA_MAX, 1);
  const auto parsed = config::parse_command_line(argc, argv);
  if (!parsed) {
    std::cerr << "heddled: " << parsed.error().text() << "\n";
    return 2;
  }
  if (parsed->exit) return 0;
  if (auto logging = start_logging("heddled", parsed->settings.log_level); !logging) {
    std::cerr << "heddled: " << logging.error().text() << "\n";
    return 2;
  }
  if (::geteuid() != 0) {
    std::cerr << "heddled: it must be started by root (sudo heddled, or systemctl start heddled)\n";
    return 1;
  }
  // Before any thread is started, so that all of them leave the signals to wait_for_end().
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  auto ended = run(parsed->settings, signals);
  Result<> done = ended ? Result<>() : std::unexpected(std::move(ended).error());
  if (ended && *ended == Ended::reset) done = remove_directories(parsed->settings);
  if (!done) {
    std::cerr << "heddled: " << done.error().text() << "\n";
    return 1;
  }
  return 0;
}
