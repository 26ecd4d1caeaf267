#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "dataplane/netlink/socket.h"
#include "dataplane/nft/ruleset.h"

// Published ports as elements of the table's four maps, straight over netlink: reading ten thousand
// costs libnftables 400 ms of CPU and this 10, and an audit looks every few seconds.
// Source: linux/netfilter/nf_tables.h, net/netfilter/nf_tables_api.c.
namespace heddle::nft {

// One element as the kernel keeps it: fields in network order, each padded to four bytes.
struct RawElement {
  std::string key;
  std::string data;
  friend bool operator==(const RawElement&, const RawElement&) = default;
};

enum class PortMap { published4, anywhere4, published6, anywhere6 };  // exact address, any address
std::string_view name(PortMap map);
PortMap map_of(const dataplane::PublishedKey& key);

// Pure. Nothing for what no intent could have written.
RawElement encode(const dataplane::PublishedKey& key, const dataplane::PublishedTarget& target);
std::optional<std::pair<dataplane::PublishedKey, dataplane::PublishedTarget>> decode(
    PortMap map, const RawElement& element);

// Reads and changes the maps, and tells whether anything else in the table changed.
// Threads: one caller at a time; the namespace of the thread that opened it.
// Errors:  `denied` without CAP_NET_ADMIN; `unsupported` when the kernel lacks nf_tables.
class PortMaps final {
 public:
  static Result<PortMaps> open(std::string table);

  // Counts the transactions of this network namespace, whoever made them.
  Result<std::uint32_t> generation();

  struct Contents {
    Published published;
    std::vector<std::string> remarks;  // what no intent could have written
  };
  // Empty when there is no such table.
  Result<Contents> read();

  // All that is in the table but the ports and what counters say, as opaque bytes: equal when
  // nothing changed. Empty when there is no such table.
  Result<std::string> fingerprint();

  // In one transaction.
  // Errors: `conflict` when the generation is another by now, or a key is there (or absent)
  // already: read again; `not_found` without the table.
  struct Change {
    Published removed;  // as they are now
    Published added;
  };
  Result<> apply(const Change& change, std::uint32_t generation);

 private:
  PortMaps(std::string table, netlink::Socket socket)
      : table_(std::move(table)), socket_(std::move(socket)) {}
  Result<std::set<std::string>> read_sets(std::string& into);

  std::string table_;
  netlink::Socket socket_;
};

}  // namespace heddle::nft
