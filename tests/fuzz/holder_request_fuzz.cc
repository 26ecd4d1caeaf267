// link: heddle_netd_holder_process
// What a client of heddle-holder may send. The first byte says how many descriptors come with it
// (the bits: 0 to 3) and how many requests follow it; each is a datagram of one request's size, the
// last what is left. Whatever it is: the table stays within its bound, a page within its own, and a
// refused request changes nothing.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "netd/holder/process/answer.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

using namespace heddle;

HEDDLE_FUZZ_TARGET(holder_request, data, size) {
  if (size == 0) return 0;
  const std::size_t descriptors = data[0] & 3;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  process::Table table;
  do {
    const std::string_view datagram = rest.substr(0, sizeof(holder::Request));
    rest.remove_prefix(datagram.size());
    std::vector<UniqueFd> fds;
    // Numbers that are no open descriptors: closing them does nothing.
    for (std::size_t i = 0; i < descriptors; ++i) fds.emplace_back(1 << 30);
    const std::size_t before = table.size();
    auto answer = process::answer(table, datagram, std::move(fds));
    HEDDLE_DEFECT("a page lists one more than there are",
                  if (answer.reply.sys_errno == 0)++ answer.reply.count);
    CHECK(answer.reply.count <= holder::kPage && answer.reply.next < holder::kMaxKept);
    CHECK(table.size() <= holder::kMaxKept);
    CHECK(answer.reply.sys_errno == 0 || (table.size() == before && answer.reply.count == 0));
    for (std::uint32_t i = 0; i < answer.reply.count; ++i)
      CHECK(holder::is_name({answer.reply.names[i].text, answer.reply.names[i].length}));
  } while (!rest.empty());
  return 0;
}
