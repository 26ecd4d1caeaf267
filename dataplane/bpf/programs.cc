#include "dataplane/bpf/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "dataplane/bpf/first_failure.h"
#include "dataplane/bpf/loaded_flow_ring.h"
#include "dataplane/bpf/objects.h"
#include "dataplane/bpf/overlay_tables.h"
#include "dataplane/bpf/reasons.h"
#include "dataplane/bpf/sandbox_tables.h"
#include "dataplane/bpf/service_tables.h"
#include "dataplane/bpf/stale_sockets.h"
#include "ebpf/abi/drop.h"
#include "ebpf/abi/maps.h"

namespace heddle::bpf {
namespace {

Result<> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "make directory " + path);
}

Result<> check_bpffs(const std::string& path) {
  struct statfs found{};
  if (::statfs(path.c_str(), &found) != 0) return fail_errno(errno, "look at " + path);
  if (static_cast<unsigned long>(found.f_type) != BPF_FS_MAGIC)
    return fail(Errc::invalid, path + " is not on a BPF file system: mount one there");
  return {};
}

// A cgroup's id is the inode number of its directory (kernfs on 64 bits).
Result<std::pair<UniqueFd, std::uint64_t>> open_cgroup(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open cgroup " + path);
  struct statfs found{};
  struct stat directory{};
  if (::fstatfs(fd.get(), &found) != 0 || ::fstat(fd.get(), &directory) != 0)
    return fail_errno(errno, "look at cgroup " + path);
  if (static_cast<unsigned long>(found.f_type) != CGROUP2_SUPER_MAGIC)
    return fail(Errc::invalid, path + " is not a cgroup2 directory");
  return std::pair(std::move(fd), static_cast<std::uint64_t>(directory.st_ino));
}

class LoadedPrograms final : public Programs {
 public:
  using HeldCgroup = std::pair<UniqueFd, std::uint64_t>;  // and its id
  LoadedPrograms(Settings settings, HeldCgroup cgroup, std::unique_ptr<Objects> objects,
                 OverlayTables overlay, ServiceTables services, SandboxTables sandboxes)
      : settings_(std::move(settings)),
        cgroup_(std::move(cgroup)),
        objects_(std::move(objects)),
        overlay_(std::move(overlay)),
        services_(std::move(services)),
        sandboxes_(std::move(sandboxes)) {}

  Result<> take_over() {
    TRY_DO(overlay_.replace_programs());
    TRY_DO(sandboxes_.replace_programs());
    for (int i = 0; i < kSocketHooks; ++i) TRY_DO(attach(static_cast<SocketHook>(i)));
    return {};
  }

  Result<std::set<std::string>> missing_pins() override {
    if (removed_) return std::set<std::string>();
    TRY(std::set<std::string> missing, objects_->missing_pins());
    for (int i = 0; i < kSocketHooks; ++i) {
      const auto hook = static_cast<SocketHook>(i);
      TRY(const bool attached, is_attached(hook_path(hook)));
      if (!attached) missing.insert("hooks/" + std::string(name_of(hook)));
    }
    return missing;
  }
  Result<> restore_pins() override {
    removed_ = false;
    TRY_DO(objects_->restore_pins());
    for (int i = 0; i < kSocketHooks; ++i) {
      const auto hook = static_cast<SocketHook>(i);
      TRY(const bool attached, is_attached(hook_path(hook)));
      if (!attached) TRY_DO(attach(hook));
    }
    return {};
  }

  bool adopted() const override { return objects_->adopted(); }

  Result<> attach_port(const Port& port) override { return overlay_.attach_port(port); }
  Result<> detach_port(IfIndex index) override { return overlay_.detach_port(index); }
  Result<std::vector<Port>> ports() override { return overlay_.ports(); }

  Result<> attach_underlay(const UnderlayHook& hook) override {
    return overlay_.attach_underlay(hook);
  }
  Result<> detach_underlay() override { return overlay_.detach_underlay(); }
  Result<std::optional<UnderlayHook>> underlay() override { return overlay_.underlay(); }

  Result<> put_network(const dataplane::OverlayNetwork& network) override {
    return overlay_.put_network(network);
  }
  Result<> remove_network(Vni vni) override { return overlay_.remove_network(vni); }
  Result<std::vector<dataplane::OverlayNetwork>> networks() override { return overlay_.networks(); }

  Result<> put_address(const Address& address) override { return overlay_.put_address(address); }
  Result<> remove_address(Vni vni, IpAddr address) override {
    return overlay_.remove_address(vni, address);
  }
  Result<std::vector<Address>> addresses() override { return overlay_.addresses(); }

