#pragma once
#include <memory>
#include <set>
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"

namespace heddle::nft {

// Our one nftables table, `inet <name>`; every other table is left alone.
// Owns:    the table only; it stays when this object goes.
// Threads: one caller at a time; acts on the namespace of the thread that opened it.
// Errors:  `denied` without CAP_NET_ADMIN; `unsupported` when the kernel lacks nftables or its NAT.
class Table final {
 public:
  // Errors: `invalid` for a name that is no nft identifier.
  static Result<std::unique_ptr<Table>> open(std::string name);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // In one transaction; with nothing to masquerade the table goes.
  Result<> replace(const std::set<dataplane::Masquerade>& masquerades);

  // By meaning; what was changed by hand shows as `altered()` (ruleset.h).
  Result<std::set<dataplane::Masquerade>> observe();

 private:
  struct Impl;
  explicit Table(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::nft
