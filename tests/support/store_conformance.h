#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "netd/store/store.h"

// What every engine of store::Store does, as tests. A binary includes this once and instantiates
// StoreConformance with a factory of its engine.
namespace heddle::store {

// An engine with its state, gone when destroyed.
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual Store& store() = 0;
  virtual void reopen() = 0;   // the same state through a new Store
  virtual void compact() = 0;  // afterwards no change made before it can be watched
};
using EngineFactory = std::function<std::unique_ptr<EngineUnderTest>()>;

inline Deadline soon() {
  return after(std::chrono::seconds(10));
}

inline Object object(std::string kind, std::string id, std::string payload, std::string name = "") {
  return {std::move(kind), std::move(id), std::move(name), {}, std::move(payload), 0};
}

// Collects what a watch hears.
class Ear {
 public:
  Store::OnChange hear() {
    return [this](Result<std::vector<Change>> heard) {
      const std::lock_guard lock(mutex_);
      heard_.push_back(std::move(heard));
      more_.notify_all();
    };
  }
  // Waits until `count` callbacks came.
  std::vector<Result<std::vector<Change>>> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    const bool came =
        more_.wait_for(lock, std::chrono::seconds(10), [&] { return heard_.size() >= count; });
    EXPECT_TRUE(came) << "only " << heard_.size() << " of " << count << " callbacks came";
    return heard_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<Result<std::vector<Change>>> heard_;
};

class StoreConformance : public testing::TestWithParam<EngineFactory> {
 protected:
  void SetUp() override {
    engine_ = GetParam()();
    ASSERT_NE(engine_, nullptr);
  }
  Store& store() { return engine_->store(); }

  Revision put(Object what) {
    auto revision = store().commit({{}, {std::move(what)}, {}}, soon());
    EXPECT_TRUE(revision) << revision.error().text();
    return revision.value_or(0);
  }
  Errc commit_error(const Transaction& transaction) {
    auto revision = store().commit(transaction, soon());
    EXPECT_FALSE(revision);
    if (revision) return Errc::internal;
    last_error_ = revision.error().text();
    return revision.error().code();
  }
  std::optional<Object> get(const std::string& kind, const std::string& id) {
    auto found = store().get({kind, id}, soon());
    EXPECT_TRUE(found) << found.error().text();
    return found.value_or(std::nullopt);
  }
  Listing list(const std::string& kind) {
    auto listing = store().list(kind, soon());
    EXPECT_TRUE(listing) << listing.error().text();
    return listing.value_or(Listing{});
  }

  std::unique_ptr<EngineUnderTest> engine_;
  std::string last_error_;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);

TEST_P(StoreConformance, AbsentObjectsAreNotAnError) {
  EXPECT_EQ(get("network", "none"), std::nullopt);
  EXPECT_THAT(list("network").objects, testing::IsEmpty());
  EXPECT_THAT(list("").objects, testing::IsEmpty());
}

TEST_P(StoreConformance, WhatIsPutComesBackWhole) {
  Object written = object("network", "aa", std::string("\0\xff\n x", 5), "app");
  written.labels = {{"a", "1"}, {"k\xfe", "\xff"}, {"empty", ""}};
  const Revision revision = put(written);
  EXPECT_GT(revision, 0u);
  written.revision = revision;
  EXPECT_EQ(get("network", "aa"), written);
  EXPECT_THAT(list("network").objects, testing::ElementsAre(written));
  EXPECT_EQ(list("network").revision, revision);
}

TEST_P(StoreConformance, ListsOneKindOrAllInOrder) {
  put(object("b", "2", "x"));
  put(object("b", "10", "x"));
  put(object("a", "3", "x"));
  put(object("b-c", "1", "x"));
  const auto ids = [](const Listing& listing) {
    std::vector<std::string> out;
    for (const Object& each : listing.objects) out.push_back(each.kind + "/" + each.id);
    return out;
  };
  EXPECT_THAT(ids(list("b")), testing::ElementsAre("b/10", "b/2"));
  EXPECT_THAT(ids(list("")), testing::ElementsAre("a/3", "b/10", "b/2", "b-c/1"));
}

TEST_P(StoreConformance, OneTransactionHasOneRevisionAndTheNextAHigherOne) {
  const auto first =
      store().commit({{}, {object("a", "1", "x"), object("b", "1", "y")}, {}}, soon());
  ASSERT_TRUE(first);
  EXPECT_EQ(get("a", "1")->revision, *first);
  EXPECT_EQ(get("b", "1")->revision, *first);
  const Revision second = put(object("a", "1", "z"));
  EXPECT_GT(second, *first);
  EXPECT_EQ(get("b", "1")->revision, *first);
}

