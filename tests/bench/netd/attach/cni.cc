// The reference CNI plugins, bridge with host-local addresses, as a container runtime runs them.
// Source: CNI specification 1.0, https://www.cni.dev/docs/spec/.
#include <unistd.h>

#include <cstdio>
#include <map>
#include <mutex>

#include "tests/bench/netd/attach/child.h"
#include "tests/bench/netd/attach/peer.h"

namespace heddle::bench {
namespace {

constexpr const char* kPlugins = "/usr/lib/cni";

class CniPeer final : public Peer {
 public:
  explicit CniPeer(std::string directory) : directory_(std::move(directory)) {}

  std::string name() const override { return "CNI bridge"; }
  std::vector<std::string> add_workloads(int count) override {
    auto paths = add_namespaces("/tmp/cni", next_, count);
    next_ += count;
    return paths;
  }
  // A configuration file is all that a network is.
  std::string create_network(const std::string& network) override {
    const std::lock_guard lock(mutex_);
    const std::string number = std::to_string(configurations_.size());
    configurations_[network] =
        R"({"cniVersion":"1.0.0","name":")" + network + R"(","type":"bridge","bridge":"cni)" +
        number + R"(","isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","dataDir":")" +
        directory_ + R"(","ranges":[[{"subnet":"10.9)" + number +
        R"(.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}})";
    return "";
  }
  std::string connect(const std::string& network, const std::string& workload) override {
    return call("ADD", network, workload);
  }
  std::string disconnect(const std::string& network, const std::string& workload) override {
    return call("DEL", network, workload);
  }
  double resident_bytes() const override { return 0; }

 private:
  std::string call(const std::string& verb, const std::string& network,
                   const std::string& workload) {
    std::string input;
    {
      const std::lock_guard lock(mutex_);
      input = configurations_.at(network);
    }
    std::string output;
    const int status =
        run({std::string(kPlugins) + "/bridge"},
            {"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + workload.substr(workload.rfind('/') + 1),
             "CNI_NETNS=" + workload, "CNI_IFNAME=eth0", std::string("CNI_PATH=") + kPlugins,
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
            input, output);
    return status == 0 ? "" : verb + ": " + output;
  }

  std::string directory_;
  int next_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::string> configurations_;
};

}  // namespace

std::unique_ptr<Peer> start_cni(const std::string& directory) {
  if (::access("/usr/lib/cni/bridge", X_OK) == 0) return std::make_unique<CniPeer>(directory);
  std::printf("SKIPPED CNI: containernetworking-plugins is not installed\n");
  return nullptr;
}

}  // namespace heddle::bench
