#include "netd/config/settings.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

#include "netd/model/ids.h"

namespace heddle::config {
namespace {

Result<std::string> host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return fail_errno(errno, "read the host's name");
  std::string text(name);
  text = text.substr(0, text.find('.'));
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Result<> check_directory(std::string_view flag, const std::string& path) {
  // A unix socket's path has 107 bytes; ours are up to 60 below the run directory.
  if (path.starts_with('/') && path.find("/../") == std::string::npos && path.size() <= 200)
    return {};
  return fail(Errc::invalid, std::string(flag) + " '" + path + "' must be an absolute path");
}

Result<> check_socket(std::string_view flag, const std::string& path) {
  if (path.size() <= 107) return {};
  return fail(Errc::invalid, std::string(flag) + " '" + path +
                                 "' is longer than 107 bytes, which unix(7) does not allow");
}

struct Lists {
  std::vector<std::string> pools;
  std::vector<std::string> never;
  std::vector<std::string> upstreams;
  std::string host_dns = "off";
  std::string host_dns_others = "refuse";
};

// `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`.
Result<SocketAddr> parse_server(std::string_view flag, const std::string& text) {
  if (const auto address = IpAddr::parse(text)) return SocketAddr{*address, 53};
  TRY(const SocketAddr server, SocketAddr::parse(text).during(flag));
  if (server.port == 0) return fail(Errc::invalid, std::string(flag) + " " + text + ": port 0");
  return server;
}

Result<> complete_dns(Settings& settings, const Lists& lists) {
  if (lists.host_dns != "off") {
    TRY(const SocketAddr address, parse_server("--host-dns", lists.host_dns));
    if (address.address.is_unspecified() || address.address.is_multicast()) {
      return fail(Errc::invalid,
                  "--host-dns " + lists.host_dns +
                      " must be one address of this host, such as 127.0.0.12: on all of them, "
                      "others would be answered too");
    }
    settings.host_dns = address;
  }
  settings.host_dns_others =
      lists.host_dns_others == "forward" ? Settings::Others::forward : Settings::Others::refuse;
  for (const std::string& text : lists.upstreams) {
    TRY(const SocketAddr server, parse_server("--dns-upstream", text));
    if (server == settings.host_dns) {
      return fail(Errc::invalid,
                  "--dns-upstream " + text + " is --host-dns, which would ask itself");
    }
    settings.dns_upstreams.push_back(server);
  }
  return {};
}

Result<> complete_pools(Settings& settings, const std::vector<std::string>& pools) {
  const int length = settings.local_subnet_length;
  bool v4 = false;
  for (const std::string& text : pools) {
    TRY(const Prefix pool, Prefix::parse(text).during("--local-pool"));
    if (pool.is_v4() && pool.length() > length) {
      return fail(Errc::invalid, "--local-pool " + text + " must hold at least one /" +
                                     std::to_string(length) + " (--local-subnet-length)");
    }
    if (!pool.is_v4() && pool.length() > 64) {
      return fail(Errc::invalid, "--local-pool " + text + " must hold at least one /64");
    }
    v4 = v4 || pool.is_v4();
    settings.local_pools.push_back(pool);
  }
  if (!v4) {
    return fail(Errc::invalid,
                "--local-pool: at least one must be IPv4; give 172.20.0.0/14 beside "
                "the IPv6 ones");
  }
  return {};
}

Result<> complete(Settings& settings, const Lists& lists) {
  TRY_DO(check_directory("--state-dir", settings.state_dir));
  TRY_DO(check_directory("--run-dir", settings.run_dir));
  if (settings.socket.empty()) settings.socket = settings.run_dir + "/heddled.sock";
  TRY_DO(check_socket("--socket", settings.socket));
  for (const auto& [flag, path] : {std::pair("--docker-socket", settings.docker_socket),
                                   std::pair("--podman-socket", settings.podman_socket)}) {
    TRY_DO(check_directory(flag, path));
    TRY_DO(check_socket(flag, path));
  }
  if (settings.node_name.empty()) {
    TRY(settings.node_name, host_name());
  }
  TRY_DO(model::check_name("--name", settings.node_name));
  if (settings.cgroup.empty()) {
    std::ifstream file("/proc/self/mountinfo");
    std::stringstream text;
    text << file.rdbuf();
    TRY(settings.cgroup, find_cgroup2(text.str()));
    settings.workload_cgroup = settings.cgroup + "/heddle";
  } else {
    TRY_DO(check_directory("--cgroup", settings.cgroup));
    settings.workload_cgroup = settings.cgroup;
  }
  TRY_DO(complete_pools(settings, lists.pools));
  TRY_DO(complete_dns(settings, lists));
  for (const std::string& text : lists.never) {
    TRY(const Prefix range, Prefix::parse(text).during("--never-choose"));
    settings.never_choose.push_back(range);
  }
  return {};
}

}  // namespace

Result<Parsed> parse_command_line(int argc, const char* const* argv) {
  Parsed parsed;
  Settings& s = parsed.settings;
  Lists lists{.pools = {"172.20.0.0/14"}};
  std::int64_t audit_seconds = 5;
  CLI::App app{"heddled: networks, services and proxies of this host's containers", "heddled"};
  app.set_version_flag("--version", std::string("heddled ") + HEDDLE_VERSION);
  app.option_defaults()->always_capture_default();
  app.add_option("--socket", s.socket, "API socket (default: heddled.sock in the run directory)")
      ->type_name("PATH");
  app.add_option("--state-dir", s.state_dir, "What outlives a reboot")->type_name("DIR");
  app.add_option("--run-dir", s.run_dir, "What does not")->type_name("DIR");
  app.add_option("--cgroup", s.cgroup,
                 "cgroup2 directory whose processes the socket hooks see (default: all)")
      ->type_name("DIR");
  app.add_option("--name", s.node_name, "Name of this node (default: the host's)")
      ->type_name("NAME");
  app.add_option("--local-pool", lists.pools,
                 "Ranges that subnets of local networks come from, IPv4 and IPv6; without an IPv6 "
                 "one, a unique local prefix (RFC 4193) of this daemon's own")
      ->type_name("CIDR");
  app.add_option("--local-subnet-length", s.local_subnet_length,
                 "Prefix length of the IPv4 subnets that are chosen")
      ->check(CLI::Range(8, 29));
  app.add_option("--never-choose", lists.never, "Ranges that chosen subnets keep clear of")
      ->type_name("CIDR");
  app.add_option("--audit-interval", audit_seconds,
                 "Seconds between comparisons of the kernel with what it should hold")
      ->check(CLI::Range(1, 3600));
  app.add_option("--docker-socket", s.docker_socket, "Where Docker is asked about docker:NAME")
      ->type_name("PATH");
  app.add_option("--podman-socket", s.podman_socket, "Where Podman is asked about podman:NAME")
      ->type_name("PATH");
  app.add_option(
         "--host-dns", lists.host_dns,
         "Address of this host where its own programs can ask for workloads' names, such as "
         "127.0.0.12 or 127.0.0.12:53, or off; see docs/dns.md for the host's side")
      ->type_name("ADDRESS");
  app.add_option(
         "--host-dns-others", lists.host_dns_others,
         "What becomes of other names there: refuse, or forward, for the only resolver of a "
         "host")
      ->check(CLI::IsMember({"refuse", "forward"}));
  app.add_option("--dns-upstream", lists.upstreams,
                 "Resolvers to ask for names that are not ours (default: those of "
                 "/etc/resolv.conf, read again when it changes)")
      ->type_name("ADDRESS");
  app.add_option("--log-level", s.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.footer(
      "Every path is made when it is absent. heddled needs root: CAP_NET_ADMIN, CAP_BPF and\n"
      "CAP_SYS_ADMIN. Several on one host need different --state-dir, --run-dir and --cgroup.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    app.exit(help, std::cout, std::cerr);
    parsed.exit = true;
    return parsed;
  } catch (const CLI::ParseError& error) {
    return fail(Errc::invalid, std::string(error.what()) + "; see heddled --help");
  }
  s.audit_interval = std::chrono::seconds(audit_seconds);
  TRY_DO(complete(s, lists));
  return parsed;
}

Result<std::string> find_cgroup2(const std::string& mountinfo) {
  std::istringstream lines(mountinfo);
  std::string line;
  while (std::getline(lines, line)) {
    // id parent major:minor root mount-point options ... - type source super-options
    const auto dash = line.find(" - ");
    if (dash == std::string::npos || !line.substr(dash + 3).starts_with("cgroup2 ")) continue;
    std::istringstream fields(line);
    std::string skipped, root, mount_point;
    fields >> skipped >> skipped >> skipped >> root >> mount_point;
    if (root == "/") return mount_point;
  }
  return fail(
      Errc::unsupported,
      "no cgroup2 is mounted; mount it (mount -t cgroup2 none /sys/fs/cgroup/unified) or name "
      "a directory of one with --cgroup");
}

}  // namespace heddle::config