TEST_P(StoreConformance, ComparesGuardAgainstChangesMeanwhile) {
  const Revision first = put(object("a", "1", "x"));
  EXPECT_EQ(commit_error({{{{"a", "1"}, 0}}, {object("a", "1", "y")}, {}}), Errc::conflict);
  EXPECT_THAT(last_error_, testing::HasSubstr("a 1 exists already"));
  EXPECT_EQ(commit_error({{{{"a", "2"}, 7}}, {object("a", "2", "y")}, {}}), Errc::conflict);
  EXPECT_THAT(last_error_, testing::HasSubstr("a 2 was removed meanwhile"));
  EXPECT_EQ(commit_error({{{{"a", "1"}, first + 1}}, {object("a", "1", "y")}, {}}), Errc::conflict);
  EXPECT_THAT(last_error_, testing::HasSubstr("a 1 was changed meanwhile"));
  EXPECT_EQ(get("a", "1")->payload, "x");
  EXPECT_TRUE(store().commit({{{{"a", "1"}, first}}, {object("a", "1", "y")}, {}}, soon()));
  EXPECT_EQ(get("a", "1")->payload, "y");
}

TEST_P(StoreConformance, AFailedTransactionChangesNothing) {
  put(object("a", "1", "x", "taken"));
  const Revision before = list("").revision;
  const Transaction late{
      {{{"a", "9"}, 5}}, {object("b", "1", "y"), object("b", "2", "y", "n")}, {{"a", "1"}}};
  EXPECT_EQ(commit_error(late), Errc::conflict);
  const Transaction taken{{}, {object("b", "1", "y"), object("a", "2", "y", "taken")}, {}};
  EXPECT_EQ(commit_error(taken), Errc::conflict);
  EXPECT_THAT(last_error_, testing::HasSubstr("the a name 'taken' is taken by a 1"));
  EXPECT_EQ(list("").objects.size(), 1u);
  EXPECT_EQ(list("").revision, before);
  put(object("b", "2", "y", "n"));
}

TEST_P(StoreConformance, NamesAreUniqueWithinAKindAndFreedWithTheObject) {
  put(object("a", "1", "x", "n"));
  put(object("b", "1", "x", "n"));  // another kind
  EXPECT_EQ(commit_error({{}, {object("a", "2", "x", "n")}, {}}), Errc::conflict);
  put(object("a", "1", "y", "n"));  // its own
  put(object("a", "1", "y", "m"));  // renamed
  put(object("a", "2", "x", "n"));
  ASSERT_TRUE(store().commit({{}, {}, {{"a", "1"}}}, soon()));
  put(object("a", "3", "x", "m"));
  put(object("a", "3", "x"));  // gave its name up
  put(object("a", "4", "x", "m"));
}

TEST_P(StoreConformance, NamesChangeHandsWithinATransaction) {
  put(object("a", "1", "x", "n"));
  put(object("a", "2", "x", "m"));
  ASSERT_TRUE(
      store().commit({{}, {object("a", "1", "x", "m"), object("a", "2", "x", "n")}, {}}, soon()));
  EXPECT_EQ(get("a", "1")->name, "m");
  ASSERT_TRUE(store().commit({{}, {object("a", "3", "x", "m")}, {{"a", "1"}}}, soon()));
  EXPECT_EQ(commit_error({{}, {object("a", "4", "x", "m")}, {}}), Errc::conflict);
  EXPECT_EQ(commit_error({{}, {object("a", "4", "x", "n")}, {}}), Errc::conflict);
}

TEST_P(StoreConformance, DeletingTheAbsentIsSuccessAndChangesNothing) {
  const Revision before = put(object("a", "1", "x"));
  const auto deleted = store().commit({{}, {}, {{"a", "2"}}}, soon());
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, before);
  const auto nothing = store().commit({}, soon());
  ASSERT_TRUE(nothing);
  EXPECT_EQ(*nothing, before);
  const auto gone = store().commit({{}, {}, {{"a", "1"}}}, soon());
  ASSERT_TRUE(gone);
  EXPECT_GT(*gone, before);
  EXPECT_EQ(get("a", "1"), std::nullopt);
}

