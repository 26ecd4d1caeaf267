#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace heddle::store {

class Database;

// One prepared statement, reset when it goes. Columns are read after row() gave true.
// Threads: its database's.
class Statement {
 public:
  Statement(Database& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters in order. The text must live until run() or the last row().
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_null();
  Statement& bind(std::uint64_t number);

  Result<> run();      // to the end, rows are dropped
  Result<bool> row();  // the next row, false past the last

  std::string text(int column) const;
  std::string_view blob(int column) const;  // until the next row()
  bool is_null(int column) const;
  std::uint64_t number(int column) const;

 private:
  Database* database_;
  sqlite3_stmt* statement_;
  int next_ = 1;
};

// An SQLite file in WAL mode (https://www.sqlite.org/wal.html). A commit waits for the disk
// (each_commit: FULL), or is safe from the end of the process alone until a later one does
// (checkpoints: NORMAL); the file is whole either way.
// Threads: one at a time.
// Errors:  `exhausted` never; a full disk and I/O errors are `unavailable`, a damaged file is
//          `internal`; both name the file.
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& file);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // Commits leave the log to grow; who counts its pages has to call checkpoint(), on this or, so
  // that no commit waits for the disk meanwhile, on another Database of the file.
  void leave_log_alone();
  // Pages in the log after the last commit here, once it was left alone.
  int pages_in_log() const { return pages_in_log_; }
  // Writes what the log has into the file, as far as nobody reads older states.
  Result<> checkpoint();

  enum class Sync { each_commit, checkpoints };
  Result<> set_sync(Sync sync);  // outside a transaction
  Result<> execute(const char* sql);
  // `sql` must be a literal: compiled once, kept by its address.
  Result<Statement> prepare(const char* sql);
  Error error(int code) const;

 private:
  struct Cache;
  Database(std::string file, sqlite3* handle);
  std::string file_;
  sqlite3* handle_;
  Sync sync_ = Sync::each_commit;
  int pages_in_log_ = 0;
  std::unique_ptr<Cache> cache_;
};

}  // namespace heddle::store
