#pragma once
#include <sys/types.h>

#include <string>

#include "tests/support/host/private_host.h"
#include "tests/support/real_programs.h"

namespace heddle::peer {

// A host of the test's own with a real container engine, Docker or Podman, which can be killed and
// started again, and an image `box:1` of busybox. What it starts is in a cgroup of the test's,
// which ends with it.
class ContainerEngine final {
 public:
  explicit ContainerEngine(std::string engine);  // docker or podman
  ContainerEngine(const ContainerEngine&) = delete;
  ContainerEngine& operator=(const ContainerEngine&) = delete;
  ~ContainerEngine();

  // Empty, or why this machine cannot.
  static std::string missing(const std::string& engine);

  void start();
  void kill();

  const std::string& name() const { return name_; }
  const std::string& directory() const { return host_.directory(); }
  std::string socket() const;
  std::string command() const;  // `docker -H ...`
  // `docker ARGUMENTS`; its output.
  std::string run(const std::string& arguments) const;

  // The test's cgroup: its name, and where it is.
  const std::string& group() const { return group_; }
  std::string cgroup() const { return cgroups_ + "/" + group_; }
  // A child in a cgroup below it.
  ::pid_t spawn(const std::string& line, const std::string& log, const std::string& cgroup) const;

 private:
  host::PrivateHost host_;
  const std::string name_;
  std::string cgroups_;  // where cgroup2 is mounted
  std::string group_;
  ::pid_t pid_ = 0;
};

}  // namespace heddle::peer
