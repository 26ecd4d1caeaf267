// What a change costs, as its caller sees it: connecting a waiting namespace to a bridge network,
// disconnecting it, creating a network, and 500 connects by eight callers at once; on an empty host
// and on one with many endpoints; heddled's memory; and the same asked of Docker and of the CNI
// plugins in the same run.
//
// usage: bench_attach [--calls N] [--endpoints N] [--stall-ms N] [--programs DIR] [--only heddle]
//   --programs DIR  the heddled and heddle-holder of another build
//   --stall-ms N  stops heddled for N ms at each measured call: the medians must grow by as much
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCallers = 8;
constexpr int kAtOnce = 500;
constexpr int kMostOnBridge = 500;

struct Options {
  int calls = 200;
  int endpoints = 1000;
  HeddleOptions heddle = {};
  bool peers = true;
};

struct Figures {
  double connect_p50 = 0;  // all ms
  double connect_cpu = 0;  // of the daemon, for each
  double connect_p99 = 0;
  double disconnect_p50 = 0;
  double disconnect_p99 = 0;
  double create_p50 = 0;
  double per_second = 0;
  int failed = 0;
  double megabytes = 0;
};

double percentile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  return values[at];
}

void complain(int& failed, const std::string& problem) {
  if (problem.empty()) return;
  if (failed++ == 0) std::printf("failed: %s\n", problem.c_str());
}

double milliseconds(const std::function<std::string()>& call, int& failed) {
  const auto begin = Clock::now();
  complain(failed, call());
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void connect_in_turn(Peer& peer, const std::vector<std::string>& workloads,
                     const std::string& network, Figures& figures) {
  std::vector<double> connects;
  std::vector<double> disconnects;
  const double cpu_before = peer.cpu_seconds();
  for (const auto& workload : workloads) {
    peer.stall();
    connects.push_back(
        milliseconds([&] { return peer.connect(network, workload); }, figures.failed));
  }
  figures.connect_cpu =
      (peer.cpu_seconds() - cpu_before) * 1e3 / static_cast<double>(workloads.size());
  for (const auto& workload : workloads) {
    peer.stall();
    disconnects.push_back(
        milliseconds([&] { return peer.disconnect(network, workload); }, figures.failed));
  }
  figures.connect_p50 = percentile(connects, 0.5);
  figures.connect_p99 = percentile(connects, 0.99);
  figures.disconnect_p50 = percentile(disconnects, 0.5);
  figures.disconnect_p99 = percentile(disconnects, 0.99);
}

void connect_at_once(Peer& peer, const std::vector<std::string>& workloads,
                     const std::string& network, Figures& figures) {
  std::atomic<std::size_t> next = 0;
  std::atomic<int> failed = 0;
  const auto begin = Clock::now();
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      for (std::size_t at; (at = next++) < workloads.size();) {
        const std::string problem = peer.connect(network, workloads[at]);
        if (!problem.empty() && failed++ == 0) std::printf("failed: %s\n", problem.c_str());
      }
    });
  }
  for (auto& caller : callers) caller.join();
  const std::chrono::duration<double> took = Clock::now() - begin;
  figures.per_second = static_cast<double>(workloads.size()) / took.count();
  figures.failed += failed;
  for (const auto& workload : workloads) {
    complain(figures.failed, peer.disconnect(network, workload));
  }
}

void create_networks(Peer& peer, const std::string& prefix, Figures& figures) {
  std::vector<double> created;
  for (int i = 0; i < 20; ++i) {
    peer.stall();
    created.push_back(milliseconds([&] { return peer.create_network(prefix + std::to_string(i)); },
                                   figures.failed));
  }
  figures.create_p50 = percentile(created, 0.5);
}

void print(const std::string& title, const Figures& f) {
  std::printf(
      "%-28s connect %6.2f / %6.2f  disconnect %6.2f / %6.2f  create %6.2f ms  "
      "at once %5.0f/s  failed %d",
      title.c_str(), f.connect_p50, f.connect_p99, f.disconnect_p50, f.disconnect_p99, f.create_p50,
      f.per_second, f.failed);
  if (f.connect_cpu > 0) std::printf("  CPU of a connect %.2f ms", f.connect_cpu);
  if (f.megabytes > 0) std::printf("  RSS %.1f MB", f.megabytes);
  std::printf("\n");
  std::fflush(stdout);
}

