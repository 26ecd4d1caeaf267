// How long labs take to stand and to go: 100 namespaces on one switch, with Mininet in the same
// run, and 1,000 nodes with 2,000 links. What each is judged by is in README.md.
//
// usage: bench_scale [--repeat N] [--nodes N] [--defect]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kSwitched = 100;
constexpr int kChord = 37;  // from each node of the mesh to the one so many further
const std::vector<std::string> kEnvironment{"PATH=" HEDDLE_BIN_DIR
                                            ":/usr/sbin:/usr/bin:/sbin:/bin"};

struct Options {
  int repeat = 5;
  int nodes = 1000;
  bool defect = false;
};

double seconds(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string must_run(const std::vector<std::string>& command) {
  std::string output;
  if (run(command, kEnvironment, "", output) == 0) return output;
  std::string words;
  for (const std::string& word : command) words += word + " ";
  std::fprintf(stderr, "failed: %s\n%s\n", words.c_str(), output.c_str());
  std::exit(1);
}

std::string address(int number) {  // 10.0.0.0 and so many
  return "10." + std::to_string(number >> 16 & 255) + "." + std::to_string(number >> 8 & 255) +
         "." + std::to_string(number & 255);
}

std::string node(int number) {
  return "n" + std::to_string(number + 1);
}

struct Ping {
  std::string from;
  std::string to;
};
struct Lab {
  std::string name;
  std::string text;
  std::vector<Ping> pings;
};

Lab switched(int nodes) {
  Lab lab{.name = "switched", .text = "", .pings = {}};
  std::string links;
  lab.text = "name: switched\ntopology:\n  nodes:\n    sw: {kind: bridge}\n";
  for (int i = 0; i < nodes; ++i) {
    lab.text += "    " + node(i) + ": {}\n";
    links += "    - {endpoints: [\"" + node(i) + ":eth1\", \"sw:" + node(i) + "\"], ipv4: [" +
             address(i + 1) + "/16]}\n";
  }
  lab.text += "  links:\n" + links;
  lab.pings = {{node(0), address(nodes)}, {node(nodes - 1), address(nodes / 2)}};
  return lab;
}

// A ring, and a chord from each node: twice as many links as nodes, each its own /30.
Lab mesh(int nodes) {
  Lab lab{.name = "mesh", .text = "name: mesh\ntopology:\n  nodes:\n", .pings = {}};
  std::string links;
  const auto link = [&](int number, int from, const char* out, int to, const char* in) {
    links += "    - {endpoints: [\"" + node(from) + ":" + out + "\", \"" + node(to) + ":" + in +
             "\"], ipv4: [" + address(4 * number + 1) + "/30, " + address(4 * number + 2) +
             "/30]}\n";
  };
  for (int i = 0; i < nodes; ++i) {
    lab.text += "    " + node(i) + ": {}\n";
    link(2 * i, i, "eth1", (i + 1) % nodes, "eth2");
    link(2 * i + 1, i, "eth3", (i + kChord) % nodes, "eth4");
  }
  lab.text += "  links:\n" + links;
  for (const int i : {0, nodes / 2, nodes - 1}) {
    lab.pings.push_back({node(i), address(8 * i + 2)});
    lab.pings.push_back({node(i), address(8 * i + 6)});
  }
  return lab;
}

// Most of what one program had resident, from /proc/PID/status.
double peak_megabytes(const std::string& pid) {
  std::ifstream status("/proc/" + pid + "/status");
  std::string key;
  while (status >> key) {
    double kilobytes = 0;
    if (key == "VmHWM:" && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

std::string daemon_of(const std::string& inspected) {
  const std::string key = "\"daemon_pid\":";
  const std::size_t at = inspected.find(key);
  if (at == std::string::npos) return "";
  const std::size_t from = at + key.size();
  return inspected.substr(from, inspected.find_first_not_of("0123456789", from) - from);
}

// Namespaces are taken apart by one kernel thread, in order: when one that was given up after all
// others has gone, they have.
void wait_for_kernel() {
  must_run({"ip", "netns", "add", "last"});
  must_run({"ip", "link", "add", "last0", "type", "veth", "peer", "name", "e", "netns", "last"});
  must_run({"ip", "netns", "del", "last"});
  const auto deadline = Clock::now() + 120s;
  while (std::filesystem::exists("/sys/class/net/last0")) {
    if (Clock::now() > deadline) std::exit(1);
    std::this_thread::sleep_for(1ms);
  }
}

struct Times {
  std::vector<double> up, down, gone, labd_mb;
};

void print(const std::string& what, std::vector<double> values, const char* unit) {
  std::ranges::sort(values);
  std::printf("%-44s median %7.3f %s  worst %7.3f %s\n", what.c_str(), values[values.size() / 2],
              unit, values.back(), unit);
  std::fflush(stdout);
}

class Bench {
 public:
  Bench(std::string directory, const Options& options)
      : directory_(std::move(directory)), options_(options) {}

  void measure(const Lab& lab, const std::string& what) {
    const std::string file = directory_ + "/" + lab.name + ".yml";
    std::ofstream(file) << lab.text;
    Times times;
    for (int i = 0; i < options_.repeat; ++i) once(lab, file, times);
    print(what + ", up", times.up, "s");
    print(what + ", down", times.down, "s");
    print(what + ", down and the kernel done", times.gone, "s");
    print(what + ", heddle-labd at most", times.labd_mb, "MB");
  }

 private:
  std::vector<std::string> command(const std::string& verb, std::vector<std::string> rest) {
    std::vector<std::string> out{HEDDLE_BIN_DIR "/heddle", "lab", verb, "--lab-dir",
                                 directory_ + "/labs"};
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
  }

  void once(const Lab& lab, const std::string& file, Times& times) {
    times.up.push_back(seconds([&] { must_run(command("deploy", {file})); }));
    if (options_.defect)
      must_run(command(
          "exec", {"--name", lab.name, lab.pings.front().from, "--", "ip", "link", "del", "eth1"}));
    for (const Ping& ping : lab.pings)
      must_run(
          command("exec", {"--name", lab.name, ping.from, "--", "ping", "-c1", "-W2", ping.to}));
    const std::string inspected =
        must_run(command("inspect", {"--name", lab.name, "--format", "json"}));
    times.labd_mb.push_back(peak_megabytes(daemon_of(inspected)));
    const double down = seconds([&] { must_run(command("destroy", {"--name", lab.name})); });
    times.down.push_back(down);
    times.gone.push_back(down + seconds(wait_for_kernel));
  }

  std::string directory_;
  const Options& options_;
};

void measure_mininet(int repeat) {
  std::string output;
  const std::vector<std::string> probe{"/usr/bin/python3", "-c", "import mininet"};
  if (run(probe, kEnvironment, "", output) != 0) {
    std::printf("Mininet is not installed (packages.txt, [bench]): not measured\n");
    return;
  }
  std::vector<double> up;
  std::vector<double> down;
  for (int i = 0; i < repeat; ++i) {
    const std::string out =
        must_run({"/usr/bin/python3", HEDDLE_MININET_PEER, std::to_string(kSwitched)});
    double times[2] = {};
    if (std::sscanf(out.c_str(), "%lf %lf", &times[0], &times[1]) != 2) std::exit(1);
    up.push_back(times[0]);
    down.push_back(times[1]);
  }
  print("Mininet, 100 on one switch, up", up, "s");
  print("Mininet, 100 on one switch, down", down, "s");
}

// What a run that failed left.
void clean(const std::string& directory) {
  std::string output;
  for (const char* lab : {"switched", "mesh"})
    run({HEDDLE_BIN_DIR "/heddle", "lab", "destroy", "--lab-dir", directory + "/labs", "--name",
         lab},
        kEnvironment, "", output);
  std::error_code ec;
  std::filesystem::remove_all(directory, ec);
}

int run_all(const Options& options) {
  char directory[] = "/var/tmp/heddle-scale-XXXXXX";
  if (::mkdtemp(directory) == nullptr) return 1;
  static std::string to_clean;  // for what ends the program
  to_clean = directory;
  std::atexit([] { clean(to_clean); });
  Bench bench(directory, options);
  bench.measure(switched(kSwitched), "100 on one switch");
  bench.measure(mesh(options.nodes), std::to_string(options.nodes) + " nodes, " +
                                         std::to_string(2 * options.nodes) + " links");
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  std::printf("%-44s %7.3f MB\n", "heddle lab at most",
              static_cast<double>(usage.ru_maxrss) / 1024);
  measure_mininet(options.repeat);
  return 0;
}

}  // namespace
}  // namespace heddle::bench

int main(int argc, char** argv) {
  heddle::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--defect") options.defect = true;
    if (word == "--repeat" && i + 1 < argc) options.repeat = std::max(1, std::atoi(argv[++i]));
    if (word == "--nodes" && i + 1 < argc) options.nodes = std::max(100, std::atoi(argv[++i]));
  }
  heddle::bench::enter_private_host();
  return heddle::bench::run_all(options);
}
