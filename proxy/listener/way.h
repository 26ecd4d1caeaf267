#pragma once
#include <memory>
#include <string>

#include "proxy/upstream/group.h"

namespace heddle::listener {

// Where the requests of a connection go: by the listener's rules, to a group by name (it may be
// replaced meanwhile), or to a group that only this listener has.
struct Way {
  bool by_rules = false;  // then clients are strangers: X-Forwarded-* is set
  // The client speaks HTTP/2 to a destination of its own choice: so does a target of a group whose
  // protocol is not declared.
  bool detected_http2 = false;
  std::string group;
  std::shared_ptr<upstream::Group> own_group;
};

}  // namespace heddle::listener
