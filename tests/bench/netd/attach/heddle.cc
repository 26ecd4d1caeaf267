// heddled itself, through its socket.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "netd/client/client.h"
#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {
namespace {

using namespace std::chrono_literals;

// Where cgroup2 is mounted.
std::string cgroup2() {
  std::ifstream mounts("/proc/mounts");
  std::string device;
  std::string path;
  std::string type;
  for (std::string rest; mounts >> device >> path >> type && std::getline(mounts, rest);) {
    if (type == "cgroup2") return path;
  }
  return "/sys/fs/cgroup";
}

class HeddlePeer final : public Peer {
 public:
  HeddlePeer(const std::string& directory, const HeddleOptions& options)
      : directory_(directory),
        stall_ms_(options.stall_ms),
        cgroup_(cgroup2() + "/heddle-bench-" + std::to_string(::getpid())) {
    std::filesystem::create_directory(cgroup_);
    daemon_ = std::make_unique<Child>(
        std::vector<std::string>{
            (options.programs.empty() ? HEDDLE_BIN_DIR : options.programs) + "/heddled",
            "--state-dir", directory + "/state", "--run-dir", directory + "/run", "--cgroup",
            cgroup_, "--log-level", "warn"},
        directory + "/heddled.log");
  }

  ~HeddlePeer() override {
    auto closing = client::Client::connect(socket(), after(1s));
    auto reset = closing ? (*closing)->reset(after(60s)) : Result<>();
    if (!reset) std::fprintf(stderr, "heddle: %s\n", reset.error().text().c_str());
    daemon_.reset();
    std::error_code ec;
    std::filesystem::remove(cgroup_, ec);
  }

  bool wait() {
    for (int i = 0; i < 1500 && daemon_->alive(); ++i) {
      auto made = client::Client::connect(socket(), after(1s));
      if (made) return true;
      ::usleep(20'000);
    }
    return false;
  }

  std::string name() const override { return "heddle"; }
  std::vector<std::string> add_workloads(int count) override {
    auto paths = add_namespaces("/tmp/w", next_, count);
    next_ += count;
    for (std::string& path : paths) path.insert(0, "netns:");
    return paths;
  }
  std::string create_network(const std::string& network) override {
    client::NetworkDraft draft;
    draft.name = network;
    return text(client().create_network(draft, after(30s)));
  }
  std::string connect(const std::string& network, const std::string& workload) override {
    client::Attachment attachment;
    attachment.network = network;
    attachment.workload = workload;
    return text(client().attach(attachment, after(30s)));
  }
  std::string disconnect(const std::string& network, const std::string& workload) override {
    return text(client().disconnect(network, workload, after(30s)));
  }
  double resident_bytes() const override { return bench::resident_bytes(daemon_->pid()); }
  double cpu_seconds() const override { return bench::cpu_seconds(daemon_->pid()); }

  void stall() override {
    if (stall_ms_ == 0) return;
    ::kill(daemon_->pid(), SIGSTOP);
    std::thread([pid = daemon_->pid(), wait = stall_ms_] {
      ::usleep(static_cast<useconds_t>(wait) * 1000);
      ::kill(pid, SIGCONT);
    }).detach();
  }

 private:
  static std::string text(const auto& result) {
    return result ? std::string() : result.error().text();
  }
  std::string socket() const { return directory_ + "/run/heddled.sock"; }
  // One connection for each calling thread.
  client::Client& client() {
    const std::lock_guard lock(mutex_);
    auto& mine = clients_[std::this_thread::get_id()];
    for (int i = 0; i < 10 && !mine; ++i) {
      if (auto made = client::Client::connect(socket(), after(30s))) mine = *std::move(made);
    }
    if (!mine) std::exit(1);
    return *mine;
  }

  std::string directory_;
  int stall_ms_;
  std::string cgroup_;
  std::unique_ptr<Child> daemon_;
  int next_ = 0;
  std::mutex mutex_;
  std::map<std::thread::id, std::unique_ptr<client::Client>> clients_;
};

}  // namespace

std::unique_ptr<Peer> start_heddle(const std::string& directory, const HeddleOptions& options) {
  auto peer = std::make_unique<HeddlePeer>(directory, options);
  if (peer->wait()) return peer;
  std::fprintf(stderr, "heddled does not start; see %s/heddled.log\n", directory.c_str());
  return nullptr;
}

}  // namespace heddle::bench
