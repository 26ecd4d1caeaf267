#include "netd/model/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/views.h"

namespace heddle::model {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<Id>;

// What an index says of a view, by asking after everything that may be in it.
struct Answers {
  std::map<std::string, Ids> by_key;
  friend bool operator==(const Answers&, const Answers&) = default;
};

constexpr int kNames = 6;

std::string name(char kind, int number) {
  return kind + std::to_string(number);
}

// With zeros in it, which end a key.
Mac mac(int number) {
  return Mac{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(number)}};
}

Answers ask(const Index& index) {
  Answers answers;
  const auto note = [&](const std::string& key) {
    return [&answers, key](const Id& id) { answers.by_key[key].push_back(id); };
  };
  for (int i = 0; i < kNames; ++i) {
    index.endpoints_of(name('w', i), note("of " + name('w', i)));
    index.endpoints_in(name('n', i), note("in " + name('n', i)));
    index.workloads_in(name('s', i), note("go by " + name('s', i)));
    index.workloads_named(name('x', i), note("named " + name('x', i)));
    for (int j = 0; j < kNames; ++j) {
      index.backends_of(name('n', i), name('v', j), note(name('n', i) + " " + name('v', j)));
      index.endpoints_with(name('n', i), mac(j), note(name('n', i) + " " + mac(j).format()));
    }
  }
  return answers;
}

TEST(Index, KnowsWhoIsWhere) {
  tests::ViewBuilder build;
  build.network("n1", "bridge", "10.1.0.0/16");
  build.network("n10", "bridge", "10.2.0.0/16");
  build.workload("w1").sandbox = "/run/a";
  build.workload("w2").sandbox = "/run/a";
  build.endpoint("w1", "n1", "10.1.0.2").service = "web";
  build.endpoint("w1", "n10", "10.2.0.2");
  build.endpoint("w2", "n1", "10.1.0.3").mac = mac(7);
  const Index index(build.view());
  Ids found;
  const auto note = [&](const Id& id) { found.push_back(id); };
  const auto taken = [&] { return std::exchange(found, {}); };
  index.endpoints_of("w1", note);
  EXPECT_THAT(taken(), ElementsAre("w1-n1", "w1-n10"));
  index.endpoints_in("n1", note);
  EXPECT_THAT(taken(), ElementsAre("w1-n1", "w2-n1")) << "n10 only begins with the same letters";
  index.backends_of("n1", "web", note);
  EXPECT_THAT(taken(), ElementsAre("w1-n1"));
  index.backends_of("n1", "", note);
  EXPECT_THAT(taken(), IsEmpty()) << "naming no service is not naming one";
  index.workloads_in("/run/a", note);
  EXPECT_THAT(taken(), ElementsAre("w1", "w2"));
  index.endpoints_with("n1", mac(7), note);
  EXPECT_THAT(taken(), ElementsAre("w2-n1"));
  index.endpoints_with("n10", mac(7), note);
  EXPECT_THAT(taken(), IsEmpty());
  index.workloads_named("w2", note);
  EXPECT_THAT(taken(), ElementsAre("w2"));
  index.endpoints_in("n1", [&](const Id& id) {
    found.push_back(id);
    return false;
  });
  EXPECT_THAT(taken(), ElementsAre("w1-n1")) << "false ends it";
}

// Goal: following changes leads where sorting the view anew does. Method: random histories.
TEST(Index, FollowsWhateverChanges) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  View view;
  Index index(view);
  for (int step = 0; step < 2000; ++step) {
    const View before = view;
    for (int more = pick(4); more >= 0; --more) {
      const Id endpoint = name('e', pick(40));
      const Id workload = name('w', pick(kNames));
      if (pick(4) == 0) {
        view.endpoints.erase(endpoint);
      } else {
        Endpoint& changed = view.endpoints[endpoint];
        changed.workload = workload;
        changed.network = name('n', pick(kNames));
        changed.mac = mac(pick(kNames));
        changed.service = pick(2) == 0 ? "" : name('v', pick(kNames));
      }
      if (pick(4) == 0) {
        view.workloads.erase(workload);
      } else {
        view.workloads[workload].sandbox = name('s', pick(kNames));
        view.workloads[workload].name = name('x', pick(kNames));
      }
    }
    index.follow(before, view);
    ASSERT_EQ(ask(index), ask(Index(view))) << "step " << step;
  }
}

}  // namespace
}  // namespace heddle::model
