#pragma once
#include <memory>
#include <set>
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/operation.h"
#include "dataplane/nft/ruleset.h"

namespace heddle::nft {

// Our one nftables table, `inet <name>`; every other table is left alone.
// Owns:    the table only; it stays when this object goes. What was read is kept with the kernel's
//          generation number: as long as nobody changes any nftables of the namespace, looking
//          again costs one message.
// Threads: one caller at a time; acts on the namespace of the thread that opened it.
// Errors:  `denied` without CAP_NET_ADMIN; `unsupported` when the kernel lacks nftables or its NAT;
//          `conflict` when others kept changing nftables.
class Table final {
 public:
  // Errors: `invalid` for a name that is no nft identifier.
  static Result<std::unique_ptr<Table>> open(std::string name);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Rules and networks, in one transaction; published ports stay, even when the table has to be
  // made anew because its chains or sets were changed. With nothing to hold, the table goes.
  Result<> set(const Networks& networks);

  // In one transaction; `removed` and what `put` led to before.
  Result<Published> change(const Published& put, const std::set<dataplane::PublishedKey>& removed);

  // By meaning. What was changed by hand shows as rules that are `is_altered()` (ruleset.h).
  struct Contents {
    Networks networks;
    Published published;
  };
  Result<Contents> observe();

  Result<> remove();  // the table; absence is success

 private:
  struct Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::nft
