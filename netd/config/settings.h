#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"

namespace heddle::config {

// What heddled is told at start. settings.cc gives each its name, type, range, default and help in
// one place; `heddled --help` prints it.
struct Settings {
  std::string socket;  // API; default <run_dir>/heddled.sock
  std::string state_dir = "/var/lib/heddle";
  std::string run_dir = "/run/heddle";
  std::string cgroup;           // cgroup2 directory the hooks attach to; default: its mount point
  std::string workload_cgroup;  // below which workloads and proxies get theirs; follows `cgroup`
  std::string node_name;        // default: the host's
  std::string log_level = "info";
  std::vector<Prefix> local_pools;  // of local networks; default 172.20.0.0/14
  int local_subnet_length = 20;     // of the IPv4 subnets that are chosen from them
  std::vector<Prefix> never_choose;
  std::chrono::milliseconds audit_interval{5000};
  std::string docker_socket = "/run/docker.sock";
  std::string podman_socket = "/run/podman/podman.sock";
  // DNS of the host: where it is served (absent: nowhere), and whether names that are not ours are
  // refused or forwarded there.
  std::optional<SocketAddr> host_dns;
  enum class Others { refuse, forward } host_dns_others = Others::refuse;
  // Asked for names that are not ours; empty: those of /etc/resolv.conf, as it is at each moment.
  std::vector<SocketAddr> dns_upstreams;
};

struct Parsed {
  bool exit = false;  // --help or --version was asked: text is on standard output
  Settings settings;
};

// Reads the command line whole and checks every value before anything is done with any.
// Errors: `invalid` with the flag, what is wrong with it and what it takes.
Result<Parsed> parse_command_line(int argc, const char* const* argv);

// The host's cgroup2 mount point, from /proc/self/mountinfo's text (proc(5)).
// Errors: `unsupported` when there is none, with how to mount it.
Result<std::string> find_cgroup2(const std::string& mountinfo);

}  // namespace heddle::config
