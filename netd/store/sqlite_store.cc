#include <algorithm>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/base/unique_fd.h"
#include "common/observe/log.h"
#include "netd/store/database.h"
#include "netd/store/file_lock.h"
#include "netd/store/record.h"
#include "netd/store/store.h"

namespace heddle::store {
namespace {

constexpr std::uint64_t kSchema = 1;
// The history that watches catch up from. Beyond either bound its oldest part is dropped, little
// enough at a time that the commit which does it is not late.
constexpr std::uint64_t kMaxHistory = 8192;              // changes
constexpr std::uint64_t kMaxHistoryBytes = 32ull << 20;  // of values
constexpr std::uint64_t kDropped = 128;                  // parts of each bound: one is dropped
// The log goes into the file each time that it has grown by so many pages. It begins anew only when
// a commit finds all of it there; where commits never pause, one waits for that at the second
// bound.
constexpr int kLogStep = 1000;
constexpr int kMaxLog = 8000;

constexpr const char* kCreate = R"(
  CREATE TABLE counters (revision INTEGER NOT NULL, compacted INTEGER NOT NULL);
  INSERT INTO counters VALUES (0, 0);
  CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
  CREATE UNIQUE INDEX names ON objects (kind, name) WHERE name <> '';
  CREATE TABLE changes (revision INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
    id TEXT NOT NULL, value BLOB, PRIMARY KEY (revision, number)) WITHOUT ROWID;
  PRAGMA user_version = 1;
)";

Result<> check_time_left(Deadline deadline) {
  if (std::chrono::steady_clock::now() < deadline) return {};
  return fail(Errc::timeout, "no time was left to ask the store");
}

// Objects in one table, the last changes in another, and a thread that feeds watches from the
// latter; so a watch needs no queue, and one that falls behind the history ends with `conflict`.
// The same thread brings the log into the file: that waits for the disk, which commits need not.
class SqliteStore final : public Store {
 public:
  SqliteStore(UniqueFd lock, std::unique_ptr<Database> database, std::unique_ptr<Database> second)
      : lock_(std::move(lock)), database_(std::move(database)), second_(std::move(second)) {
    database_->leave_log_alone();
  }
  ~SqliteStore() override;

  Result<> load(const std::string& file);

  Result<std::optional<Object>> get(const Key& key, Deadline deadline) override;
  Result<Listing> list(const std::string& kind, Deadline deadline) override;
  Result<Revision> commit(const Transaction& transaction, Deadline deadline) override;
  Result<std::unique_ptr<Watch>> watch(Revision from, OnChange on_change) override;

 private:
  struct Watcher {
    Revision seen = 0;
    OnChange on_change;
    bool ended = false;  // by its owner or by an error
    bool calling = false;
  };
  class Handle;

  // All with mutex_ held.
  Result<Revision> apply(const Transaction& transaction);
  Result<> check_compares(const Transaction& transaction);
  Result<bool> erase(const Key& key);
  Result<> check_name(const Object& object);
  Result<> insert(const Object& object, Revision revision, std::string_view value);
  Result<> record(Revision revision, std::uint64_t number, const Key& key,
                  std::optional<std::string_view> value);
  Result<Revision> find_revision(const Key& key);
  Result<> trim_history();
  Result<std::vector<Change>> read_next(Revision seen);
  bool feed_one(std::unique_lock<std::mutex>& lock);
  void note_log();
  void shorten_log(std::unique_lock<std::mutex>& lock);

  void run_feed();
  void end_watch(Watcher& watcher);

  UniqueFd lock_;  // held as long as the file is open
  std::mutex mutex_;
  std::unique_ptr<Database> database_;
  const std::unique_ptr<Database> second_;  // of the same file; the feed's, without the mutex
  bool log_is_long_ = false;
  int log_ = 0;             // pages, after the last commit
  int log_due_ = kLogStep;  // when it is to be brought into the file
  Revision revision_ = 0;   // of the last commit
  Revision compacted_ = 0;  // changes up to it are gone from the history
  std::uint64_t history_ = 0;
  std::uint64_t history_bytes_ = 0;

  std::list<std::shared_ptr<Watcher>> watchers_;
  std::condition_variable wake_;  // a commit, a new watch, or the end
  std::condition_variable idle_;  // a callback returned
  bool stopping_ = false;
  std::thread feed_;
};

class SqliteStore::Handle final : public Watch {
 public:
  Handle(SqliteStore& store, std::shared_ptr<Watcher> watcher)
      : store_(store), watcher_(std::move(watcher)) {}
  ~Handle() override { store_.end_watch(*watcher_); }

