// Queries per second on one core: heddled's DNS server, dnsmasq and unbound, and a floor.
//
// usage: bench_dns [--seconds N] [--rounds N]
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>

#include "common/base/unique_fd.h"
#include "tests/bench/netd/dns/peers.h"
#include "tests/bench/netd/dns/roles.h"
#include "tests/bench/proxy/child.h"

namespace heddle::bench {
namespace {

constexpr int kServerCore = 0;
constexpr int kLoadCore = 1;
constexpr double kWanted = 10'000;  // queries a second on one core

struct Server {
  std::string name;
  std::uint16_t port;
  std::unique_ptr<Child> child;
};

struct Other {
  const char* name;
  Peer (*make)(const std::string& dir, std::uint16_t port, std::uint16_t upstream);
};
constexpr Other kPeers[] = {{"dnsmasq", dnsmasq}, {"unbound", unbound}};

struct Sample {
  double per_second = 0;
  double cpu_us = 0;  // of the server, per query
  double lost = 0;
  double latency_us = 0;
};

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("bench_dns: bind");
    std::exit(1);
  }
  return ntohs(address.sin_port);
}

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
}

// The number after `key` in dnsperf's report.
double number_after(const std::string& text, const std::string& key) {
  const auto at = text.find(key);
  return at == std::string::npos ? 0 : std::atof(text.c_str() + at + key.size());
}

std::string run_dnsperf(const Server& server, const std::string& queries, const std::string& limit,
                        const std::string& log) {
  Child dnsperf(
      {"dnsperf", "-s", "127.0.0.1", "-p", std::to_string(server.port), "-d", queries,
       limit.substr(0, 2), limit.substr(2), "-c", "20", "-q", "100", "-t", "5", "-T", "1"},
      kLoadCore, log);
  dnsperf.wait();
  return read_file(log);
}

Sample measure(const Server& server, const std::string& queries, const std::string& seconds,
               const std::string& log) {
  const double before = cpu_seconds(server.child->pid());
  const std::string text = run_dnsperf(server, queries, "-l" + seconds, log);
  const double cpu = cpu_seconds(server.child->pid()) - before;
  const double completed = number_after(text, "Queries completed:");
  Sample sample;
  sample.per_second = number_after(text, "Queries per second:");
  sample.lost = number_after(text, "Queries lost:");
  sample.latency_us = number_after(text, "Average Latency (s):") * 1e6;
  sample.cpu_us = completed > 0 ? cpu / completed * 1e6 : 0;
  return sample;
}

void write_queries(const std::string& dir) {
  std::string own;
  std::string others;
  for (int n = 0; n < kNames; ++n) {
    const std::string name = std::to_string(n);
    own += n % 10 == 0   ? "x" + name + ".app.heddle.internal A\n"
           : n % 10 == 1 ? "c" + name + ".app.heddle.internal AAAA\n"
                         : "c" + name + ".app.heddle.internal A\n";
    others += "www" + name + ".example.com A\n";
  }
  write_file(dir + "/own", own);
  write_file(dir + "/others", others);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

double median_of(const std::vector<Sample>& samples, double Sample::* field) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.*field);
  return median(values);
}

// False when ours is slower than wanted.
bool report(const char* title, const std::map<std::string, std::vector<Sample>>& samples) {
  const double floor = median_of(samples.at("floor"), &Sample::cpu_us);
  std::printf("\n%s\n%-10s %10s %12s %14s %9s %12s %6s\n", title, "", "q/s", "CPU us/query",
              "q/s of a core", "x floor", "latency us", "lost");
  bool enough = true;
  for (const auto& [name, rounds] : samples) {
    const double cpu = median_of(rounds, &Sample::cpu_us);
    const double of_a_core = cpu > 0 ? 1e6 / cpu : 0;
    std::printf("%-10s %10.0f %12.2f %14.0f %9.2f %12.0f %6.0f\n", name.c_str(),
                median_of(rounds, &Sample::per_second), cpu, of_a_core, floor > 0 ? cpu / floor : 0,
                median_of(rounds, &Sample::latency_us), median_of(rounds, &Sample::lost));
    if (name == "heddled" && of_a_core < kWanted) enough = false;
  }
  return enough;
}

int run(const std::string& dir, const std::string& self, const std::string& seconds, int rounds) {
  const std::uint16_t upstream_port = free_port();
  const Child source({self, "--upstream", std::to_string(upstream_port)}, kLoadCore,
                     dir + "/upstream.log");
  std::vector<Server> servers;
  const auto start = [&](const std::string& name, auto command_for) {
    const std::uint16_t port = free_port();
    servers.push_back(
        {name, port,
         std::make_unique<Child>(command_for(port), kServerCore, dir + "/" + name + ".log")});
  };
  start("floor", [&](std::uint16_t port) {
    return std::vector<std::string>{self, "--echo", std::to_string(port)};
  });
  start("heddled", [&](std::uint16_t port) {
    return std::vector<std::string>{self, "--serve", std::to_string(port),
                                    std::to_string(upstream_port)};
  });
  for (const auto& [name, make] : kPeers) {
    if (installed(name)) {
      start(name, [&](std::uint16_t port) { return make(dir, port, upstream_port).command; });
    } else {
      std::printf("%s is not installed (packages.txt, [bench]) and left out\n", name);
    }
  }
  write_queries(dir);
  const std::string log = dir + "/dnsperf.log";
  bool enough = true;
  for (const auto& [file, title] :
       {std::pair{"/own", "own names"}, std::pair{"/others", "other names, cached"}}) {
    // Until each is there, and has everything in its cache.
    for (const Server& server : servers) {
      for (int i = 0; i < 50; ++i) {
        const std::string text = run_dnsperf(server, dir + file, "-n1", log);
        if (number_after(text, "Queries lost:") == 0 && number_after(text, "completed:") > 0) break;
      }
    }
    std::map<std::string, std::vector<Sample>> samples;
    for (int round = 0; round < rounds; ++round) {
      for (const Server& server : servers) {
        samples[server.name].push_back(measure(server, dir + file, seconds, log));
      }
    }
    enough = report(title, samples) && enough;
  }
  if (!enough) std::printf("\nfewer than %.0f queries a second on one core\n", kWanted);
  return enough ? 0 : 1;
}

int bench(int argc, char** argv) {
  std::string seconds = "2";
  int rounds = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = argv[i + 1];
    if (std::strcmp(argv[i], "--rounds") == 0) rounds = std::atoi(argv[i + 1]);
  }
  if (!installed("dnsperf")) {
    std::fprintf(stderr, "bench_dns: dnsperf is not installed (packages.txt, [bench])\n");
    return 1;
  }
  if (std::thread::hardware_concurrency() < 2) {
    std::fprintf(stderr, "bench_dns: needs two cores, one for the server alone\n");
    return 1;
  }
  char dir[] = "/tmp/heddle-dns-bench-XXXXXX";
  if (!::mkdtemp(dir)) return 1;
  const int status = run(dir, std::filesystem::read_symlink("/proc/self/exe"), seconds, rounds);
  std::filesystem::remove_all(dir);
  return status;
}

std::uint16_t port_of(const char* text) {
  return static_cast<std::uint16_t>(std::atoi(text));
}

}  // namespace
}  // namespace heddle::bench

int main(int argc, char** argv) {
  using namespace heddle::bench;
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == "--echo" && argc == 3) return echo(port_of(argv[2]));
  if (role == "--upstream" && argc == 3) return upstream(port_of(argv[2]));
  if (role == "--serve" && argc == 4) return serve(port_of(argv[2]), port_of(argv[3]));
  return bench(argc, argv);
}
