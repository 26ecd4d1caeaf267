#pragma once
#include <memory>
#include <string>
#include <vector>

// Who is measured: each makes networks and connects waiting workloads to them.
namespace heddle::bench {

class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::string name() const = 0;
  // Makes `count` workloads that are connected to nothing; how they are called from then on. Fewer
  // when the peer cannot.
  virtual std::vector<std::string> add_workloads(int count) = 0;
  // Each says what went wrong; "" is success. Threads: any.
  virtual std::string create_network(const std::string& network) = 0;
  virtual std::string connect(const std::string& network, const std::string& workload) = 0;
  virtual std::string disconnect(const std::string& network, const std::string& workload) = 0;
  virtual double resident_bytes() const = 0;        // of its daemon; 0: it has none
  virtual double cpu_seconds() const { return 0; }  // that its daemon used; 0: it has none
  // Between this and the end of the next call nothing of the daemon runs for some milliseconds: the
  // defect that shows whether the figures follow.
  virtual void stall() {}
};

// Null with the reason printed when it cannot run here. `directory` is on a disk, and empty.
struct HeddleOptions {
  std::string programs;  // directory of heddled and heddle-holder; "": of this build
  int stall_ms = 0;
};
std::unique_ptr<Peer> start_heddle(const std::string& directory, const HeddleOptions& options);
std::unique_ptr<Peer> start_cni(const std::string& directory);
std::unique_ptr<Peer> start_docker(const std::string& directory);

// A machine of our own; the disk stays the real one, for commits wait for it. Ends the program when
// that is not allowed.
void enter_private_host();

// Pins new network namespaces as PREFIX0, PREFIX1 ...
std::vector<std::string> add_namespaces(const std::string& prefix, int first, int count);

}  // namespace heddle::bench