 private:
  SqliteStore& store_;
  std::shared_ptr<Watcher> watcher_;
};

SqliteStore::~SqliteStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (feed_.joinable()) feed_.join();
  CHECK(watchers_.empty());  // watches end before their store
}

Result<> SqliteStore::load(const std::string& file) {
  TRY(auto version, database_->prepare("PRAGMA user_version"));
  TRY_DO(version.row());
  const std::uint64_t schema = version.number(0);
  if (schema > kSchema) {
    return fail(Errc::unsupported, file + " was written by a newer heddle (schema " +
                                       std::to_string(schema) + ", this one knows up to " +
                                       std::to_string(kSchema) + "); upgrade heddled");
  }
  if (schema == 0) {
    TRY_DO(database_->execute("BEGIN IMMEDIATE"));
    TRY_DO(database_->execute(kCreate));
    TRY_DO(database_->execute("COMMIT"));
  }
  TRY(auto counters, database_->prepare("SELECT revision, compacted FROM counters"));
  TRY(const bool found, counters.row());
  if (!found) return fail(Errc::internal, file + " is damaged: it has no revision");
  revision_ = counters.number(0);
  compacted_ = counters.number(1);
  TRY(auto history,
      database_->prepare("SELECT count(*), ifnull(sum(length(value)), 0) FROM changes"));
  TRY_DO(history.row());
  history_ = history.number(0);
  history_bytes_ = history.number(1);
  feed_ = std::thread([this] { run_feed(); });
  return {};
}

Result<std::optional<Object>> SqliteStore::get(const Key& key, Deadline deadline) {
  TRY_DO(check_key(key));
  TRY_DO(check_time_left(deadline));
  const std::lock_guard lock(mutex_);
  TRY(auto select,
      database_->prepare("SELECT revision, value FROM objects WHERE kind = ? AND id = ?"));
  TRY(const bool found, select.bind(key.kind).bind(key.id).row());
  if (!found) return std::nullopt;
  TRY(Object object, decode_record(key, select.number(0), select.blob(1)));
  return object;
}

Result<Listing> SqliteStore::list(const std::string& kind, Deadline deadline) {
  if (!kind.empty()) TRY_DO(check_kind(kind));
  TRY_DO(check_time_left(deadline));
  const std::lock_guard lock(mutex_);
  TRY(auto select, database_->prepare("SELECT kind, id, revision, value FROM objects "
                                      "WHERE ?1 = '' OR kind = ?1 ORDER BY kind, id"));
  select.bind(kind);
  Listing listing;
  listing.revision = revision_;
  for (;;) {
    TRY(const bool more, select.row());
    if (!more) return listing;
    TRY(Object object,
        decode_record({select.text(0), select.text(1)}, select.number(2), select.blob(3)));
    listing.objects.push_back(std::move(object));
  }
}

Result<Revision> SqliteStore::commit(const Transaction& transaction, Deadline deadline) {
  TRY_DO(check_transaction(transaction));
  TRY_DO(check_time_left(deadline));
  const std::lock_guard lock(mutex_);
  TRY_DO(database_->set_sync(transaction.outlives == Outlives::machine
                                 ? Database::Sync::each_commit
                                 : Database::Sync::checkpoints));
  TRY_DO(database_->execute("BEGIN IMMEDIATE"));
  auto committed = apply(transaction);
  if (committed) {
    if (auto done = database_->execute("COMMIT"); !done) {
      committed = std::unexpected(std::move(done).error());
    }
  }
  if (!committed) {
    // SQLite has rolled back by itself after some errors; then this one says so, which is fine.
    (void)database_->execute("ROLLBACK").has_value();
    return committed;
  }
  if (*committed == revision_) return committed;
  revision_ = *committed;
  note_log();
  if (log_is_long_ || !watchers_.empty()) wake_.notify_all();
  if (history_ > kMaxHistory || history_bytes_ > kMaxHistoryBytes) {
    // The commit stands whatever becomes of this; the next one tries again.
    if (auto trimmed = trim_history(); !trimmed)
      log_warn("store_trim", {{"error", trimmed.error()}});
  }
  return committed;
}