TEST_P(StoreConformance, BadKeysAndPayloadsAreRefused) {
  for (const std::string bad : {"", "A", "a/b", "a b", "\xc3\xa9", "a\n"}) {
    EXPECT_EQ(commit_error({{}, {object(bad, "1", "x")}, {}}), Errc::invalid) << bad;
    EXPECT_EQ(commit_error({{}, {object("a", bad, "x")}, {}}), Errc::invalid) << bad;
    EXPECT_EQ(commit_error({{}, {}, {{"a", bad}}}), Errc::invalid) << bad;
    EXPECT_EQ(commit_error({{{{"a", bad}, 0}}, {}, {}}), Errc::invalid) << bad;
    EXPECT_EQ(store().get({"a", bad}, soon()).error().code(), Errc::invalid) << bad;
  }
  EXPECT_EQ(commit_error({{}, {object("a", std::string(65, 'a'), "x")}, {}}), Errc::invalid);
  EXPECT_EQ(commit_error({{}, {object("a", "1", std::string(kMaxPayload + 1, 'x'))}, {}}),
            Errc::invalid);
  EXPECT_EQ(commit_error({{}, {object("a", "1", "x", "a\nb")}, {}}), Errc::invalid);
  EXPECT_EQ(commit_error({{}, {object("a", "1", "x"), object("a", "1", "y")}, {}}), Errc::invalid);
  EXPECT_EQ(commit_error({{}, {object("a", "1", "x")}, {{"a", "1"}}}), Errc::invalid);
  EXPECT_EQ(commit_error({{}, {object("a", "1", "x", "n"), object("a", "2", "y", "n")}, {}}),
            Errc::invalid);
  EXPECT_EQ(store().list("A", soon()).error().code(), Errc::invalid);
  put(object(std::string(64, 'k'), std::string(64, 'a'), std::string(kMaxPayload, 'x')));
  EXPECT_EQ(list(std::string(64, 'k')).objects.at(0).payload.size(), kMaxPayload);
}

TEST_P(StoreConformance, APastDeadlineIsATimeout) {
  const Deadline past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_EQ(store().get({"a", "1"}, past).error().code(), Errc::timeout);
  EXPECT_EQ(store().list("a", past).error().code(), Errc::timeout);
  EXPECT_EQ(store().commit({{}, {object("a", "1", "x")}, {}}, past).error().code(), Errc::timeout);
}

TEST_P(StoreConformance, StateOutlivesTheStore) {
  const Revision revision = put(object("a", "1", "x", "n"));
  engine_->reopen();
  EXPECT_EQ(get("a", "1")->revision, revision);
  EXPECT_EQ(list("").revision, revision);
  EXPECT_GT(put(object("a", "2", "x")), revision);
  EXPECT_EQ(commit_error({{}, {object("a", "3", "x", "n")}, {}}), Errc::conflict);
}

TEST_P(StoreConformance, AWatchHearsEachTransactionWholeAndInOrder) {
  const Revision start = put(object("a", "0", "before"));
  Ear ear;
  auto watch = store().watch(start, ear.hear());
  ASSERT_TRUE(watch);
  const auto first =
      store().commit({{}, {object("a", "1", "x", "n"), object("b", "1", "y")}, {}}, soon());
  ASSERT_TRUE(first);
  const auto second = store().commit({{}, {object("a", "2", "z")}, {{"a", "1"}}}, soon());
  ASSERT_TRUE(second);
  const auto heard = ear.wait_for(2);
  ASSERT_EQ(heard.size(), 2u);
  ASSERT_TRUE(heard[0]);
  ASSERT_TRUE(heard[1]);
  std::map<Key, std::optional<Object>> state;
  for (const Change& change : *heard[0]) {
    EXPECT_EQ(change.revision, *first);
    state[change.key] = change.object;
  }
  EXPECT_EQ(state.size(), 2u);
  EXPECT_EQ((state[{"a", "1"}]), get("a", "1").value_or(*state[{"a", "1"}]));
  EXPECT_EQ((state[{"a", "1"}]->name), "n");
  for (const Change& change : *heard[1]) {
    EXPECT_EQ(change.revision, *second);
    state[change.key] = change.object;
  }
  EXPECT_EQ(state.size(), 3u);
  EXPECT_EQ((state[{"a", "1"}]), std::nullopt);
  EXPECT_EQ((state[{"a", "2"}]), get("a", "2"));
}

