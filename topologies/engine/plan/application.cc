#include "topologies/engine/plan/application.h"

#include <algorithm>

namespace heddle::plan {
namespace {

using Words = std::vector<std::string>;

void put_pairs(Words& words, const std::string& flag,
               const std::map<std::string, std::string>& pairs) {
  for (const auto& [key, value] : pairs) words.insert(words.end(), {flag, key + "=" + value});
}

// PORT[/PROTOCOL], of a published [ADDRESS:][HOST:]PORT[/PROTOCOL].
std::string service_port(const std::string& published) {
  return published.substr(published.rfind(':') + 1);
}

Words create_command(const format::Overlay& overlay) {
  Words words{"heddle", "network", "create", "--driver", overlay.driver};
  for (const format::Overlay::Range& range : overlay.ranges) {
    words.insert(words.end(), {"--subnet", range.subnet.format()});
    if (range.gateway) words.insert(words.end(), {"--gateway", range.gateway->format()});
  }
  if (overlay.internal) words.emplace_back("--internal");
  if (overlay.attachable)
    words.emplace_back(*overlay.attachable ? "--attachable" : "--attachable=false");
  put_pairs(words, "--opt", overlay.options);
  put_pairs(words, "--label", overlay.labels);
  words.push_back(overlay.name);
  return words;
}

Words run_command(const format::Service& service, const std::string& name) {
  Words words{"heddle", "run", "--name", name, "--restart", service.restart};
  // Where the lab's commands are looked up, so that Heddle's programs are found.
  if (!service.environment.contains("PATH")) words.insert(words.end(), {"--env", "PATH"});
  put_pairs(words, "--env", service.environment);
  put_pairs(words, "--label", service.labels);
  if (!service.directory.empty()) words.insert(words.end(), {"--workdir", service.directory});
  bool first = true;
  for (const format::ServiceNetwork& network : service.networks) {
    words.insert(words.end(), {"--network", network.name});
    if (!std::exchange(first, false)) continue;  // flags hold for the first
    for (const std::string& alias : network.aliases) words.insert(words.end(), {"--alias", alias});
    if (network.address) words.insert(words.end(), {"--ip", network.address->format()});
  }
  std::vector<std::string> ports = service.expose;
  for (const std::string& port : service.ports) {
    words.insert(words.end(), {"--publish", port});
    if (std::ranges::find(ports, service_port(port)) == ports.end())
      ports.push_back(service_port(port));
  }
  if (!service.networks.empty() && !ports.empty()) {
    words.insert(words.end(), {"--service", service.name});
    for (const std::string& port : ports) words.insert(words.end(), {"--port", port});
  }
  words.emplace_back("--");
  words.insert(words.end(), service.command.begin(), service.command.end());
  return words;
}

SwarmPlan plan_swarm(const format::Lab& lab) {
  SwarmPlan swarm;
  std::string manager;
  for (const format::Host& host : lab.hosts) {
    if (!host.daemon) continue;
    const std::string address = host.address.format();
    if (swarm.manager.empty()) {
      swarm.manager = host.name;
      swarm.init = {"heddle", "swarm", "init", "--advertise-addr", address};
      swarm.token = {"heddle", "swarm", "join-token", "-q", "worker"};
      manager = address + ":7373";
    } else {
      swarm.joiners.push_back(
          {.host = host.name,
           .command = {"heddle", "swarm", "join", "--advertise-addr", address, manager}});
    }
  }
  return swarm;
}

}  // namespace

Application plan_application(const format::Lab& lab) {
  Application out;
  if (std::ranges::any_of(lab.overlays, &format::Overlay::is_swarms)) out.swarm = plan_swarm(lab);
  Words daemons;
  for (const format::Host& host : lab.hosts) {
    if (host.daemon) daemons.push_back(host.name);
  }
  for (const format::Overlay& overlay : lab.overlays) {
    NetworkPlan network{.name = overlay.name,
                        .key = "overlays." + overlay.name,
                        .hosts = overlay.is_swarms() ? Words{out.swarm.manager} : daemons,
                        .seen = daemons,
                        .create = create_command(overlay)};
    out.networks.push_back(std::move(network));
  }
  for (const format::Service& service : lab.services) {
    for (std::size_t i = 0; i < service.hosts.size(); ++i) {
      const std::string name = service.name + "-" + std::to_string(i + 1);
      WorkloadPlan workload{.name = name,
                            .key = "services." + service.name,
                            .host = service.hosts[i],
                            .run = run_command(service, name),
                            .check = {}};
      if (service.check) {
        workload.check = {"heddle", "exec", name, "--"};
        workload.check.insert(workload.check.end(), service.check->test.begin(),
                              service.check->test.end());
        workload.check_every = service.check->interval;
        workload.check_within =
            service.check->start_period + service.check->retries * service.check->interval;
      }
      out.workloads.push_back(std::move(workload));
    }
  }
  return out;
}

}  // namespace heddle::plan
