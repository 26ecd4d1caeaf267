#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/result.h"

// Inside this folder only.
namespace heddle::process {

// Whom a process runs as.
struct Identity {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
  std::string home;  // empty: not known
};

// NAME or UID, with :GROUP or :GID; bare numbers need not be known. `root`: a directory whose
// /etc/passwd and /etc/group are meant (a container's, so that links in them stay below it); empty:
// this machine's users. Errors: `not_found`.
Result<Identity> find_identity(const std::string& text, const std::string& root);

}  // namespace heddle::process
