#include "netd/store/database.h"

#include <sqlite3.h>

#include <map>

#include "common/base/check.h"

namespace heddle::store {

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      next_(other.next_) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Statement& Statement::bind(std::string_view text) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* data = text.empty() ? "" : text.data();
  CHECK(sqlite3_bind_text64(statement_, next_++, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) ==
        SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  CHECK(sqlite3_bind_blob64(statement_, next_++, data, bytes.size(), SQLITE_STATIC) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null() {
  CHECK(sqlite3_bind_null(statement_, next_++) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(std::uint64_t number) {
  CHECK(sqlite3_bind_int64(statement_, next_++, static_cast<sqlite3_int64>(number)) == SQLITE_OK);
  return *this;
}

Result<> Statement::run() {
  for (;;) {
    TRY(const bool more, row());
    if (!more) return {};
  }
}

Result<bool> Statement::row() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(database_->error(code));
}

std::string Statement::text(int column) const {
  return std::string(blob(column));
}

std::string_view Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::uint64_t Statement::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

struct Database::Cache {
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements;
};

Database::Database(std::string file, sqlite3* handle)
    : file_(std::move(file)), handle_(handle), cache_(std::make_unique<Cache>()) {}

Database::~Database() {
  cache_.reset();
  CHECK(sqlite3_close(handle_) == SQLITE_OK);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& file) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return fail(Errc::exhausted, "open " + file + ": out of memory");
  std::unique_ptr<Database> database(new Database(file, handle));
  if (code != SQLITE_OK) return std::unexpected(database->error(code));
  sqlite3_busy_timeout(handle, 2000);  // somebody looks into the file with sqlite3(1)
  TRY_DO(database->execute("PRAGMA journal_mode=WAL"));
  TRY_DO(database->execute("PRAGMA synchronous=FULL"));
  TRY_DO(database->execute("PRAGMA journal_size_limit=4194304"));
  // KiB of pages, of 2,000: objects are read once, and what is written follows no order.
  TRY_DO(database->execute("PRAGMA cache_size=-512"));
  return database;
}

// A hook of our own takes the place of the automatic checkpoint (sqlite3_wal_hook(3)).
void Database::leave_log_alone() {
  sqlite3_wal_hook(
      handle_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Database*>(self)->pages_in_log_ = pages;
        return SQLITE_OK;
      },
      this);
}

Result<> Database::checkpoint() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // Busy: somebody else does it.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return std::unexpected(error(code));
  return {};
}

Result<> Database::set_sync(Sync sync) {
  if (sync == sync_) return {};
  TRY_DO(
      execute(sync == Sync::each_commit ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
  sync_ = sync;
  return {};
}

Result<> Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  return {};
}

Result<Statement> Database::prepare(const char* sql) {
  auto& slot = cache_->statements[sql];
  if (!slot) {
    sqlite3_stmt* compiled = nullptr;
    const int code =
        sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &compiled, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code));
    slot.reset(compiled);
  }
  return Statement(*this, slot.get());
}

Error Database::error(int code) const {
  const std::string reason = sqlite3_errmsg(handle_);
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {Errc::internal, file_ + " is damaged or no state file of heddle (" + reason +
                                  "); restore it from a backup, or move it away to start empty"};
    case SQLITE_FULL:
      return {Errc::unavailable, file_ + ": the disk is full; nothing was stored"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {Errc::denied, file_ + ": " + reason};
    case SQLITE_CANTOPEN: {
      const int sys_errno = sqlite3_system_errno(handle_);
      if (sys_errno != 0) return Error::from_errno(sys_errno, "open " + file_);
      return {Errc::unavailable, "open " + file_ + ": " + reason};
    }
    default:
      return {Errc::unavailable,
              file_ + ": " + reason + " (SQLite error " + std::to_string(code) + ")"};
  }
}

}  // namespace heddle::store
