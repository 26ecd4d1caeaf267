#pragma once
#include <string_view>
#include <vector>

#include "common/base/unique_fd.h"
#include "netd/holder/process/table.h"
#include "netd/holder/protocol.h"

namespace heddle::process {

// What goes back for one datagram.
struct Answer {
  holder::Reply reply{};
  int fds[holder::kPage];  // reply.count of them, borrowed from the table
  bool end = false;        // the last one: the holder is to end
};

// Does what a request says. `bytes` come from whoever may connect and can be anything: a malformed
// request gets EINVAL and changes nothing; its descriptors are closed.
Answer answer(Table& table, std::string_view bytes, std::vector<UniqueFd> fds);

}  // namespace heddle::process