TEST_P(StoreConformance, AWatchCatchesUpFromThePastAndAcrossAReopening) {
  const Revision start = put(object("a", "0", "0"));
  for (int i = 1; i <= 20; ++i) put(object("a", "0", std::to_string(i)));
  engine_->reopen();
  Ear ear;
  auto watch = store().watch(start, ear.hear());
  ASSERT_TRUE(watch);
  const auto heard = ear.wait_for(20);
  ASSERT_EQ(heard.size(), 20u);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(heard[i]);
    ASSERT_EQ(heard[i]->size(), 1u);
    EXPECT_EQ(heard[i]->front().object->payload, std::to_string(i + 1));
  }
}

TEST_P(StoreConformance, AWatchFromBeforeTheHistoryEndsWithConflict) {
  const Revision start = put(object("a", "1", "x"));
  put(object("a", "1", "y"));
  engine_->compact();
  Ear ear;
  auto watch = store().watch(start - 1, ear.hear());
  ASSERT_TRUE(watch);
  const auto heard = ear.wait_for(1);
  ASSERT_EQ(heard.size(), 1u);
  ASSERT_FALSE(heard[0]);
  EXPECT_EQ(heard[0].error().code(), Errc::conflict);
  // Listing again heals it.
  Ear again;
  auto fresh = store().watch(list("").revision, again.hear());
  ASSERT_TRUE(fresh);
  put(object("a", "1", "z"));
  EXPECT_EQ(again.wait_for(1).at(0)->front().object->payload, "z");
}

TEST_P(StoreConformance, ADestroyedWatchIsSilentAndMayEndItselfFromItsCallback) {
  Ear ear;
  auto watch = store().watch(list("").revision, ear.hear());
  ASSERT_TRUE(watch);
  watch->reset();
  std::unique_ptr<Store::Watch> self;
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  {
    const std::lock_guard lock(mutex);
    auto made = store().watch(list("").revision, [&](Result<std::vector<Change>>) {
      const std::lock_guard inner(mutex);
      self.reset();
      done = true;
      ended.notify_all();
    });
    ASSERT_TRUE(made);
    self = std::move(*made);
  }
  put(object("a", "1", "x"));
  std::unique_lock lock(mutex);
  EXPECT_TRUE(ended.wait_for(lock, std::chrono::seconds(10), [&] { return done; }));
  EXPECT_EQ(self, nullptr);
  EXPECT_THAT(ear.wait_for(0), testing::IsEmpty());
}

// Goal: compare-and-swap loses no update. Method: writers that each add to one number.
TEST_P(StoreConformance, ConcurrentCountersLoseNothing) {
  constexpr int kWriters = 4;
  constexpr int kRounds = 10;
  put(object("count", "n", "0"));
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&] {
      for (int done = 0; done < kRounds;) {
        const auto now = store().get({"count", "n"}, soon());
        ASSERT_TRUE(now);
        const std::string next = std::to_string(std::stoi((*now)->payload) + 1);
        const auto swapped = store().commit(
            {{{{"count", "n"}, (*now)->revision}}, {object("count", "n", next)}, {}}, soon());
        if (swapped) {
          ++done;
        } else {
          ASSERT_EQ(swapped.error().code(), Errc::conflict) << swapped.error().text();
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(get("count", "n")->payload, std::to_string(kWriters * kRounds));
}

// Goal: a name has one holder. Method: racers put different objects of one name.
TEST_P(StoreConformance, OnlyOneOfManyRacersGetsAName) {
  std::vector<std::thread> racers;
  std::atomic<int> winners = 0;
  for (int racer = 0; racer < 6; ++racer) {
    racers.emplace_back([&, racer] {
      const auto won =
          store().commit({{}, {object("a", std::to_string(racer), "x", "name")}, {}}, soon());
      if (won) {
        ++winners;
      } else {
        EXPECT_EQ(won.error().code(), Errc::conflict) << won.error().text();
      }
    });
  }
  for (auto& racer : racers) racer.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(list("a").objects.size(), 1u);
}

TEST_P(StoreConformance, LargeTransactionsAndListingsPass) {
  Transaction many;
  for (int i = 0; i < 5000; ++i) {
    many.puts.push_back(
        object("many", std::to_string(i), std::string(300, 'x'), "n" + std::to_string(i)));
  }
  const auto revision = store().commit(many, soon());
  ASSERT_TRUE(revision) << revision.error().text();
  const Listing listing = list("many");
  EXPECT_EQ(listing.objects.size(), 5000u);
  EXPECT_EQ(listing.revision, *revision);
}

}  // namespace heddle::store
