// What makes our table be read again as a whole, which with many ports takes long.
#include <gtest/gtest.h>

#include "dataplane/nft/elements.h"
#include "dataplane/nft/table.h"
#include "tests/support/host/private_host.h"

namespace heddle::nft {
namespace {

class Fingerprint : public testing::Test {
 protected:
  Fingerprint() {
    const Prefix prefix = Prefix::parse("10.1.0.0/24").value();
    Networks networks;
    networks.masquerades.insert({prefix, "hbr0"});
    networks.rules.insert({"hbr0", {prefix}, false, true});
    EXPECT_TRUE(table_->set(networks));
    EXPECT_TRUE(publish(8080));
  }

  Result<Published> publish(std::uint16_t port) {
    Published put;
    put[{dataplane::Protocol::tcp, IpAddr(), port}] = {IpAddr::v4(0x0a010002), port};
    return table_->change(put, {});
  }
  std::string now() {
    auto read = maps_.fingerprint();
    EXPECT_TRUE(read);
    EXPECT_FALSE(read->empty());
    return *std::move(read);
  }

  host::PrivateHost host_;
  std::unique_ptr<Table> table_ = Table::open("heddle_print").value();
  PortMaps maps_ = PortMaps::open("heddle_print").value();
};

// The header of each answer carries the generation, which counts everybody's changes.
TEST_F(Fingerprint, StaysWhileOthersChangeTheirTables) {
  const std::string before = now();
  host::run("nft add table ip other; nft add chain ip other c");
  EXPECT_EQ(now(), before);
}

TEST_F(Fingerprint, StaysWhilePortsComeAndGo) {
  const std::string before = now();
  EXPECT_TRUE(publish(8081));
  EXPECT_EQ(now(), before);
}

TEST_F(Fingerprint, ChangesWithEveryOtherPartOfTheTable) {
  std::string before = now();
  for (const char* change :
       {"add chain inet heddle_print mine", "add rule inet heddle_print forward accept",
        "add counter inet heddle_print mine", "add set inet heddle_print mine { type mark; }",
        "add element inet heddle_print mine { 7 }"}) {
    host::run(std::string("nft '") + change + "'");
    std::string after = now();
    EXPECT_NE(after, before) << change;
    before = std::move(after);
  }
}

}  // namespace
}  // namespace heddle::nft
