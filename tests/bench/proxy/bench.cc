// heddle-proxy beside HAProxy and nginx: requests per second, latency and CPU time per request, on
// loopback, keep-alive on both sides, one thread each. The proxy has core 0 for itself, load and
// backend share the other; programs take turns, and the median of the rounds counts.
//
// usage: bench_proxy [--seconds N] [--rounds N]
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "tests/bench/proxy/child.h"
#include "tests/support/proxy/fake_control.h"
#include "tests/support/proxy/proxy_process.h"

namespace heddle::bench {
namespace {

constexpr int kProxyCore = 0;
constexpr int kLoadCore = 1;

struct Case {
  const char* name;
  int connections;
  const char* path;
};
constexpr Case kCases[] = {{"2 B, 1 connection", 1, "/"},
                           {"2 B, 64 connections", 64, "/"},
                           {"64 KiB, 16 connections", 16, "/big"}};

struct Sample {
  double requests_per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0;  // of the proxy, per request
  double failed = 0;
};

std::uint16_t free_port() {
  std::uint16_t port = 0;
  testing::listen_on_loopback(&port).reset();
  return port;
}

void wait_for(std::uint16_t port) {
  for (int i = 0; i < 500 && !testing::connect_to(port); ++i) ::usleep(20'000);
}

// wrk prints `Latency 50% 1.23ms` and the like.
double microseconds(const std::string& text) {
  char* unit = nullptr;
  const double value = std::strtod(text.c_str(), &unit);
  if (std::strncmp(unit, "us", 2) == 0) return value;
  if (std::strncmp(unit, "ms", 2) == 0) return value * 1e3;
  return value * 1e6;
}

double after(const std::string& text, const std::string& key, bool time) {
  const auto at = text.find(key);
  if (at == std::string::npos) return 0;
  const auto begin = text.find_first_not_of(" :", at + key.size());
  const std::string word = text.substr(begin, 20);
  return time ? microseconds(word) : std::atof(word.c_str());
}

struct Proxy {
  std::string name;
  std::uint16_t port;
  pid_t pid;
};

Sample measure(const Proxy& proxy, const Case& one, const std::string& seconds,
               const std::string& log) {
  const double cpu_before = cpu_seconds(proxy.pid);
  Child wrk({"wrk", "-t1", "-c" + std::to_string(one.connections), "-d" + seconds + "s",
             "--latency", "http://127.0.0.1:" + std::to_string(proxy.port) + one.path},
            kLoadCore, log);
  wrk.wait();
  const double cpu = cpu_seconds(proxy.pid) - cpu_before;
  const std::string text = read_file(log);
  Sample sample;
  sample.requests_per_second = after(text, "Requests/sec", false);
  sample.p50_us = after(text, "50%", true);
  sample.p99_us = after(text, "99%", true);
  const auto total = text.rfind('\n', text.find(" requests in"));
  const double requests = std::atof(text.c_str() + total + 1);
  sample.cpu_us = requests > 0 ? cpu / requests * 1e6 : 0;
  sample.failed = after(text, "Non-2xx or 3xx responses", false);
  return sample;
}

std::string nginx_common(const std::string& dir, const std::string& name) {
  return "daemon off; worker_processes 1; pid " + dir + "/" + name + ".pid; error_log " + dir +
         "/" + name +
         ".err;\nevents { worker_connections 4096; }\nhttp { access_log off; "
         "client_body_temp_path " +
         dir + "; proxy_temp_path " + dir + "; fastcgi_temp_path " + dir + "; uwsgi_temp_path " +
         dir + "; scgi_temp_path " + dir +
         "; keepalive_requests 100000000; sendfile on; tcp_nodelay on;\n";
}

std::string backend_config(const std::string& dir, std::uint16_t port) {
  return nginx_common(dir, "backend") + "server { listen 127.0.0.1:" + std::to_string(port) +
         "; location / { return 200 ok; } location /big { root " + dir + "; } } }\n";
}

std::string nginx_config(const std::string& dir, std::uint16_t port, std::uint16_t backend) {
  return nginx_common(dir, "nginx") + "upstream u { server 127.0.0.1:" + std::to_string(backend) +
         "; keepalive 128; keepalive_requests 100000000; }\nserver { listen 127.0.0.1:" +
         std::to_string(port) +
         "; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "
         "\"\"; proxy_buffering off; } } }\n";
}

std::string haproxy_config(std::uint16_t port, std::uint16_t backend) {
  return "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  option http-keep-alive\n"
         "  http-reuse always\n  timeout connect 1s\n  timeout client 60s\n  timeout server 30s\n"
         "frontend f\n  bind 127.0.0.1:" +
         std::to_string(port) +
         "\n  default_backend b\nbackend b\n  server s 127.0.0.1:" + std::to_string(backend) + "\n";
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

void report(const Case& one, const std::map<std::string, std::vector<Sample>>& samples) {
  std::printf("\n%s\n%-14s %10s %10s %10s %12s %7s\n", one.name, "", "req/s", "p50 us", "p99 us",
              "CPU us/req", "failed");
  for (const auto& [name, rounds] : samples) {
    const auto of = [&](double Sample::* field) {
      std::vector<double> values;
      for (const Sample& sample : rounds) values.push_back(sample.*field);
      return median(values);
    };
    std::printf("%-14s %10.0f %10.0f %10.0f %12.2f %7.0f\n", name.c_str(),
                of(&Sample::requests_per_second), of(&Sample::p50_us), of(&Sample::p99_us),
                of(&Sample::cpu_us), of(&Sample::failed));
  }
}

void run(const std::string& dir, const std::string& seconds, int rounds) {
  const std::uint16_t backend_port = free_port();
  const std::uint16_t nginx_port = free_port();
  const std::uint16_t haproxy_port = free_port();
  write_file(dir + "/backend.conf", backend_config(dir, backend_port));
  write_file(dir + "/nginx.conf", nginx_config(dir, nginx_port, backend_port));
  write_file(dir + "/haproxy.cfg", haproxy_config(haproxy_port, backend_port));
  write_file(dir + "/big", std::string(64 << 10, 'x'));

  const Child backend({"nginx", "-c", dir + "/backend.conf"}, kLoadCore, dir + "/backend.log");
  const Child nginx({"nginx", "-c", dir + "/nginx.conf"}, kProxyCore, dir + "/nginx.log");
  const Child haproxy({"haproxy", "-db", "-f", dir + "/haproxy.cfg"}, kProxyCore,
                      dir + "/haproxy.log");
  testing::FakeControl control(dir + "/control.sock");
  testing::pb::Snapshot snapshot;
  snapshot.set_revision(1);
  *snapshot.add_listeners() = testing::http_listener("lb", "web", "web");
  *snapshot.add_target_groups() = testing::group_of("web", testing::pb::PROTOCOL_HTTP1,
                                                    {{IpAddr::v4(0x7f000001), backend_port}});
  control.set_snapshot(snapshot);
  control.start();
  ::chmod((dir + "/control.sock").c_str(), 0777);
  ::setenv("HEDDLE_BIN", HEDDLE_BIN_DIR, 0);
  testing::ProxyProcess::Options options;
  options.control_socket = dir + "/control.sock";
  options.arguments = {"--log-level", "warn"};
  const testing::ProxyProcess heddle(options);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(kProxyCore, &cores);
  ::sched_setaffinity(heddle.pid(), sizeof cores, &cores);
  control.wait_for_ack(1, std::chrono::seconds(20));
  for (const std::uint16_t port : {backend_port, nginx_port, haproxy_port}) wait_for(port);

  const Proxy proxies[] = {{"heddle-proxy", heddle.port("web"), heddle.pid()},
                           {"haproxy", haproxy_port, haproxy.pid()},
                           {"nginx", nginx_port, nginx.pid()}};
  for (const Case& one : kCases) {
    std::map<std::string, std::vector<Sample>> samples;
    for (int round = 0; round < rounds; ++round) {
      for (const Proxy& proxy : proxies) {
        samples[proxy.name].push_back(measure(proxy, one, seconds, dir + "/wrk.log"));
      }
    }
    report(one, samples);
  }
}

}  // namespace
}  // namespace heddle::bench

int main(int argc, char** argv) {
  std::string seconds = "3";
  int rounds = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = argv[i + 1];
    if (std::strcmp(argv[i], "--rounds") == 0) rounds = std::atoi(argv[i + 1]);
  }
  for (const char* program : {"wrk", "haproxy", "nginx"}) {
    if (std::system(("command -v " + std::string(program) + " >/dev/null").c_str()) != 0) {
      std::fprintf(stderr, "bench_proxy: %s is not installed (packages.txt, [bench])\n", program);
      return 1;
    }
  }
  if (std::thread::hardware_concurrency() < 2) {
    std::fprintf(stderr, "bench_proxy: needs two cores, one for the proxy alone\n");
    return 1;
  }
  char dir[] = "/tmp/heddle-proxy-bench-XXXXXX";
  if (!::mkdtemp(dir)) return 1;
  ::chmod(dir, 0755);
  heddle::bench::run(dir, seconds, rounds);
  std::filesystem::remove_all(dir);
  return 0;
}
