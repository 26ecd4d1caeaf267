#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "netd/cluster/cluster.h"

namespace heddle::cluster {

inline IpAddr address(const std::string& text) {
  return *IpAddr::parse(text);
}
inline Deadline soon() {
  return after(std::chrono::seconds(30));
}

// Prints what a step took, for people who read the log of a test run.
class Step {
 public:
  explicit Step(std::string what) : what_(std::move(what)) {}
  ~Step() {
    const auto took = std::chrono::steady_clock::now() - begun_;
    std::cout << "  " << what_ << ": "
              << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms\n";
  }

 private:
  std::string what_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

// One node of a swarm: a Cluster with a state directory, and what it was told.
class SwarmNode {
 public:
  SwarmNode(std::string name, const std::string& at) : name_(std::move(name)), at_(address(at)) {
    char path[] = "/tmp/heddle-swarm-XXXXXX";
    dir_ = ::mkdtemp(path);
  }
  // In a directory that outlives this object.
  SwarmNode(std::string name, const std::string& at, std::string dir)
      : name_(std::move(name)), at_(address(at)), dir_(std::move(dir)), keep_dir_(true) {}
  ~SwarmNode() {
    close();
    if (!keep_dir_) std::filesystem::remove_all(dir_);
  }

  void open() {
    auto opened = Cluster::open({.state_dir = dir_ + "/swarm",
                                 .run_dir = dir_,
                                 .node_name = name_,
                                 .etcd_binary = "",
                                 .etcd_cgroup = ""},
                                {.on_state = [this](SwarmState state) { take(std::move(state)); },
                                 .on_session = [this](bool up) { take(up); },
                                 .on_refused =
                                     [this](model::Id id, Error why) {
                                       const std::lock_guard lock(mutex_);
                                       refused_.emplace_back(id, why);
                                       changed_.notify_all();
                                     }});
    ASSERT_TRUE(opened) << opened.error().text();
    cluster_ = std::move(*opened);
  }
  void close() {
    cluster_.reset();
    const std::lock_guard lock(mutex_);
    up_ = false;
    state_ = {};
  }

  Cluster& operator*() { return *cluster_; }
  Cluster* operator->() { return cluster_.get(); }

  Result<model::Node> init() {
    Cluster::InitRequest request;
    request.advertise = at_;
    request.data_address = at_;
    request.pool = *Prefix::parse("10.32.0.0/11");
    auto made = cluster_->init(request, soon());
    if (made) id_ = made->id;
    return made;
  }
  Result<model::Node> join(const std::string& token, const std::string& manager) {
    auto joined = cluster_->join({token, manager, at_, 7373, at_}, soon());
    if (joined) id_ = joined->id;
    return joined;
  }

  SwarmState state() {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  // Waits until the state satisfies `wanted`.
  bool wait(const std::function<bool(const SwarmState&)>& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return wanted(state_); });
  }
  bool wait_session(bool up) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return up_ == up; });
  }
  std::optional<Error> wait_refusal() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !refused_.empty(); });
    if (refused_.empty()) return std::nullopt;
    return refused_.front().second;
  }
  const std::string& dir() const { return dir_; }
  const model::Id& id() const { return id_; }  // since it joined
  const IpAddr& at() const { return at_; }

 private:
  void take(SwarmState state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
    changed_.notify_all();
  }
  void take(bool up) {
    const std::lock_guard lock(mutex_);
    up_ = up;
    changed_.notify_all();
  }

  std::string name_;
  IpAddr at_;
  model::Id id_;
  std::string dir_;
  bool keep_dir_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  SwarmState state_;
  bool up_ = false;
  std::vector<std::pair<model::Id, Error>> refused_;
  std::unique_ptr<Cluster> cluster_;
};

// Looks every 50 ms, for 30 s.
inline bool wait_for(const std::function<bool()>& wanted) {
  for (int i = 0; i < 600; ++i) {
    if (wanted()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

// Processes whose command line names the directory: the etcd of its manager.
inline std::vector<::pid_t> find_etcd(const std::string& dir) {
  std::vector<::pid_t> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failed)) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    if (line.find("--data-dir=" + dir) != std::string::npos) {
      found.push_back(std::stoi(entry.path().filename()));
    }
  }
  return found;
}

inline const model::Endpoint* find_endpoint(const SwarmState& state, const model::Id& id) {
  const auto found = std::ranges::find(state.endpoints, id, &model::Endpoint::id);
  return found == state.endpoints.end() ? nullptr : &*found;
}
inline const model::Node* find_node(const SwarmState& state, const model::Id& id) {
  const auto found = std::ranges::find(state.nodes, id, &model::Node::id);
  return found == state.nodes.end() ? nullptr : &*found;
}

inline model::Endpoint endpoint(const model::Id& id, const model::Network& network,
                                const IpAddr& at) {
  model::Endpoint made;
  made.id = id;
  made.network = network.id;
  made.workload = "00000000000000aa";
  made.workload_name = "w-" + id;
  made.address = {at, network.subnets.front().prefix.length()};
  made.mac = {{0x02, 0, 0, 0, 0, 1}};
  made.interface = "eth0";
  made.state = model::EndpointState::ready;
  return made;
}

inline model::Network draft(const std::string& name) {
  model::Network network;
  network.name = name;
  network.driver = "overlay";
  network.scope = model::Scope::swarm;
  return network;
}

}  // namespace heddle::cluster
