#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/holder/keeper.h"
#include "netd/model/view.h"
#include "netd/runtime/runtime.h"

namespace heddle::mesh {

enum class ProxyState { starting, ready, failed };

struct ProxyStatus {
  ProxyState state = ProxyState::starting;
  std::int64_t pid = 0;
  std::string metrics;         // http over a unix socket: path
  std::string problem;         // why failed, else ""
  std::uint64_t revision = 0;  // of the snapshot it acknowledged
};

// The proxies of this node: one per workload with a sidecar, one per load balancer placed here.
// Opens their listeners (in the workload's namespace, or on the host for load balancers), keeps
// them with the Keeper, starts heddle-proxy with them, feeds it over <run-dir>/proxy.sock
// (netd/api/proxy.proto), starts it again when it ends, adopts it after our own restart, drains it
// when it is wanted no more. Proxies outlive the daemon.
// Threads: update() and status() from the control executor; callbacks on a thread of its own.
class Mesh {
 public:
  struct Settings {
    std::string run_dir;  // proxies' pid files, metrics sockets, proxy.sock
    std::string log_dir;
    std::string proxy_binary;  // heddle-proxy, beside heddled
    std::string cgroup_base;   // a proxy's cgroup is <base>/proxy-<workload id>
    std::uint32_t uid = 65534;
    std::uint16_t outbound_port = 15001;  // sidecars' listeners, on loopback in the sandbox
    std::uint16_t inbound_port = 15006;
  };
  static Result<std::unique_ptr<Mesh>> start(Settings settings, holder::Keeper& keeper,
                                             runtime::Processes& processes,
                                             std::function<void()> on_status_change);
  virtual ~Mesh() = default;  // proxies go on

  // What is wanted follows from the view: View.sidecars and View.load_balancers of this node (their
  // workloads are of kind load_balancer with the same id). Level-triggered; cheap when nothing
  // changed.
  virtual void update(std::shared_ptr<const model::View> view) = 0;

  virtual std::optional<ProxyStatus> status(const model::Id& workload) = 0;

  // The listener in a sandbox for sk_lookup (inbound), borrowed; -1 when it does not exist (yet).
  virtual int listener(const std::string& sandbox, std::uint16_t port) = 0;

  virtual std::string proxy_cgroup(const model::Id& workload) const = 0;

  // Ends every proxy of this node and its listeners (system reset).
  virtual void remove_everything() = 0;
};

}  // namespace heddle::mesh
