#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "topologies/engine/lab/lab.h"
#include "topologies/engine/process/cgroup.h"
#include "topologies/engine/process/mounts.h"
#include "topologies/engine/process/supervisor.h"

namespace heddle {

inline process::Supervisor& supervisor() {
  static process::Supervisor instance;
  return instance;
}

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

// A directory for labs of its own, and the program. Destroys what a test left.
class LabProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "labs need root";
    std::random_device random;
    dir_ = "/tmp/heddle-labs-" + std::to_string(random() % 1'000'000);
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override {
    if (dir_.empty()) return;
    const auto labs = lab::list(dir_);
    for (const auto& entry : labs ? *labs : std::vector<lab::Entry>{}) destroy(entry.name);
    EXPECT_TRUE(process::remove_tree(dir_));
  }

  std::shared_ptr<process::Child> start(const std::string& arguments) {
    process::SpawnRequest request;
    const char* bin = std::getenv("HEDDLE_BIN");
    const std::string program = (bin ? std::string(bin) + "/" : std::string()) + "heddle";
    request.command = {"/bin/sh", "-c", "exec " + program + " " + arguments};
    request.env = {{"PATH", std::getenv("PATH")}};
    request.directory = dir_;
    auto child = supervisor().start(request, process::Supervisor::Streams::capture);
    EXPECT_TRUE(child) << child.error().text();
    return *child;
  }
  Outcome heddle(const std::string& arguments) {
    const auto child = start(arguments);
    const auto ending = child->wait(after(std::chrono::seconds(300)));
    EXPECT_TRUE(ending) << arguments << ": " << child->output().text;
    return {ending ? ending->exit : -1, child->output().text, child->error().text};
  }
  Outcome in_lab(const std::string& verb, const std::string& arguments) {
    return heddle("lab " + verb + " --lab-dir " + dir_ + " " + arguments);
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }
  void destroy(const std::string& name) {
    const Outcome done = in_lab("destroy", "--name " + name);
    EXPECT_EQ(done.status, 0) << done.err;
    expect_nothing_left(name);
  }
  void expect_nothing_left(const std::string& name) {
    const auto paths = lab::locate(name, dir_);
    ASSERT_TRUE(paths);
    EXPECT_FALSE(std::filesystem::exists(paths->run_dir()));
    EXPECT_FALSE(std::filesystem::exists(paths->state_dir()));
    EXPECT_FALSE(std::filesystem::exists(paths->cgroup()));
    for (const auto& mount : process::mounts())
      EXPECT_THAT(mount.target, ::testing::Not(::testing::HasSubstr(paths->run_dir())));
  }
  int labd_of(const std::string& name) {
    const auto paths = lab::locate(name, dir_);
    const auto pids = process::processes_in(paths->daemon_cgroup());
    return pids.empty() ? 0 : pids.front();
  }

  std::string dir_;
};

}  // namespace heddle
