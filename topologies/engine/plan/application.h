#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "topologies/engine/format/lab.h"

// What a lab's overlays and services are, as what a person would type on its hosts. Pure.
namespace heddle::plan {

struct SwarmPlan {
  struct Joiner {
    std::string host;
    std::vector<std::string> command;  // the token goes in front of its last word
    friend bool operator==(const Joiner&, const Joiner&) = default;
  };
  std::string manager;  // the first host that runs heddled; empty: there is no swarm
  std::vector<std::string> init;
  std::vector<std::string> token;  // prints it
  std::vector<Joiner> joiners;
  friend bool operator==(const SwarmPlan&, const SwarmPlan&) = default;
};

struct NetworkPlan {
  std::string name;
  std::string key;                 // overlays.app
  std::vector<std::string> hosts;  // where it is declared
  std::vector<std::string> seen;   // where it has to be known before workloads start
  std::vector<std::string> create;
  // A network is the same wherever it is known.
  friend bool operator==(const NetworkPlan& a, const NetworkPlan& b) {
    return a.name == b.name && a.create == b.create;
  }
};

struct WorkloadPlan {
  std::string name;  // web-1
  std::string key;   // services.web
  std::string host;
  std::vector<std::string> run;
  std::vector<std::string> check;  // succeeds once it is healthy; empty: nothing to wait for
  std::chrono::milliseconds check_every{1000};
  std::chrono::milliseconds check_within{0};
  friend bool operator==(const WorkloadPlan&, const WorkloadPlan&) = default;
};

struct Application {
  SwarmPlan swarm{};
  std::vector<NetworkPlan> networks{};
  std::vector<WorkloadPlan> workloads{};
  friend bool operator==(const Application&, const Application&) = default;
};

Application plan_application(const format::Lab& lab);

}  // namespace heddle::plan