Result<Revision> SqliteStore::apply(const Transaction& transaction) {
  TRY_DO(check_compares(transaction));
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  const Revision next = revision_ + 1;
  // What is deleted or replaced goes first, so that names can change hands within a transaction.
  for (const Key& key : transaction.deletes) {
    TRY(const bool existed, erase(key));
    if (existed) TRY_DO(record(next, number++, key, std::nullopt));
  }
  for (const Object& object : transaction.puts) TRY_DO(erase({object.kind, object.id}));
  for (const Object& object : transaction.puts) {
    TRY_DO(check_name(object));
    const std::string value = encode_record(object);
    TRY_DO(insert(object, next, value));
    TRY_DO(record(next, number++, {object.kind, object.id}, value));
    bytes += value.size();
  }
  if (number == 0) return revision_;
  TRY(auto update, database_->prepare("UPDATE counters SET revision = ?"));
  TRY_DO(update.bind(next).run());
  history_ += number;
  history_bytes_ += bytes;
  return next;
}

Result<> SqliteStore::check_compares(const Transaction& transaction) {
  for (const Compare& compare : transaction.compares) {
    TRY(const Revision found, find_revision(compare.key));
    if (found != compare.revision) return std::unexpected(compare_failed(compare, found));
  }
  return {};
}

Result<Revision> SqliteStore::find_revision(const Key& key) {
  TRY(auto select, database_->prepare("SELECT revision FROM objects WHERE kind = ? AND id = ?"));
  TRY(const bool found, select.bind(key.kind).bind(key.id).row());
  return found ? select.number(0) : 0;
}

Result<bool> SqliteStore::erase(const Key& key) {
  TRY(auto remove, database_->prepare("DELETE FROM objects WHERE kind = ? AND id = ? RETURNING 1"));
  TRY(const bool existed, remove.bind(key.kind).bind(key.id).row());
  if (existed) TRY_DO(remove.run());
  return existed;
}

Result<> SqliteStore::check_name(const Object& object) {
  if (object.name.empty()) return {};
  TRY(auto select,
      database_->prepare("SELECT id FROM objects WHERE kind = ? AND name = ? AND name <> ''"));
  TRY(const bool taken, select.bind(object.kind).bind(object.name).row());
  if (taken) return std::unexpected(name_taken(object.kind, object.name, select.text(0)));
  return {};
}

Result<> SqliteStore::insert(const Object& object, Revision revision, std::string_view value) {
  TRY(auto put, database_->prepare("INSERT INTO objects (kind, id, name, revision, value) "
                                   "VALUES (?, ?, ?, ?, ?)"));
  put.bind(object.kind).bind(object.id).bind(object.name).bind(revision).bind_blob(value);
  return put.run();
}

Result<> SqliteStore::record(Revision revision, std::uint64_t number, const Key& key,
                             std::optional<std::string_view> value) {
  TRY(auto put, database_->prepare("INSERT INTO changes (revision, number, kind, id, value) "
                                   "VALUES (?, ?, ?, ?, ?)"));
  put.bind(revision).bind(number).bind(key.kind).bind(key.id);
  if (value) {
    put.bind_blob(*value);
  } else {
    put.bind_null();
  }
  return put.run();
}

// Drops whole revisions, oldest first, until there is room for some more changes.
Result<> SqliteStore::trim_history() {
  Revision upto = compacted_;
  std::uint64_t changes = history_;
  std::uint64_t bytes = history_bytes_;
  {
    TRY(auto sums,
        database_->prepare("SELECT revision, count(*), ifnull(sum(length(value)), 0) FROM changes "
                           "GROUP BY revision ORDER BY revision"));
    while (changes > kMaxHistory - kMaxHistory / kDropped ||
           bytes > kMaxHistoryBytes - kMaxHistoryBytes / kDropped) {
      TRY(const bool more, sums.row());
      if (!more || sums.number(0) == revision_) break;
      upto = sums.number(0);
      changes -= sums.number(1);
      bytes -= sums.number(2);
    }
  }
  // A power cut that brings the dropped part back does no harm.
  TRY_DO(database_->set_sync(Database::Sync::checkpoints));
  TRY_DO(database_->execute("BEGIN IMMEDIATE"));
  const auto trim = [&]() -> Result<> {
    TRY(auto remove, database_->prepare("DELETE FROM changes WHERE revision <= ?"));
    TRY_DO(remove.bind(upto).run());
    TRY(auto update, database_->prepare("UPDATE counters SET compacted = ?"));
    TRY_DO(update.bind(upto).run());
    return database_->execute("COMMIT");
  };
  if (auto trimmed = trim(); !trimmed) {
    (void)database_->execute("ROLLBACK").has_value();
    return trimmed;
  }
  compacted_ = upto;
  history_ = changes;
  history_bytes_ = bytes;
  return {};
}

