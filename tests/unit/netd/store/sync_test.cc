// Goal: a commit that outlives the machine is on the disk when it returns, and one that need only
// outlive the process does not wait for it. Method: this program's own fsync(2) and fdatasync(2),
// which the dynamic linker puts before libc's, count what SQLite asks for.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "netd/store/store.h"

namespace {
std::atomic<int> synced{0};
}  // namespace

extern "C" int fsync(int fd) {
  ++synced;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
extern "C" int fdatasync(int fd) {
  ++synced;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace heddle::store {
namespace {

class SyncTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/heddle-sync-XXXXXX";
    dir_ = ::mkdtemp(path);
    auto opened = open_sqlite(dir_ + "/state.db");
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = *std::move(opened);
    // The first commit also makes the file's log.
    syncs_of({.puts = {{.kind = "node", .id = "first"}}});
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  int syncs_of(const Transaction& transaction) {
    const int before = synced;
    const auto done = store_->commit(transaction, after(std::chrono::seconds(5)));
    EXPECT_TRUE(done) << done.error().text();
    return synced - before;
  }
  static Transaction put(const std::string& id, Outlives outlives) {
    return {.puts = {{.kind = "endpoint", .id = id, .payload = "x"}}, .outlives = outlives};
  }

  std::string dir_;
  std::unique_ptr<Store> store_;
};

TEST_F(SyncTest, ACommitThatOutlivesTheMachineWaitsForTheDisk) {
  EXPECT_GE(syncs_of(put("a", Outlives::machine)), 1);
  EXPECT_GE(syncs_of({.deletes = {{"endpoint", "a"}}}), 1) << "without a word, a commit does";
}

TEST_F(SyncTest, OneThatOutlivesTheProcessDoesNot) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(syncs_of(put("e" + std::to_string(i), Outlives::process)), 0) << i;
  }
  EXPECT_EQ(syncs_of({.deletes = {{"endpoint", "e3"}}, .outlives = Outlives::process}), 0);
}

TEST_F(SyncTest, TheTwoFollowEachOtherInAnyOrder) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(syncs_of(put("p", Outlives::process)), 0);
    EXPECT_GE(syncs_of(put("m", Outlives::machine)), 1);
  }
}

}  // namespace
}  // namespace heddle::store