void print_ratio(const std::string& what, double theirs, double ours) {
  if (ours > 0 && theirs > 0) std::printf("  %s: %.1f times ours\n", what.c_str(), theirs / ours);
}

Figures measure_peer(Peer& peer, int calls, int at_once) {
  Figures figures;
  complain(figures.failed, peer.create_network("peers"));
  const auto workloads = peer.add_workloads(calls);
  connect_in_turn(peer, workloads, "peers", figures);
  create_networks(peer, "made", figures);
  if (at_once > 0) connect_at_once(peer, workloads, "peers", figures);
  figures.megabytes = peer.resident_bytes() / 1e6;
  print(peer.name(), figures);
  return figures;
}

Figures measure_heddle(const Options& options, const std::string& directory) {
  const auto peer = start_heddle(directory, options.heddle);
  if (!peer) std::exit(1);
  Figures empty;
  complain(empty.failed, peer->create_network("app"));
  const auto waiting = peer->add_workloads(options.calls);
  const auto crowd = peer->add_workloads(kAtOnce);
  connect_in_turn(*peer, waiting, "app", empty);
  connect_at_once(*peer, crowd, "app", empty);
  create_networks(*peer, "few", empty);
  empty.megabytes = peer->resident_bytes() / 1e6;
  print("heddle, empty host", empty);
  if (options.endpoints == 0) return empty;

  Figures full;
  // A Linux bridge takes 1,023 ports: several networks.
  int connected = 0;
  for (const auto& workload : peer->add_workloads(options.endpoints)) {
    const std::string network = "crowd" + std::to_string(connected / kMostOnBridge);
    if (connected++ % kMostOnBridge == 0) complain(full.failed, peer->create_network(network));
    complain(full.failed, peer->connect(network, workload));
  }
  full.megabytes = peer->resident_bytes() / 1e6;
  connect_in_turn(*peer, waiting, "app", full);
  connect_at_once(*peer, crowd, "app", full);
  create_networks(*peer, "many", full);
  print("heddle, " + std::to_string(options.endpoints) + " endpoints", full);
  std::printf("  with them: connect p50 %.2f times, p99 %.2f times, disconnect p50 %.2f times\n",
              full.connect_p50 / empty.connect_p50, full.connect_p99 / empty.connect_p99,
              full.disconnect_p50 / empty.disconnect_p50);
  return empty;
}

void compare(const std::string& directory, const Figures& ours) {
  std::filesystem::create_directories(directory + "/cni");
  std::filesystem::create_directories(directory + "/docker");
  if (const auto cni = start_cni(directory + "/cni")) {
    const Figures theirs = measure_peer(*cni, 50, 50);
    print_ratio("CNI connect p50", theirs.connect_p50, ours.connect_p50);
    print_ratio("CNI disconnect p50", theirs.disconnect_p50, ours.disconnect_p50);
  }
  if (const auto docker = start_docker(directory + "/docker")) {
    const Figures theirs = measure_peer(*docker, 30, 30);
    print_ratio("Docker connect p50", theirs.connect_p50, ours.connect_p50);
    print_ratio("Docker disconnect p50", theirs.disconnect_p50, ours.disconnect_p50);
    print_ratio("Docker create p50", theirs.create_p50, ours.create_p50);
  }
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--calls") options.calls = std::atoi(argv[i + 1]);
    if (flag == "--endpoints") options.endpoints = std::atoi(argv[i + 1]);
    if (flag == "--stall-ms") options.heddle.stall_ms = std::atoi(argv[i + 1]);
    if (flag == "--programs") options.heddle.programs = argv[i + 1];
    if (flag == "--only") options.peers = false;
  }
  return options;
}

int run_all(const Options& options) {
  char directory[] = "/var/tmp/heddle-attach-XXXXXX";
  if (::mkdtemp(directory) == nullptr) return 1;
  std::filesystem::permissions(directory, std::filesystem::perms(0755));
  std::printf("p50 / p99 in milliseconds\n");
  const Figures ours = measure_heddle(options, directory);
  if (options.peers) compare(directory, ours);
  std::error_code ec;
  std::filesystem::remove_all(directory, ec);
  return 0;
}

}  // namespace
}  // namespace heddle::bench

int main(int argc, char** argv) {
  heddle::bench::enter_private_host();
  return heddle::bench::run_all(heddle::bench::parse(argc, argv));
}
