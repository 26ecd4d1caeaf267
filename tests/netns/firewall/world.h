#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/base/unique_fd.h"
#include "dataplane/linux/kernel.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {

// A host 192.0.2.1 and 2001:db8::1 with a machine outside (.2) that it forwards for, and two bridge
// networks: hbr0 (10.77.0.0/24, fd00:77::/64) with a and b, hbr1 (10.78.0.0/24, fd00:78::/64) with
// c.
class World : public ::testing::Test {
 protected:
  World();
  ~World() override;

  void apply(const Operation& operation);
  void publish(Protocol protocol, const char* at, const char* target);
  void set_rules(const std::set<NetworkRules>& rules);
  std::set<NetworkRules> rules() const;  // of both networks: neither routed nor internal
  void renew();                          // what the intent says now, as an audit would

  // The client's address as the endpoint at `target` sees a TCP connection to `to`; empty when the
  // connection does not come about. An empty sandbox is the host.
  std::string reach(const std::string& client, const char* to, const std::string& server,
                    const char* target);

  static IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }
  static Prefix range(const char* text) { return Prefix::parse(text).value(); }

  host::PrivateHost host_;
  NoListeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
  HostState wanted_;
  SandboxPath a_, b_, c_, outside_;

 private:
  void add_bridge(const char* name, const char* v4, const char* v6);
  SandboxPath add_endpoint(const std::string& name, const char* bridge, const std::string& subnet4,
                           const std::string& subnet6, int number);
  void add_outside();
};

// A UDP socket of a sandbox (of the host, when empty) that is bound to or connected with `address`.
UniqueFd udp_bound(const std::string& sandbox, const char* address);
UniqueFd udp_connected(const std::string& sandbox, const char* address);
bool send(const UniqueFd& socket);
bool receives(const UniqueFd& socket);  // within a second; takes all that is there

}  // namespace heddle::dataplane
