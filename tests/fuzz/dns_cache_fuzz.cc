// link: heddle_netd_dns
#include <cstddef>
#include <cstdint>
#include <map>

#include "common/base/check.h"
#include "netd/dns/cache.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

// Steps of four bytes: what to do, a name, a lifetime, a size or a pause. Beside the cache a map
// keeps everything: what the cache gives is the last that was put there, not older than it may be,
// and the cache never holds more than it was allowed.
namespace {

using namespace heddle;
constexpr std::size_t kRoom = 16 << 10;

struct Kept {
  std::shared_ptr<const dns::UpstreamReply> reply;
  Deadline received;
};

}  // namespace

HEDDLE_FUZZ_TARGET(dns_cache, data, size) {
  dns::Cache cache(kRoom);
  std::map<std::string, Kept> all;
  Deadline now{std::chrono::hours(1)};
  for (; size >= 4; data += 4, size -= 4) {
    const std::string key(data[1] % 64 + 1u, static_cast<char>('a' + data[1] % 16));
    if (data[0] % 4 == 0) {
      now += std::chrono::milliseconds(data[2] * 256 + data[3]);
    } else if (data[0] % 4 == 1) {
      dns::UpstreamReply reply;
      reply.lifetime = data[2];
      reply.bytes.resize(data[3] * 12u);
      const auto shared = std::make_shared<const dns::UpstreamReply>(std::move(reply));
      cache.insert(key, shared, now);
      all[key] = {shared, now};
    } else if (data[0] == 255) {
      cache.clear();
      CHECK(cache.bytes() == 0 && cache.size() == 0);
    } else {
      Deadline when = now;
      HEDDLE_DEFECT("answers are given after their time",
                    if (all.contains(key)) when = all[key].received);
      const auto found = cache.find(key, when);
      if (found.reply != nullptr) {
        const Kept& kept = all.at(key);
        CHECK(found.reply == kept.reply);
        CHECK(now < kept.received + std::chrono::seconds(found.reply->lifetime));
        CHECK(std::chrono::seconds(found.age) >= now - kept.received);
        CHECK(found.age <= found.reply->lifetime);
      }
    }
    CHECK(cache.bytes() <= kRoom);
    CHECK(cache.size() <= all.size());
  }
  return 0;
}
