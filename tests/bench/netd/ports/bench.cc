// What publishing many ports costs, as the caller of heddled's API sees it: a range and single
// ones, with the connect and added later; what looking at 10,000 elements costs an audit; and
// nft(8) adding as many elements to a map of its own, in the same run.
//
// usage: bench_ports [--repeat N] [--programs DIR]
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "netd/client/client.h"
#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Ports = std::vector<model::PublishedPort>;

constexpr std::uint16_t kFirst = 20'000;
constexpr std::uint16_t kMany = 1000;
constexpr int kRangesForAudit = 10;

void must(const auto& result) {
  if (result) return;
  std::fprintf(stderr, "%s\n", result.error().text().c_str());
  std::exit(1);
}

double milliseconds(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void print(const char* what, std::vector<double> values) {
  std::ranges::sort(values);
  std::printf("%-52s median %7.2f ms  worst %7.2f ms\n", what, values[values.size() / 2],
              values.back());
  std::fflush(stdout);
}

Ports one_range(std::uint16_t first) {
  return {{.host_port = first, .port = first, .count = kMany}};
}

// Every second port, so that no two could be written as a range.
Ports single_ones() {
  Ports ports;
  for (std::uint16_t i = 0; i < kMany; ++i) {
    const auto port = static_cast<std::uint16_t>(kFirst + 2 * i);
    ports.push_back({.host_port = port, .port = port});
  }
  return ports;
}

class Bench {
 public:
  Bench(const std::string& directory, const std::string& programs, int repeat)
      : heddle_(start_heddle(directory, {.programs = programs})), repeat_(repeat) {
    CHECK(heddle_ != nullptr);
    client_ = client::Client::connect(directory + "/run/heddled.sock", after(5s)).value();
    CHECK(heddle_->create_network("app").empty());
    workload_ = heddle_->add_workloads(1).front();
  }

  void connect(const char* what, const Ports& ports) {
    std::vector<double> took;
    for (int i = 0; i < repeat_; ++i) {
      took.push_back(milliseconds([&] { attach(ports); }));
      must(client_->disconnect("app", workload_, after(30s)));
    }
    print(what, took);
  }

  void add_later(const char* what, const Ports& ports) {
    std::vector<double> took;
    std::vector<double> took_away;
    attach({});
    for (int i = 0; i < repeat_; ++i) {
      took.push_back(milliseconds([&] { publish(ports, {}); }));
      took_away.push_back(milliseconds([&] { publish({}, ports); }));
    }
    must(client_->disconnect("app", workload_, after(30s)));
    print((std::string(what) + " added").c_str(), took);
    print((std::string(what) + " taken away").c_str(), took_away);
  }

  // `heddle verify` is an audit without the mending.
  void audit() {
    attach({});
    const std::vector<double> without = verify_times();
    for (std::uint16_t i = 0; i < kRangesForAudit; ++i) {
      publish(one_range(static_cast<std::uint16_t>(kFirst + i * kMany)), {});
    }
    print("audit without published ports, nftables changed", without);
    print("audit with 10,000, nftables changed", verify_times());
    std::vector<double> unchanged;
    for (int i = 0; i < repeat_; ++i) unchanged.push_back(verify());
    print("audit with 10,000, nftables as before", unchanged);
    must(client_->disconnect("app", workload_, after(30s)));
  }

 private:
  void attach(const Ports& ports) {
    client::Attachment attachment;
    attachment.network = "app";
    attachment.workload = workload_;
    attachment.published = ports;
    must(client_->attach(attachment, after(30s)));
  }
  void publish(const Ports& add, const Ports& remove) {
    client::Publication publication;
    publication.workload = workload_;
    publication.add = add;
    publication.remove = remove;
    must(client_->publish(publication, after(30s)));
  }
  double verify() {
    return milliseconds([&] {
      const auto verified = client_->verify(client::Repair::no, after(60s));
      must(verified);
      CHECK(verified->differences.empty());
    });
  }
  // Somebody else's table changes before each, so that the elements have to be read again.
  std::vector<double> verify_times() {
    std::vector<double> took;
    std::string output;
    for (int i = 0; i < repeat_; ++i) {
      const std::string name = "other" + std::to_string(other_++);
      CHECK(run({"nft", "add", "table", "ip", name}, {"PATH=/usr/sbin:/usr/bin"}, "", output) == 0);
      took.push_back(verify());
    }
    return took;
  }

  std::unique_ptr<Peer> heddle_;
  const int repeat_;
  std::unique_ptr<client::Client> client_;
  std::string workload_;
  int other_ = 0;
};

// The same elements in a map of the same type, by a program that is started for it.
void measure_nft(const std::string& directory, int repeat) {
  std::string elements;
  for (const model::PublishedPort& port : single_ones()) {
    const std::string number = std::to_string(port.host_port);
    elements += (elements.empty() ? "" : ", ") + ("tcp . " + number + " : 10.0.0.2 . " + number);
  }
  const std::string file = directory + "/elements.nft";
  std::ofstream(file) << "add element ip floor ports { " << elements << " }\n";
  std::string output;
  const std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin"};
  const std::string make =
      "add table ip floor; add map ip floor ports "
      "{ type inet_proto . inet_service : ipv4_addr . inet_service; }";
  CHECK(run({"nft", make}, environment, "", output) == 0);
  std::vector<double> took;
  for (int i = 0; i < repeat; ++i) {
    took.push_back(
        milliseconds([&] { CHECK(run({"nft", "-f", file}, environment, "", output) == 0); }));
    CHECK(run({"nft", "flush", "map", "ip", "floor", "ports"}, environment, "", output) == 0);
  }
  print("nft -f: 1,000 elements", took);
}

int run_all(int repeat, const std::string& programs) {
  char directory[] = "/var/tmp/heddle-ports-XXXXXX";
  if (::mkdtemp(directory) == nullptr) return 1;
  std::filesystem::permissions(directory, std::filesystem::perms(0755));
  {
    Bench bench(directory, programs, repeat);
    bench.connect("connect, nothing published", {});
    bench.connect("connect with a range of 1,000", one_range(kFirst));
    bench.connect("connect with 1,000 single ports", single_ones());
    bench.add_later("a range of 1,000", one_range(kFirst));
    bench.add_later("1,000 single ports", single_ones());
    bench.audit();
  }
  measure_nft(directory, repeat);
  std::error_code ec;
  std::filesystem::remove_all(directory, ec);
  return 0;
}

}  // namespace
}  // namespace heddle::bench

int main(int argc, char** argv) {
  int repeat = 20;
  std::string programs;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--repeat") repeat = std::max(1, std::atoi(argv[i + 1]));
    if (std::string(argv[i]) == "--programs") programs = argv[i + 1];
  }
  heddle::bench::enter_private_host();
  return heddle::bench::run_all(repeat, programs);
}