  Result<> put_block(const dataplane::OverlayBlock& block) override {
    return overlay_.put_block(block);
  }
  Result<> remove_block(Vni vni, Prefix prefix) override {
    return overlay_.remove_block(vni, prefix);
  }
  Result<std::vector<dataplane::OverlayBlock>> blocks() override { return overlay_.blocks(); }

  Result<> put_service(const dataplane::ServiceEntry& service) override {
    return services_.put_service(service);
  }
  Result<> remove_service(const dataplane::HostState::ServiceKey& key) override {
    return services_.remove_service(key);
  }
  Result<std::vector<dataplane::ServiceEntry>> services() override { return services_.services(); }

  Result<std::vector<StaleSocket>> stale_sockets() override {
    return bpf::stale_sockets(*objects_);
  }

  Result<> put_member(const Member& member) override { return sandboxes_.put_member(member); }
  Result<> remove_member(std::uint64_t cookie) override { return sandboxes_.remove_member(cookie); }
  Result<std::vector<Member>> members() override { return sandboxes_.members(); }

  Result<> put_intercept(const Intercept& intercept, int netns_fd, int inbound_listener) override {
    return sandboxes_.put_intercept(intercept, netns_fd, inbound_listener);
  }
  Result<> remove_intercept(std::uint64_t cookie) override {
    return sandboxes_.remove_intercept(cookie);
  }
  Result<std::vector<Intercept>> intercepts() override { return sandboxes_.intercepts(); }

  Result<std::vector<DropCount>> drops() override;
  Result<std::unique_ptr<FlowRing>> open_flows() override { return open_flow_ring(*objects_); }
  Result<> remove_everything() override;

 private:
  std::string hook_path(SocketHook hook) const {
    return settings_.pin_dir + "/hooks/" + std::string(name_of(hook));
  }
  Result<> attach(SocketHook hook) {
    return ensure_cgroup_link(hook_path(hook), hook,
                              {.fd = cgroup_.first.get(), .id = cgroup_.second},
                              objects_->socket_hook(hook));
  }

  Settings settings_;
  HeldCgroup cgroup_;
  bool removed_ = false;  // everything, by us: no pin is missed
  std::unique_ptr<Objects> objects_;
  OverlayTables overlay_;
  ServiceTables services_;
  SandboxTables sandboxes_;
};

Result<std::vector<DropCount>> LoadedPrograms::drops() {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail_errno(-cpus, "count the processors");
  const int map = objects_->map(HEDDLE_MAP_DROPS);
  std::vector<heddle_drop_counter> per_cpu(static_cast<std::size_t>(cpus));
  std::vector<DropCount> drops;
  drops.reserve(HEDDLE_DROP_COUNT);
  for (std::uint32_t reason = 0; reason < HEDDLE_DROP_COUNT; ++reason) {
    if (bpf_map_lookup_elem(map, &reason, per_cpu.data()) != 0)
      return fail_errno(errno, "read the drop counters");
    DropCount sum{.reason = reason_label(reason)};
    for (const heddle_drop_counter& counter : per_cpu) {
      sum.packets += counter.packets;
      sum.bytes += counter.bytes;
    }
    drops.push_back(std::move(sum));
  }
  return drops;
}

Result<> LoadedPrograms::remove_everything() {
  removed_ = true;
  FirstFailure steps;
  for (int i = 0; i < kSocketHooks; ++i)
    steps.then(remove_link(hook_path(static_cast<SocketHook>(i))));
  steps.then(sandboxes_.detach_all());
  steps.then(overlay_.detach_all());
  steps.then(objects_->unpin());
  for (const char* directory : {"/hooks", "/inbound"}) {
    const std::string path = settings_.pin_dir + directory;
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
      steps.then(fail_errno(errno, "remove directory " + path));
  }
  return std::move(steps).result();
}

}  // namespace

Result<std::unique_ptr<Programs>> Programs::load(Settings settings) {
  TRY_DO(check_bpffs(settings.pin_dir));
  TRY(auto cgroup, open_cgroup(settings.cgroup));
  TRY_DO(make_directory(settings.pin_dir + "/hooks"));
  TRY_DO(make_directory(settings.pin_dir + "/inbound"));
  TRY(auto objects, Objects::load(settings.pin_dir));
  TRY(auto overlay, OverlayTables::open(*objects));
  TRY(auto services, ServiceTables::open(*objects));
  TRY(auto sandboxes, SandboxTables::open(*objects, settings.pin_dir + "/inbound"));
  auto programs = std::make_unique<LoadedPrograms>(std::move(settings), std::move(cgroup),
                                                   std::move(objects), std::move(overlay),
                                                   std::move(services), std::move(sandboxes));
  TRY_DO(programs->take_over());
  return programs;
}

}  // namespace heddle::bpf
