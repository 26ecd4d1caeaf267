#include "dataplane/nft/elements.h"

#include <gtest/gtest.h>

namespace heddle::nft {
namespace {

using dataplane::Protocol;
using dataplane::PublishedKey;
using dataplane::PublishedTarget;

IpAddr ip(const char* text) {
  return IpAddr::parse(text).value();
}

const PublishedKey kAnywhere{Protocol::tcp, IpAddr(), 8080};
const PublishedTarget kTarget{ip("10.1.0.5"), 80};

TEST(Encode, PadsEveryFieldToFourBytes) {
  const RawElement raw = encode(kAnywhere, kTarget);
  EXPECT_EQ(raw.key, std::string("\x06\0\0\0\x1f\x90\0\0", 8));
  EXPECT_EQ(raw.data, std::string("\x0a\x01\0\x05\0\x50\0\0", 8));
  EXPECT_EQ(encode({Protocol::udp, ip("192.0.2.1"), 53}, kTarget).key,
            std::string("\x11\0\0\0\xc0\0\x02\x01\0\x35\0\0", 12));
}

TEST(Decode, IsTheWayBack) {
  for (const auto& [key, target] :
       Published{{kAnywhere, kTarget},
                 {{Protocol::udp, ip("192.0.2.1"), 53}, kTarget},
                 {{Protocol::sctp, ip("::"), 1}, {ip("fd00::5"), 2}},
                 {{Protocol::tcp, ip("::1"), 65535}, {ip("fd00::5"), 2}}})
    EXPECT_EQ(decode(map_of(key), encode(key, target)), std::pair(key, target));
}

TEST(Decode, RefusesWhatNoIntentHas) {
  const RawElement good = encode(kAnywhere, kTarget);
  RawElement odd = good;
  odd.key[0] = 1;  // ICMP
  EXPECT_FALSE(decode(PortMap::anywhere4, odd));
  odd = good;
  odd.key[1] = 1;  // padding
  EXPECT_FALSE(decode(PortMap::anywhere4, odd));
  odd = good;
  odd.key += '\0';
  EXPECT_FALSE(decode(PortMap::anywhere4, odd));
  odd = good;
  odd.data.resize(4);
  EXPECT_FALSE(decode(PortMap::anywhere4, odd));
  EXPECT_FALSE(decode(PortMap::anywhere4, {}));
  EXPECT_FALSE(decode(PortMap::published4, good));
  EXPECT_FALSE(
      decode(PortMap::published4, {std::string("\x06\0\0\0\0\0\0\0\0\x50\0\0", 12), good.data}))
      << "0.0.0.0 belongs to the other map";
}

}  // namespace
}  // namespace heddle::nft
