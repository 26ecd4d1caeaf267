#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "common/base/unique_fd.h"
#include "tests/peer/host_dns/upstream.h"
#include "tests/support/dns/digger.h"
#include "tests/support/host/private_host.h"
#include "tests/support/real_programs.h"

namespace heddle::peer {

inline constexpr const char* kUpstream = "192.0.2.53";  // as in docs/dns.md
// What the upstream says of each name. dnsmasq takes addresses of documentation for private ones.
inline constexpr const char* kElsewhere = "11.22.33.44";

// A host of the test's own: one link, at whose other end a name server answers, a heddled, and the
// workload c1 (also called `spare`) at 10.40.0.77 in the network app.
class World final {
 public:
  World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // Empty, or why this machine cannot.
  static std::string missing();

  // What the host's programs ask. Set before what reads it is started.
  void set_name_server(const std::string& address) const;
  void start_heddled(const std::string& flags);
  void kill_heddled();
  void start_resolver(const std::string& command);

  // Over UDP, from the host or from c1; rcode -1 when no answer comes.
  tests::Told ask(const std::string& server, const tests::Ask& question) const;
  tests::Told ask_from_c1(const std::string& name) const;
  // How many queries reached heddled.
  static std::string queries();

  Upstream& upstream() { return *upstream_; }
  const std::string& directory() const { return host_.directory(); }

 private:
  host::PrivateHost host_;
  std::string cgroup_;
  std::string c1_;  // sandbox
  std::unique_ptr<Upstream> upstream_;
  ::pid_t heddled_ = 0;
  ::pid_t resolver_ = 0;
};

// What docs/dns.md gives as the content of a file: the block whose first line is `# <file>`.
std::string documented(const std::string& file);
// The flags of the command in docs/dns.md that begins so.
std::string documented_flags(const std::string& command);

}  // namespace heddle::peer
