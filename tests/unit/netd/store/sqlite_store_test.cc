#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/store_conformance.h"

namespace heddle::store {
namespace {

// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    char path[] = "/tmp/heddle-store-XXXXXX";
    path_ = ::mkdtemp(path);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ + "/state.db"; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class SqliteUnderTest final : public EngineUnderTest {
 public:
  SqliteUnderTest() { reopen(); }
  Store& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    auto opened = open_sqlite(dir_.file());
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
  }
  void compact() override {
    for (int round = 0; round < 3; ++round) {
      Transaction filler;
      for (int i = 0; i < 5000; ++i) {
        filler.puts.push_back(object("filler", std::to_string(i), "x"));
      }
      ASSERT_TRUE(store_->commit(filler, soon()));
    }
  }

 private:
  TempDir dir_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformance, testing::Values(EngineFactory([] {
                           return std::make_unique<SqliteUnderTest>();
                         })));

Error open_error(const std::string& file) {
  auto opened = open_sqlite(file);
  EXPECT_FALSE(opened);
  return opened ? Error(Errc::internal, "opened") : opened.error();
}

TEST(SqliteStore, TheFileIsReadableByItsOwnerAlone) {
  const TempDir dir;
  const auto store = open_sqlite(dir.file());
  ASSERT_TRUE(store);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status{};
    ASSERT_EQ(::stat((dir.file() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
  }
}

TEST(SqliteStore, ASecondOpeningIsRefusedAndNamesTheHolder) {
  const TempDir dir;
  auto store = open_sqlite(dir.file());
  ASSERT_TRUE(store);
  const Error error = open_error(dir.file());
  EXPECT_EQ(error.code(), Errc::in_use);
  EXPECT_THAT(error.text(), testing::HasSubstr(dir.file() + " is in use by process " +
                                               std::to_string(::getpid())));
  EXPECT_THAT(error.text(), testing::HasSubstr("--state-dir"));
  store->reset();
  EXPECT_TRUE(open_sqlite(dir.file()));
}

TEST(SqliteStore, AForeignOrDamagedFileIsNamedAndLeftAlone) {
  const TempDir dir;
  const std::string text(5000, 'x');
  std::ofstream(dir.file()) << text;
  const Error error = open_error(dir.file());
  EXPECT_EQ(error.code(), Errc::internal);
  EXPECT_THAT(error.text(), testing::HasSubstr(dir.file() + " is damaged"));
  std::ifstream back(dir.file());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(back), {}), text);
}

TEST(SqliteStore, AMissingDirectoryIsNamed) {
  const Error error = open_error("/nonexistent/heddle/state.db");
  EXPECT_EQ(error.code(), Errc::not_found);
  EXPECT_THAT(error.text(), testing::HasSubstr("/nonexistent/heddle/state.db"));
}

TEST(SqliteStore, AFileOfANewerSchemaIsRefused) {
  const TempDir dir;
  ASSERT_TRUE(open_sqlite(dir.file()));
  {
    // user_version is the big-endian word at offset 60 (sqlite.org/fileformat2.html).
    std::fstream raw(dir.file(), std::ios::in | std::ios::out | std::ios::binary);
    raw.seekp(60);
    raw.write("\0\0\0\x63", 4);
  }
  const Error error = open_error(dir.file());
  EXPECT_EQ(error.code(), Errc::unsupported);
  EXPECT_THAT(error.text(), testing::HasSubstr("schema 99"));
}

// Goal: the log is brought into the file by another thread, and cannot run away from it. Method:
// far more pages than its bound, without a pause.
TEST(SqliteStore, TheLogStaysBoundedHoweverFastCommitsFollow) {
  const TempDir dir;
  const auto store = open_sqlite(dir.file());
  ASSERT_TRUE(store);
  const std::string payload(64 << 10, 'x');
  constexpr int kCommits = 600;
  std::uintmax_t largest = 0;
  for (int i = 0; i < kCommits; ++i) {
    Transaction transaction{{}, {object("filler", std::to_string(i % 10), payload)}, {}};
    transaction.outlives = Outlives::process;
    ASSERT_TRUE((*store)->commit(transaction, soon()));
    largest = std::max(largest, std::filesystem::file_size(dir.file() + "-wal"));
  }
  EXPECT_GT(std::filesystem::file_size(dir.file()), payload.size()) << "nothing was brought over";
  EXPECT_LT(largest, 12'000u * 4120) << "pages and their headers";
}

// Goal: what commit() returned is there after a crash. Method: a child that commits and is killed.
TEST(SqliteStore, CommitsSurviveAKill) {
  const TempDir dir;
  const ::pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = open_sqlite(dir.file());
    if (!store) ::_exit(1);
    const auto done = (*store)->commit({{}, {object("a", "1", "x")}, {}}, soon());
    if (!done) ::_exit(2);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  auto store = open_sqlite(dir.file());
  ASSERT_TRUE(store) << store.error().text();
  const auto found = (*store)->get({"a", "1"}, soon());
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->payload, "x");
}

TEST(SqliteStore, HistoryHasABound) {
  const TempDir dir;
  auto store = open_sqlite(dir.file());
  ASSERT_TRUE(store);
  const std::string big(kMaxPayload, 'x');
  for (int i = 0; i < 80; ++i) {
    ASSERT_TRUE((*store)->commit({{}, {object("a", "1", big)}, {}}, soon()));
  }
  store->reset();
  EXPECT_LT(std::filesystem::file_size(dir.file()), 80ull << 20);
}

}  // namespace
}  // namespace heddle::store
