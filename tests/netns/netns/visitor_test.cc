#include "dataplane/netns/visitor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "dataplane/netns/netns.h"
#include "tests/support/host/private_host.h"

namespace heddle::netns {
namespace {

class VisitorTest : public ::testing::Test {
 protected:
  UniqueFd created(const std::string& name) { return open(host_.add_sandbox(name)).value(); }

  host::PrivateHost host_;
  const Visitor visitor_ = Visitor::open().value();
};

TEST_F(VisitorTest, WorkRunsInsideAndTheThreadIsHomeAfterwards) {
  const UniqueFd a = created("a");
  const UniqueFd b = created("b");
  const auto here = own_cookie().value();
  std::vector<std::uint64_t> seen;
  const auto look = [&]() -> Result<> {
    TRY(seen.emplace_back(), own_cookie());
    return {};
  };
  EXPECT_TRUE(visitor_.run_in(a.get(), look));
  EXPECT_TRUE(visitor_.run_in(b.get(), look));
  EXPECT_THAT(seen, ::testing::ElementsAre(cookie(a.get()).value(), cookie(b.get()).value()));
  EXPECT_EQ(visitor_.cookie(a.get()).value(), seen[0]);
  EXPECT_EQ(own_cookie().value(), here);
}

TEST_F(VisitorTest, EachIsVisitedInOrderUntilAFailureAndTheNextTripStartsAfresh) {
  const UniqueFd a = created("a");
  const UniqueFd b = created("b");
  const auto here = own_cookie().value();
  int visits = 0;
  const auto failed = visitor_.run_in_each({a.get(), b.get()}, [&](std::size_t) -> Result<> {
    ++visits;
    return fail(Errc::exhausted, "full");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().text(), "full");
  EXPECT_EQ(own_cookie().value(), here);
  EXPECT_EQ(visits, 1);
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(visitor_.run_in(file.get(), []() -> Result<> { return {}; }).error().code(),
            Errc::invalid);
  EXPECT_EQ(own_cookie().value(), here);
  EXPECT_EQ(visitor_.cookie(b.get()).value(), cookie(b.get()).value());
}

// Goal: a namespace that was visited ends when its own people have left. Method: whatever lies in
// it goes with it, so a pair's end out here disappears.
TEST_F(VisitorTest, NoNamespaceLivesLongerForHavingBeenVisited) {
  const std::string path = host_.add_sandbox("c1");
  host::run("ip link add left type veth peer name right netns " + path);
  {
    const UniqueFd sandbox = open(path).value();
    EXPECT_TRUE(visitor_.run_in(sandbox.get(), []() -> Result<> { return {}; }));
  }
  host_.remove_sandbox(path);
  bool gone = false;
  for (int i = 0; i < 3000 && !gone; ++i) {
    gone = host::status_of("ip link show left 2>/dev/null") != 0;
    if (!gone) ::usleep(10'000);
  }
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace heddle::netns