Result<std::unique_ptr<Store::Watch>> SqliteStore::watch(Revision from, OnChange on_change) {
  const std::lock_guard lock(mutex_);
  auto watcher = std::make_shared<Watcher>();
  watcher->seen = from;
  watcher->on_change = std::move(on_change);
  watchers_.push_back(watcher);
  wake_.notify_all();
  return std::make_unique<Handle>(*this, std::move(watcher));
}

void SqliteStore::end_watch(Watcher& watcher) {
  std::unique_lock lock(mutex_);
  watcher.ended = true;
  // A callback may drop its own watch: it cannot wait for itself.
  if (std::this_thread::get_id() != feed_.get_id()) {
    idle_.wait(lock, [&] { return !watcher.calling; });
  }
  std::erase_if(watchers_, [&](const auto& each) { return each.get() == &watcher; });
}

Result<std::vector<Change>> SqliteStore::read_next(Revision seen) {
  if (seen < compacted_ || seen > revision_) {
    return fail(Errc::conflict, "changes after revision " + std::to_string(seen) +
                                    " are no longer known; list the objects again");
  }
  TRY(auto select,
      database_->prepare("SELECT revision, kind, id, value FROM changes WHERE revision = "
                         "(SELECT min(revision) FROM changes WHERE revision > ?) ORDER BY number"));
  select.bind(seen);
  std::vector<Change> changes;
  for (;;) {
    TRY(const bool more, select.row());
    if (!more) return changes;
    Change change{select.number(0), {select.text(1), select.text(2)}, std::nullopt};
    if (!select.is_null(3)) {
      TRY(change.object, decode_record(change.key, change.revision, select.blob(3)));
    }
    changes.push_back(std::move(change));
  }
}

// Serves the first watch that has something to hear. False when none has.
bool SqliteStore::feed_one(std::unique_lock<std::mutex>& lock) {
  for (auto it = watchers_.begin(); it != watchers_.end(); ++it) {
    const std::shared_ptr<Watcher> kept = *it;
    if (kept->ended || kept->seen == revision_) continue;
    watchers_.splice(watchers_.end(), watchers_, it);  // the others have their turn first
    auto changes = read_next(kept->seen);
    CHECK(!changes || !changes->empty());  // every revision is in the history or compacted
    if (changes) {
      kept->seen = changes->back().revision;
    } else {
      kept->ended = true;
    }
    kept->calling = true;
    lock.unlock();
    kept->on_change(std::move(changes));
    lock.lock();
    kept->calling = false;
    idle_.notify_all();
    return true;
  }
  return false;
}

void SqliteStore::note_log() {
  const int pages = database_->pages_in_log();
  if (pages < std::exchange(log_, pages)) log_due_ = kLogStep;  // it began anew
  if (pages < log_due_) return;
  log_due_ = pages + kLogStep;
  log_is_long_ = true;
  if (pages < kMaxLog) return;
  if (auto done = database_->checkpoint(); !done) {
    log_warn("store.checkpoint_failed", {{"error", done.error()}});
  }
}

void SqliteStore::shorten_log(std::unique_lock<std::mutex>& lock) {
  log_is_long_ = false;
  lock.unlock();
  if (auto done = second_->checkpoint(); !done) {
    log_warn("store.checkpoint_failed", {{"error", done.error()}});
  }
  lock.lock();
}

void SqliteStore::run_feed() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (log_is_long_) {
      shorten_log(lock);
    } else if (!feed_one(lock)) {
      wake_.wait(lock);
    }
  }
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& file) {
  TRY(UniqueFd lock, lock_file(file));
  TRY(auto database, Database::open(file));
  TRY(auto second, Database::open(file));
  auto store =
      std::make_unique<SqliteStore>(std::move(lock), std::move(database), std::move(second));
  TRY_DO(store->load(file));
  return store;
}

}  // namespace heddle::store
