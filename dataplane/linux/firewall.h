#pragma once
#include <memory>
#include <string>

#include "common/base/result.h"
#include "dataplane/conntrack/flows.h"
#include "dataplane/intent/operation.h"
#include "dataplane/netlink/socket.h"
#include "dataplane/nft/table.h"

namespace heddle::dataplane {

// Rules of networks and published ports: the nft table, and the connections that a change of ports
// made wrong.
// Threads: one caller at a time.
class Firewall final {
 public:
  // `socket` is borrowed. Errors: `invalid` for a table's name that is no nft identifier.
  static Result<std::unique_ptr<Firewall>> open(std::string table, netlink::Socket& socket);

  Result<> set(const SetRules& op);
  // Errors: `unsupported` for SCTP on a kernel that cannot translate it.
  Result<> change(const ChangePublished& op);
  Result<> observe(HostState& state);
  Result<> remove();  // everything; absence is success

 private:
  Firewall(std::unique_ptr<nft::Table> table, conntrack::Flows flows, netlink::Socket& socket)
      : table_(std::move(table)), flows_(std::move(flows)), socket_(socket) {}
  Result<> forget(const nft::Published& removed, const nft::Published& added);

  std::unique_ptr<nft::Table> table_;
  conntrack::Flows flows_;
  netlink::Socket& socket_;
};

}  // namespace heddle::dataplane
