// The lab's overlays and services: what a person would type on its hosts, typed for them, in order.
#include <signal.h>

#include <algorithm>
#include <thread>

#include "topologies/labd/service.h"

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;
using process::Child;

constexpr auto kTypedTime = 60s;
constexpr auto kSeenTime = 15s;
constexpr auto kPoll = 50ms;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string shown(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

Result<std::string> Service::run_on(const std::string& host,
                                    const std::vector<std::string>& words) {
  TRY(const plan::Member member, copy_member(host));
  TRY(const auto child, start_in(member, words));
  const auto ended = child->wait(after(kTypedTime));
  if (!ended) child->signal(SIGKILL, Child::Reach::group);
  if (!ended) return fail(Errc::timeout, host + ": " + shown(words) + " runs longer than 60 s");
  if (ended->exit == 0) return child->output().text;
  std::string why = child->error().text;
  while (why.ends_with('\n')) why.pop_back();
  return fail(Errc::unavailable, host + ": " + shown(words) + ": " + why);
}

Result<> Service::join_swarm(const plan::SwarmPlan& swarm) {
  plan::SwarmPlan& there = plan_.application.swarm;
  if (!swarm.init.empty()) {
    TRY_DO(run_on(swarm.manager, swarm.init).during("overlays"));
    std::lock_guard lock(mutex_);
    there = swarm;
    there.joiners.clear();
  }
  if (swarm.joiners.empty()) return {};
  TRY(const std::string token, run_on(swarm.manager, swarm.token).during("overlays"));
  for (const plan::SwarmPlan::Joiner& joiner : swarm.joiners) {
    std::vector<std::string> words = joiner.command;
    words.insert(words.end() - 1, {"--token", first_line(token)});
    TRY_DO(run_on(joiner.host, words).during("overlays"));
    std::lock_guard lock(mutex_);
    there.joiners.push_back(joiner);
  }
  return {};
}

Result<> Service::create_network(const plan::NetworkPlan& network) {
  for (const std::string& host : network.hosts)
    TRY_DO(run_on(host, network.create).during(network.key));
  const Deadline deadline = after(kSeenTime);
  for (const std::string& host : network.seen) {
    for (;;) {
      auto seen = run_on(host, {"heddle", "network", "inspect", network.name});
      if (seen) break;
      if (std::chrono::steady_clock::now() >= deadline)
        return std::unexpected(std::move(seen).error().during(network.key));
      std::this_thread::sleep_for(kPoll);
    }
  }
  return {};
}

Result<> Service::wait_healthy(const plan::WorkloadPlan& workload) {
  const Deadline deadline = after(workload.check_within);
  for (;;) {
    auto healthy = run_on(workload.host, workload.check);
    if (healthy) return {};
    if (std::chrono::steady_clock::now() >= deadline)
      return std::unexpected(std::move(healthy).error().during(
          workload.key + ".healthcheck: " + workload.name + " stays unhealthy"));
    std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(workload.check_every, 1s));
  }
}

// Each part of it, the swarm's too, is remembered in the plan as soon as it is there, for the next
// change.
Result<> Service::start_application(const plan::Application& added) {
  plan::Application& there = plan_.application;
  const auto remember = [&](auto& list, const auto& part) {
    std::lock_guard lock(mutex_);
    list.push_back(part);
  };
  TRY_DO(join_swarm(added.swarm));
  for (const plan::NetworkPlan& network : added.networks) {
    remember(there.networks, network);
    TRY_DO(create_network(network));
  }
  for (const plan::WorkloadPlan& workload : added.workloads) {
    remember(there.workloads, workload);
    TRY_DO(run_on(workload.host, workload.run).during(workload.key));
  }
  for (const plan::WorkloadPlan& workload : added.workloads) {
    if (!workload.check.empty()) TRY_DO(wait_healthy(workload));
  }
  return {};
}

// What is gone already, with its host or because it never came to be, is no failure.
void Service::stop_application(const plan::Application& removed) {
  for (const plan::WorkloadPlan& workload : removed.workloads)
    (void)run_on(workload.host, {"heddle", "rm", "-f", workload.name});
  for (const plan::NetworkPlan& network : removed.networks) {
    for (const std::string& host : network.hosts)
      (void)run_on(host, {"heddle", "network", "rm", network.name});
  }
  std::lock_guard lock(mutex_);
  plan::Application& there = plan_.application;
  const auto erase = [](auto& from, const auto& parts) {
    std::erase_if(from, [&](const auto& one) { return std::ranges::count(parts, one) > 0; });
  };
  erase(there.workloads, removed.workloads);
  erase(there.networks, removed.networks);
}

}  // namespace heddle::labd
