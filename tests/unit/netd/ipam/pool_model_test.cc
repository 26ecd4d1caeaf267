// Goal: whatever is asked of a Pool, in whatever order, it agrees with a reference that keeps one
// entry for every address of its subnet. Method: random steps on small subnets of both families;
// the seed is printed, and HEDDLE_SEED repeats a run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "netd/ipam/pool.h"

namespace heddle::ipam {
namespace {

using std::chrono::seconds;

// The address `offset` after the start of a subnet whose offsets fit the last byte.
IpAddr at(const Prefix& prefix, unsigned offset) {
  if (prefix.is_v4()) return prefix.at(offset);
  auto bytes = prefix.address().bytes();
  bytes[15] = static_cast<std::uint8_t>(bytes[15] + offset);
  return IpAddr::v6(bytes);
}

class Reference {
 public:
  struct Address {
    bool special = false;
    bool mine = true;
    bool chosen = true;  // in the range
    std::optional<std::string> holder;
    Pool::Now rests_until{};
  };

  explicit Reference(const model::Subnet& subnet) { shape(subnet); }

  void shape(const model::Subnet& subnet) {
    const int bits = (subnet.prefix.is_v4() ? 32 : 128) - subnet.prefix.length();
    all_.resize(std::size_t{1} << bits);
    for (unsigned i = 0; i < all_.size(); ++i) {
      const IpAddr address = at(subnet.prefix, i);
      Address& it = all_[i];
      it.special =
          i == 0 || (subnet.prefix.is_v4() && i == all_.size() - 1) || address == subnet.gateway;
      for (const auto& [name, reserved] : subnet.reserved) it.special |= reserved == address;
      it.chosen = !subnet.range || subnet.range->contains(address);
    }
  }
  std::vector<Address>& all() { return all_; }

  bool could_choose(const Address& it, Pool::Now now) const {
    return !it.special && it.mine && it.chosen && !it.holder && it.rests_until <= now;
  }
  std::uint64_t free(Pool::Now now) const {
    std::uint64_t count = 0;
    for (const Address& it : all_) count += could_choose(it, now);
    return count;
  }

 private:
  std::vector<Address> all_;
};

class Walk {
 public:
  Walk(unsigned seed, bool v4, Pool::Extent extent)
      : random_(seed),
        subnet_(start(v4)),
        extent_(extent),
        pool_(subnet_, extent, seconds(30)),
        reference_(subnet_) {
    if (extent == Pool::Extent::blocks) change_blocks();
  }

  void step() {
    switch (random_() % 12) {
      case 0:
      case 1:
      case 2:
      case 3:
        return choose();
      case 4:
      case 5:
        return ask_for_one();
      case 6:
      case 7:
      case 8:
        return give_up();
      case 9:
        now_ += seconds(random_() % 20);
        return;
      case 10:
        if (random_() % 20 == 0) grow();
        return;
      default:
        if (extent_ == Pool::Extent::blocks && random_() % 10 == 0) change_blocks();
        EXPECT_EQ(pool_.free(now_), reference_.free(now_));
    }
  }

 private:
  static model::Subnet start(bool v4) {
    model::Subnet subnet;
    subnet.prefix = *Prefix::parse(v4 ? "10.9.0.0/28" : "fd00::/124");
    subnet.gateway = at(subnet.prefix, 1);
    subnet.reserved = {{"printer", at(subnet.prefix, 6)}};
    return subnet;
  }
  unsigned any() { return static_cast<unsigned>(random_() % reference_.all().size()); }
  std::string name() { return "c" + std::to_string(++named_); }

  void choose() {
    const std::string holder = name();
    const auto got = pool_.allocate(holder, now_);
    ASSERT_EQ(got.has_value(), reference_.free(now_) > 0);
    if (!got) return;
    ASSERT_TRUE(subnet_.prefix.contains(*got));
    auto& it = reference_.all()[got->bytes()[subnet_.prefix.is_v4() ? 3 : 15]];
    ASSERT_TRUE(reference_.could_choose(it, now_)) << got->format();
    it.holder = holder;
  }
  void ask_for_one() {
    const unsigned offset = any();
    const IpAddr address = at(subnet_.prefix, offset);
    auto& it = reference_.all()[offset];
    const std::string holder = name();
    const auto got = pool_.allocate(address, holder, now_);
    const Errc expected = it.special ? Errc::invalid : it.holder ? Errc::exists : Errc::denied;
    if (it.special || it.holder || !it.mine) {
      ASSERT_FALSE(got.has_value()) << address.format();
      ASSERT_EQ(got.error().code(), expected) << got.error().text();
      return;
    }
    ASSERT_TRUE(got.has_value()) << got.error().text();
    it.holder = holder;
  }
  void give_up() {
    const unsigned offset = any();
    const IpAddr address = at(subnet_.prefix, offset);
    auto& it = reference_.all()[offset];
    const std::string* holder = pool_.holder_of(address);
    ASSERT_EQ(holder != nullptr, it.holder.has_value());
    if (holder != nullptr) {
      ASSERT_EQ(*holder, *it.holder);
    }
    if (random_() % 3 == 0) {
      pool_.give_back(address);
    } else {
      pool_.release(address, now_);
      if (it.holder) it.rests_until = now_ + seconds(30);
    }
    it.holder.reset();
  }
  void grow() {
    if (subnet_.prefix.length() <= (subnet_.prefix.is_v4() ? 24 : 120)) return;
    subnet_.prefix = Prefix::containing(subnet_.prefix.address(), subnet_.prefix.length() - 1);
    subnet_.range.reset();
    if (random_() % 2 == 0) {
      subnet_.range = Prefix::containing(subnet_.prefix.address(), subnet_.prefix.length() + 1);
    }
    pool_.set_subnet(subnet_);
    reference_.shape(subnet_);
    if (extent_ == Pool::Extent::blocks) change_blocks();
  }
  void change_blocks() {
    std::vector<Prefix> blocks;
    for (auto& it : reference_.all()) it.mine = false;
    for (int i = 0; i < 3; ++i) {
      const int length = (subnet_.prefix.is_v4() ? 30 : 126) + static_cast<int>(random_() % 3);
      const Prefix block = Prefix::containing(at(subnet_.prefix, any()), length);
      blocks.push_back(block);
      for (unsigned j = 0; j < reference_.all().size(); ++j) {
        if (block.contains(at(subnet_.prefix, j))) reference_.all()[j].mine = true;
      }
    }
    pool_.set_blocks(blocks);
  }

  std::mt19937 random_;
  model::Subnet subnet_;
  Pool::Extent extent_;
  Pool pool_;
  Reference reference_;
  Pool::Now now_{std::chrono::hours(1)};
  int named_ = 0;
};

unsigned seed() {
  if (const char* given = std::getenv("HEDDLE_SEED")) {
    return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  }
  return std::random_device{}();
}

TEST(PoolModel, AgreesWithAReferenceThatKeepsEveryAddress) {
  const unsigned base = seed();
  for (unsigned round = 0; round < 40; ++round) {
    for (const bool v4 : {true, false}) {
      for (const Pool::Extent extent : {Pool::Extent::subnet, Pool::Extent::blocks}) {
        SCOPED_TRACE("HEDDLE_SEED=" + std::to_string(base + round) + (v4 ? " IPv4" : " IPv6") +
                     (extent == Pool::Extent::blocks ? " blocks" : " whole"));
        Walk walk(base + round, v4, extent);
        for (int i = 0; i < 2000; ++i) {
          walk.step();
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle::ipam
